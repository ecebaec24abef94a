import Cluster
import NIOHTTP1
import Placement
import TLS

// The admin API: who may, and what a path below /admin/v1 means.

extension HTTPEdge {
    func serveAdmin(
        _ path: [String], target: RequestTarget, request: HTTPRequest,
        answer: @escaping (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        try checkAdmin(request)
        let call = AdminCall(edge: self, request: request, target: target, answer: answer)
        switch (path.first, path.count) {
        case ("status", 1):
            try call.only(.GET)
            try call.status()
        case ("shards", 1):
            try call.only(.GET)
            try call.shards()
        case ("explain", 1):
            try call.only(.GET)
            try call.explain()
        case ("projects", 1): try call.projects()
        case ("projects", 3) where path[2] == "keys": try call.keys(project: path[1])
        case ("projects", 4) where path[2] == "keys":
            try call.only(.DELETE)
            call.revokeKey(project: path[1], keyID: path[3])
        case ("projects", 3) where path[2] == "classes":
            try call.only(.GET)
            try call.classes(project: path[1])
        case ("projects", 4) where path[2] == "classes": try call.classPage(project: path[1], name: path[3])
        case ("projects", 3) where path[2] == "quota": try call.quota(project: path[1])
        case ("limits", 1): try call.objectLimits()
        case ("scrub", 1): try call.scrub()
        case ("signing-keys", 1): try call.signingKeys()
        default:
            throw .unknownRoute
        }
    }

    /// The token of the settings, or the admin secret that the cluster keeps.
    private func checkAdmin(_ request: HTTPRequest) throws(HTTPFault) {
        guard let header = request.headers.authorization, header.hasScheme("bearer") else {
            throw .unauthenticated("admin.missing", "The admin API wants a bearer token.")
        }
        let token = Array(header.utf8.dropFirst("bearer ".utf8.count))
        if let wanted = settings.adminToken, equalInConstantTime(token, Array(wanted.utf8)) { return }
        if let credential = gateway.view.state?.tenants.admin, isSecret(token, of: credential) { return }
        throw .unauthenticated("admin.invalid", "The admin token is wrong.")
    }
}

/// One call of the admin API with what it needs at hand.
struct AdminCall {
    let edge: HTTPEdge
    let request: HTTPRequest
    let target: RequestTarget
    let answer: (HTTPResponse) -> Void

    func only(_ method: HTTPMethod) throws(HTTPFault) {
        guard request.method == method else { throw .wrongMethod(allow: "\(method.rawValue), OPTIONS") }
    }

    func state() throws(HTTPFault) -> PlacementState {
        guard let state = edge.gateway.view.state else { throw .notFormed }
        return state
    }

    /// The body as an object whose members are all among `known`; an empty body is an empty object.
    func body(knowing known: [String]) throws(HTTPFault) -> JSONInput {
        guard request.hasBody else { return .object([]) }
        guard let body = JSONInput(request.bodyBytes), case .object(let members) = body else {
            throw .validation("body", "The body must be a JSON object.")
        }
        if let stranger = members.first(where: { !known.contains($0.name) }) {
            throw .validation("body.member", "The body has an unknown member \"\(stranger.name)\".")
        }
        return body
    }

    /// Puts `command` through; calls `done` if it took effect, else answers why not.
    func propose(_ command: Command, done: @escaping () -> HTTPResponse) {
        edge.gateway.propose(command) { result in
            switch result {
            case .success(.refused(let refusal)): self.answer(HTTPFault(refusal).response)
            case .success: self.answer(done())
            case .failure(.noLeader):
                self.answer(HTTPFault.unavailable("There is no placement leader").response)
            case .failure(.unknownOutcome): self.answer(HTTPFault.unknownOutcome.response)
            }
        }
    }
}

extension HTTPFault {
    fileprivate init(_ refusal: CommandRefusal) {
        switch refusal {
        case .unknownProject, .unknownKey:
            self.init(
                status: 404, name: "NotFoundError", code: "notFoundError.\(refusal)",
                message: refusal == .unknownProject ? "There is no such project." : "There is no such key.")
        case .conflict:
            self.init(
                status: 409, name: "ConflictError", code: "conflictError.name",
                message: "Something else exists under the same name.")
        case .limitReached:
            self.init(
                status: 409, name: "ConflictError", code: "conflictError.limit",
                message: "The cluster keeps no more of these.")
        default:
            self = .validation("value", "The placement group refused it: \(refusal.text).")
        }
    }
}
