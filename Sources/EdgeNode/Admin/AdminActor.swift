import NIOCore
import NIOHTTP1
import Placement
import TLS

/// Who has called the admin API, and from where.
struct AdminActor {
    var name: String
    var role: AdminRole
    var address: String
}

extension HTTPEdge {
    /// The token of the settings, the admin secret that the cluster keeps, or `NAME~SECRET` of a named
    /// administrator.
    func adminActor(_ request: HTTPRequest) throws(HTTPFault) -> AdminActor {
        guard let header = request.headers.authorization, header.hasScheme("bearer") else {
            throw .unauthenticated("admin.missing", "The admin API wants a bearer token.")
        }
        let token = Array(header.utf8.dropFirst("bearer ".utf8.count))
        let tenants = gateway.view.state?.tenants
        if let wanted = settings.adminToken, equalInConstantTime(token, Array(wanted.utf8)) {
            return AdminActor(name: "root", role: .root, address: request.clientText)
        }
        if let credential = tenants?.admin, isSecret(token, of: credential) {
            return AdminActor(name: "cluster", role: .root, address: request.clientText)
        }
        if let known = tenants?.administrator(provenBy: token) {
            return AdminActor(name: known.name, role: known.role, address: request.clientText)
        }
        // An old table knows no newer administrators.
        guard gateway.view.process != nil else { throw .notFormed }
        statistics.refusedAdministrators += 1
        throw .unauthenticated("admin.invalid", "The admin token is wrong.")
    }

    /// Looking on is everybody's; what would make its caller another, or hide what was done, is root's.
    static func neededRole(_ path: [String], _ method: HTTPMethod) -> AdminRole {
        let looksOn = method == .GET || method == .HEAD
        switch path.first {
        // The bytes hold all secrets of the cluster.
        case "backup", "restore": return .root
        case "admins", "signing-keys", "secrets": return looksOn ? .viewer : .root
        default: return looksOn ? .viewer : .operator
        }
    }
}

extension Tenants {
    fileprivate func administrator(provenBy token: [UInt8]) -> Administrator? {
        guard let mark = token.firstIndex(of: UInt8(ascii: "~")),
            let name = String(validating: token[..<mark], as: UTF8.self)
        else { return nil }
        let secret = Array(token[(mark + 1)...])
        guard let known = administrator(named: name) else {
            // As much work as for a name that exists.
            _ = isSecret(secret, of: Credential(salt: [UInt8](repeating: 0, count: 16), secretHash: []))
            return nil
        }
        return isSecret(secret, of: known.credential) && !known.isRevoked ? known : nil
    }
}

extension HTTPRequest {
    /// Where the call came from, without the port; of a connection without an address, "-".
    var clientText: String { clientAddress?.ipAddress ?? "-" }
}

/// Acts that could fill the audit at no cost are written down once in a while, not each time.
struct AuditPauses {
    /// Of one actor and one act.
    static let pauseMs: UInt64 = 10_000
    static let rememberedMax = 1_024
    private var lastMs: [String: UInt64] = [:]

    mutating func isDue(_ what: String, nowMs: UInt64) -> Bool {
        if let last = lastMs[what], nowMs >= last, nowMs - last < Self.pauseMs { return false }
        if lastMs.count >= Self.rememberedMax { lastMs.removeAll() }
        lastMs[what] = nowMs
        return true
    }
}

// MARK: - What is written down

extension AdminCall {
    /// `command` with who asks for it: its entry in the audit comes into being with its effect.
    func audited(_ command: Command) -> Command { .audited(note(), command) }

    private func note() -> AuditNote {
        let callID = edge.gateway.randomBytes(8).reduce(0) { $0 << 8 | UInt64($1) }
        return AuditNote(
            callID: callID, atMs: edge.gateway.wallMs(), actor: actor.name, role: actor.role, address: actor.address)
    }

    /// An act that no command stands for is written down before it begins; without that it does not.
    func noted(_ action: String, _ target: String, then: @escaping () -> Void) {
        propose(bare: .audited(self.note(action, target, outcome: "begun"), nil), then: then)
    }

    /// The same for parts of one act, of which the first in a while is written down.
    func notedOnce(_ action: String, _ target: String, then: @escaping () -> Void) {
        let key = actor.name + " " + action + " " + target
        guard edge.auditPauses.isDue(key, nowMs: edge.nowMs) else { return then() }
        noted(action, target, then: then)
    }

    /// What an administrator was not allowed to do. The answer does not wait for it.
    func noteRefusal(_ needed: AdminRole) {
        let path = target.segments.dropFirst(2).joined(separator: "/")
        let action = "\(request.method.rawValue) \(target.segments.dropFirst(2).first ?? "")"
        edge.statistics.refusedAdministrators += 1
        guard edge.auditPauses.isDue(actor.name + " " + action, nowMs: edge.nowMs) else { return }
        edge.gateway.propose(
            .audited(note("refused", action + " " + path, outcome: "needs the role \(needed.name)"), nil)
        ) { _ in }
    }

    private func note(_ action: String, _ target: String, outcome: String) -> AuditNote {
        var note = note()
        (note.action, note.target, note.outcome) = (action, target, outcome)
        return note
    }
}
