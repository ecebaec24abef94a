import Cluster
import NIOCore
import NIOHTTP1
import ObjectRuntime

// From a complete request to its answer: which route, who may, what is asked.

extension HTTPEdge {
    /// Answers `request`, now or later, exactly once. Query strings may carry credentials: nothing
    /// here writes a target anywhere.
    func serve(
        _ request: HTTPRequest, port: Port, transport: Transport, answer: @escaping (HTTPResponse) -> Void
    ) {
        if transport == .plain, let instead = plaintextAnswer(request, port: port) { return answer(instead) }
        let crossing = origins.crossing(uri: request.uri, origin: request.headers.origin)
        let answer = crossing == .everybody ? answer : { answer($0.crossing(crossing)) }
        do throws(HTTPFault) {
            guard crossing != .refused else {
                guard gateway.view.process != nil else { throw .notFormed }
                throw .forbidden("origin.project", "This project is closed to this origin.")
            }
            try dispatch(request, port: port, answer: answer)
        } catch {
            answer(paced(error))
        }
    }

    private func dispatch(
        _ request: HTTPRequest, port: Port, answer: @escaping (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        if request.method == .OPTIONS {
            answer(HTTPResponse(status: 204, isPreflight: true))
            return
        }
        guard !request.headers.isBodyEncoded else { throw .encodedBody }
        guard let target = RequestTarget(request.uri) else {
            throw .validation("path", "The path is not one of an HTTP request, or not UTF-8.")
        }
        let route = try Route(method: request.method, segments: target.segments)
        switch (route, port) {
        case (.health(let page), _):
            serveHealth(page, target: target, answer: answer)
        case (.token(let project), .client):
            try serveToken(project: project, target: target, request: request, answer: answer)
        case (.capability(let project), .client):
            try serveCapability(project: project, request: request, answer: answer)
        case (.rotation(let project), .client):
            try serveRotation(project: project, request: request, answer: answer)
        case (.object(let route), .client):
            try serveObject(route, target: target, request: request, answer: answer)
        case (.socket(let route), .client):
            let admission = try admitSocket(route, target: target, request: request)
            answer(HTTPResponse(status: 101, socket: admission))
        case (.admin(let path), _):
            guard port == .admin || settings.servesAdminOnClientPort else { throw .unknownRoute }
            try serveAdmin(path, target: target, request: request, answer: answer)
        case (.demo(let file), .client):
            answer(try demoAnswer(file))
        default:
            throw .unknownRoute
        }
    }

    private func serveToken(
        project: String, target: RequestTarget, request: HTTPRequest, answer: (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        let token = try authenticator.makeToken(
            authorization: request.headers.authorization, origin: request.headers.origin, project: project,
            wanted: try WantedRights(target), view: gateway.view, nowMs: gateway.wallMs())
        statistics.record(.token, ns: nanoseconds(since: request))
        answer(.text(token))
    }

    private func serveObject(
        _ route: ObjectRoute, target: RequestTarget, request: HTTPRequest,
        answer: @escaping (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        let caller = try authenticator.caller(
            authorization: request.headers.authorization, origin: request.headers.origin,
            project: route.project, view: gateway.view, nowMs: gateway.wallMs())
        let payers = Payers(caller, objectClass: route.objectClass, objectID: route.objectID)
        try checkRates(payers, bytes: request.body?.readableBytes ?? 0)
        try caller.grant.checkObject(objectClass: route.objectClass, id: route.objectID)
        try caller.grant.require(route.call.scope)
        try checkIDSignature(
            project: route.project, objectClass: route.objectClass, objectID: route.objectID,
            signature: request.headers.idSignature, keyVersion: request.headers.idSignatureKeyVersion)
        let call = try objectRequest(route, target: target, request: request, caller: caller)
        if case .message(let payload, _) = call.operation {
            try checkUser(
                payload, identityToken: request.headers.identityToken,
                userIDSignature: request.headers.userIDSignature, project: route.project,
                objectClass: route.objectClass)
        }
        let name = CallName(call.operation)
        gateway.submit(call) { result in
            self.statistics.record(name, ns: self.nanoseconds(since: request))
            let response = self.response(result)
            self.charge(payers, bytes: response.body.count)
            answer(response)
        }
    }

    /// Who is refused for overload, or for a rate, comes back in its turn.
    private func response(_ answer: ClientAnswer) -> HTTPResponse {
        guard case .refused(let refusal) = answer.reply else { return HTTPResponse(answer) }
        let isOverload = refusal == .overloaded
        guard isOverload || (refusal.status == 429 && answer.retryAfterMs != nil) else { return HTTPResponse(answer) }
        let pauseMs = pacing.pause()
        var paced = answer
        paced.retryAfterMs = isOverload ? pauseMs : max(answer.retryAfterMs ?? 0, pauseMs)
        var response = HTTPResponse(paced)
        response.pauseMs = pauseMs
        return response
    }

    private func nanoseconds(since request: HTTPRequest) -> UInt64 {
        UInt64(max(0, (now - request.arrived).nanoseconds))
    }
}
