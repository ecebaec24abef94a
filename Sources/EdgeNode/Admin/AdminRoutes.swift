import Cluster
import NIOHTTP1
import Placement

// The admin API: what a path below /admin/v1 means.

extension HTTPEdge {
    func serveAdmin(
        _ path: [String], target: RequestTarget, request: HTTPRequest,
        answer: @escaping (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        let actor = try adminActor(request)
        let call = AdminCall(edge: self, request: request, target: target, actor: actor, answer: answer)
        let needed = HTTPEdge.neededRole(path, request.method)
        guard actor.role.rawValue >= needed.rawValue || OpenDoor.isOpen(.anyRole) else {
            call.noteRefusal(needed)
            throw .forbidden(
                "role.\(needed.name)", "This needs the role \(needed.name); \(actor.name) is \(actor.role.name).")
        }
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
        case ("move", 1):
            try call.only(.POST)
            try call.move()
        case ("drain", 1), ("undrain", 1):
            try call.only(.POST)
            try call.drain(path[0] == "drain" ? .draining : .active)
        case ("members", 1): try call.members()
        case ("members", 2):
            try call.only(.DELETE)
            try call.removeMember(path[1])
        case ("scrub", 1): try call.scrub()
        case ("settings", 1): try call.settings()
        case ("audit", 1): try call.auditPage()
        case ("admins", 1): try call.administrators()
        case ("admins", 2): try call.revokeAdministrator(path[1])
        case ("backup", _): try call.backup(path)
        case ("restore", 2): try call.restore(path[1])
        default: try call.tenantPage(path)
        }
    }
}

extension AdminCall {
    /// Projects and what belongs to them.
    fileprivate func tenantPage(_ path: [String]) throws(HTTPFault) {
        switch (path.first, path.count) {
        case ("projects", 1): try projects()
        case ("projects", 3) where path[2] == "keys": try keys(project: path[1])
        case ("projects", 4) where path[2] == "keys":
            try only(.DELETE)
            revokeKey(project: path[1], keyID: path[3])
        case ("projects", 5) where path[2] == "keys":
            try keyPage(project: path[1], keyID: path[3], word: path[4])
        case ("projects", 3) where path[2] == "origins": try origins(project: path[1])
        case ("projects", 3) where path[2] == "classes":
            try only(.GET)
            try classes(project: path[1])
        case ("projects", 4) where path[2] == "classes": try classPage(project: path[1], name: path[3])
        case ("projects", 3) where path[2] == "quota": try quota(project: path[1])
        case ("limits", 1): try objectLimits()
        case ("signing-keys", 1): try signingKeys()
        case ("secrets", 1):
            try only(.GET)
            try secrets()
        case ("secrets", 2) where path[1] == "reseal":
            try only(.POST)
            try resealSecrets()
        default:
            throw .unknownRoute
        }
    }
}

/// One call of the admin API with what it needs at hand.
struct AdminCall {
    let edge: HTTPEdge
    let request: HTTPRequest
    let target: RequestTarget
    let actor: AdminActor
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

    /// Puts `command` through and answers `done` if it took effect, else why not.
    func propose(_ command: Command, done: @escaping () -> HTTPResponse) {
        propose(command) { self.answer(done()) }
    }

    /// Puts `command` through; calls `then` if it took effect, else answers why not.
    func propose(_ command: Command, then: @escaping () -> Void) { propose(bare: audited(command), then: then) }

    func propose(bare command: Command, then: @escaping () -> Void) {
        edge.gateway.propose(command) { result in
            switch result {
            case .success(.refused(let refusal)): self.answer(HTTPFault(refusal).response)
            case .success: then()
            case .failure(.noLeader):
                self.answer(HTTPFault.unavailable("There is no placement leader").response)
            case .failure(.unknownOutcome): self.answer(HTTPFault.unknownOutcome.response)
            }
        }
    }
}

extension HTTPFault {
    static func conflict(_ fault: String, _ message: String) -> HTTPFault {
        HTTPFault(status: 409, name: "ConflictError", code: "conflictError.\(fault)", message: message)
    }

    fileprivate init(_ refusal: CommandRefusal) {
        switch refusal {
        case .unknownAdministrator:
            self.init(
                status: 404, name: "NotFoundError", code: "notFoundError.admin",
                message: "There is no such administrator.")
        case .unknownProject, .unknownKey:
            self.init(
                status: 404, name: "NotFoundError", code: "notFoundError.\(refusal)",
                message: refusal == .unknownProject ? "There is no such project." : "There is no such key.")
        case .conflict: self = .conflict("name", "Something else exists under the same name.")
        case .limitReached: self = .conflict("limit", "The cluster keeps no more of these.")
        case .nodeInUse:
            self = .conflict(
                "node.inUse",
                "The node still keeps replicas or owns shards. Drain it, and wait until it has none.")
        case .nodeIsLive:
            self = .conflict("node.isLive", "The node is running and not being drained. Drain it first, or stop it.")
        case .voteNeeded:
            self = .conflict(
                "node.voteNeeded",
                "The placement group needs the node's vote: too few of the others are live. Nothing was changed; try again "
                    + "when they are back, or have been replaced.")
        default:
            self = .validation("value", "The placement group refused it: \(refusal.text).")
        }
    }
}
