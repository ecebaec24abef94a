import NIOHTTP1
import Placement

// The audit, and the administrators whose acts it holds.

extension AdminCall {
    static let auditLinesMax = 1_000

    func auditPage() throws(HTTPFault) {
        try only(.GET)
        let audit = try state().audit
        let after = try number("after") ?? 0
        let limit = min(Self.auditLinesMax, Int(clamping: try number("limit") ?? 100))
        let actor = target.formParameter("actor")
        let action = target.formParameter("action")
        let lines = audit.entries(after: after).filter { entry in
            (actor.map { entry.note.actor.isText($0) } ?? true)
                && (action.map { entry.note.action.starts(withText: $0) } ?? true)
        }
        let chosen = Array(lines.prefix(limit))
        answer(
            .json(
                JSONOutput.object { page in
                    page.key("entries")
                    page.array(chosen) { $0.write($1) }
                    page.member("last", audit.lastIndex)
                    page.member("kept", audit.count)
                }))
    }

    private func number(_ name: String) throws(HTTPFault) -> UInt64? {
        guard let text = target.parameter(name) else { return nil }
        guard let number = UInt64(digits: text) else { throw .validation(name, "\(name) must be a whole number.") }
        return number
    }

    func administrators() throws(HTTPFault) {
        switch request.method {
        case .GET:
            let all = try state().tenants.administrators
            answer(
                .json(
                    JSONOutput.object { page in
                        page.key("admins")
                        page.array(all) { page, admin in
                            page.object { row in
                                row.member("name", admin.name)
                                row.member("role", admin.role.name)
                                row.member("createdAt", admin.createdAtMs)
                                row.member("revoked", admin.isRevoked)
                            }
                        }
                    }))
        case .POST: try createAdministrator()
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    /// The token is in this answer and nowhere else.
    private func createAdministrator() throws(HTTPFault) {
        let body = try body(knowing: ["name", "role"])
        guard let name = body["name"]?.text else { throw .validation("name", "The body must name the administrator.") }
        guard let role = body["role"]?.text.flatMap(AdminRole.init(name:)), role != .root else {
            throw .validation("role", "role is viewer or operator.")
        }
        let gateway = edge.gateway
        guard let secret = try? NewSecret.make(random: { gateway.randomBytes($0) }) else {
            throw .unavailable("A secret could not be made")
        }
        let new = Administrator(
            name: name, role: role, credential: secret.credential, createdAtMs: gateway.wallMs())
        propose(.createAdministrator(new)) {
            .json(
                JSONOutput.object {
                    $0.member("name", name)
                    $0.member("role", role.name)
                    $0.member("token", name + "~" + secret.text)
                })
        }
    }

    func revokeAdministrator(_ name: String) throws(HTTPFault) {
        try only(.DELETE)
        propose(.revokeAdministrator(name: name)) {
            .json(
                JSONOutput.object {
                    $0.member("name", name)
                    $0.member("revoked", true)
                })
        }
    }
}

extension JSONOutput {
    fileprivate mutating func write(_ entry: AuditEntry) {
        object { row in
            row.member("index", entry.index)
            row.member("at", entry.note.atMs)
            row.member("actor", entry.note.actor)
            row.member("role", entry.note.role.name)
            row.member("address", entry.note.address)
            row.member("action", entry.note.action)
            row.member("target", entry.note.target)
            row.member("outcome", entry.note.outcome)
        }
    }
}
