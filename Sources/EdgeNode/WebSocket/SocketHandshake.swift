import NIOCore
import ObjectRuntime
import TLS

/// The object whose socket is asked for.
struct SocketRoute: Equatable {
    var project: String
    var objectClass: String
    var objectID: String
}

/// A request to upgrade that is granted. With no caller, credentials must come in the first frame.
final class SocketAdmission {
    let route: SocketRoute
    let caller: Caller?
    /// Needed once more when credentials come late.
    let origin: String?
    let idSignature: String?
    let idSignatureKeyVersion: String?
    let acceptKey: String
    let namesProtocol: Bool
    let announcesResume: Bool

    init(
        route: SocketRoute, caller: Caller?, origin: String?, idSignature: String?,
        idSignatureKeyVersion: String?, acceptKey: String, namesProtocol: Bool, announcesResume: Bool
    ) {
        self.route = route
        self.caller = caller
        self.origin = origin
        self.idSignature = idSignature
        self.idSignatureKeyVersion = idSignatureKeyVersion
        self.acceptKey = acceptKey
        self.namesProtocol = namesProtocol
        self.announcesResume = announcesResume
    }

    var head: ByteBuffer {
        var head = ByteBufferAllocator().buffer(capacity: 192)
        head.writeStaticString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        head.writeString("Sec-WebSocket-Accept: \(acceptKey)\r\n")
        if namesProtocol { head.writeString("Sec-WebSocket-Protocol: \(SubprotocolOffer.name)\r\n") }
        head.writeStaticString("\r\n")
        return head
    }
}

extension HTTPEdge {
    /// Whether a request may become a socket (RFC 6455 section 4.2.1), and whose.
    func admitSocket(
        _ route: SocketRoute, target: RequestTarget, request: HTTPRequest
    ) throws(HTTPFault) -> SocketAdmission {
        let headers = request.headers
        guard headers.upgradesToSocket, headers.connectionUpgrades, headers.socketVersion == "13" else {
            throw .upgradeRequired
        }
        guard let key = headers.socketKey, let acceptKey = acceptKey(for: key), !request.hasBody,
            (headers.contentLength ?? 0) == 0
        else {
            throw .validation("websocket", "This is not a WebSocket handshake.")
        }
        guard gateway.view.state != nil, gateway.view.process != nil else { throw .notFormed }
        guard !isDraining else { throw .unavailable("This node stops") }
        guard !sockets.isBeingEmptied else {
            throw .unavailable("This node is being drained; connect to another one", retryAfterMs: 1_000)
        }
        try checkLengths(route)
        let offer = SubprotocolOffer(headers.socketProtocols)
        let authorization =
            target.formParameter("auth") ?? headers.authorization ?? offer.token.map { "Bearer " + $0 }
        let signature = target.formParameter("idSignature") ?? headers.idSignature
        let version = target.formParameter("idSignatureKeyVersion") ?? headers.idSignatureKeyVersion
        var caller: Caller?
        if let authorization {
            let proven = try authenticator.caller(
                authorization: authorization, origin: headers.origin, project: route.project,
                view: gateway.view, nowMs: gateway.wallMs())
            try checkSocketGrant(proven, route)
            try checkSocketIDSignature(route, signature: signature, keyVersion: version)
            try checkSocketQuota(route.project)
            caller = proven
        }
        return SocketAdmission(
            route: route, caller: caller, origin: headers.origin, idSignature: signature,
            idSignatureKeyVersion: version, acceptKey: acceptKey, namesProtocol: offer.namesOurs,
            announcesResume: target.formParameter("resume") == "true")
    }

    func checkSocketGrant(_ caller: Caller, _ route: SocketRoute) throws(HTTPFault) {
        try caller.grant.checkObject(objectClass: route.objectClass, id: route.objectID)
        try caller.grant.checkListening()
    }

    /// Once for each socket, when its caller is known.
    func checkSocketQuota(_ project: String) throws(HTTPFault) {
        guard let refusal = gateway.refusesSocket(of: project) else { return }
        throw HTTPFault(refusal, applied: .no)
    }

    private func checkLengths(_ route: SocketRoute) throws(HTTPFault) {
        let limits = Limits()
        guard route.objectClass.utf8.count <= limits.classBytes else {
            throw .validation("class.tooLong", "The class has more than \(limits.classBytes) bytes.")
        }
        guard route.objectID.utf8.count <= limits.objectIDBytes else {
            throw .validation("id.tooLong", "The object id has more than \(limits.objectIDBytes) bytes.")
        }
    }
}

/// `nil` if `key` is not 16 bytes in base64.
private func acceptKey(for key: String) -> String? {
    guard key.utf8.count == 24, Base64.decode(key.utf8)?.count == 16 else { return nil }
    let magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return (try? SHA1.hash(Array((key + magic).utf8))).map(Base64.encodePadded)
}

/// `Sec-WebSocket-Protocol: holdfast, bearer.<token>`: where browsers can put a token that is not to
/// stand in a URL.
struct SubprotocolOffer {
    static let name = "holdfast"
    private static let tokenPrefix = "bearer."

    private(set) var namesOurs = false
    private(set) var token: String?

    init(_ header: String?) {
        for name in (header ?? "").split(separator: ",") {
            let name = name.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            if name == SubprotocolOffer.name { namesOurs = true }
            if name.hasPrefix(SubprotocolOffer.tokenPrefix) {
                token = String(name.dropFirst(SubprotocolOffer.tokenPrefix.count))
            }
        }
        // Without a name that we may answer, the client would drop the connection.
        if !namesOurs { token = nil }
    }
}

extension HTTPFault {
    fileprivate static let upgradeRequired = HTTPFault(
        status: 426, name: "UpgradeRequiredError", code: "validationError.upgrade",
        message: "This path is for WebSockets, version 13.")
}
