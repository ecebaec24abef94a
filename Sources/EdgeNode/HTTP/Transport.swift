import NIOCore
import NIOHTTP1
import TLS

/// How a client's bytes travel.
enum Transport {
    case plain
    case encrypted
}

extension HTTPSettings {
    /// What becomes of requests in the clear on a port that speaks TLS.
    public enum Plaintext: String, Sendable, CaseIterable {
        /// Served like any other; for clients on the same machine.
        case serve
        /// What only reads and brings no secret is sent to the encrypted address; the rest is refused.
        case redirect
        case refuse
    }

    func plaintext(on port: HTTPEdge.Port) -> Plaintext {
        switch port {
        case .client: plaintext
        case .admin: adminPlaintext
        }
    }
}

extension HTTPEdge {
    /// What a request in the clear gets instead of service, if anything.
    func plaintextAnswer(_ request: HTTPRequest, port: Port) -> HTTPResponse? {
        guard settings.speaksTLS else { return nil }
        switch settings.plaintext(on: port) {
        case .serve: return nil
        case .refuse: return HTTPFault.tlsRequired.response
        case .redirect:
            guard request.method == .GET || request.method == .HEAD, request.headers.authorization == nil,
                !request.headers.asksForUpgrade, let host = request.headers.host, isPlainAuthority(host)
            else { return HTTPFault.tlsRequired.response }
            var response = HTTPResponse.empty(308)
            response.location = "https://\(host)\(request.uri)"
            return response
        }
    }

    /// A host and perhaps a port: nothing that could end a header or begin another address.
    private func isPlainAuthority(_ host: String) -> Bool {
        (1...255).contains(host.utf8.count)
            && host.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || ".-:[]".contains($0)) }
    }
}

extension HTTPFault {
    /// The credentials that came with the request, if any, went over the wire for all to see.
    fileprivate static let tlsRequired = HTTPFault(
        status: 403, name: "AuthorizationError", code: "authorizationError.tlsRequired",
        message: "This port speaks TLS only: use https or wss. If credentials were sent, replace them.")
}

/// Stands first on a port that speaks TLS and plain HTTP, and tells by the first byte which it is: a TLS connection
/// begins with a handshake record (22; RFC 8446, section 5.1), and no HTTP method does.
final class TransportDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let handshakeRecord: UInt8 = 22

    private let makeTLS: () -> TLSHandler
    private let found: (Transport) -> Void

    init(makeTLS: @escaping () -> TLSHandler, found: @escaping (Transport) -> Void) {
        self.makeTLS = makeTLS
        self.found = found
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let first = unwrapInboundIn(data).readableBytesView.first else { return }
        do {
            if first == Self.handshakeRecord {
                found(.encrypted)
                try context.pipeline.syncOperations.addHandler(makeTLS(), position: .after(self))
            } else {
                found(.plain)
            }
        } catch {
            context.close(promise: nil)
            return
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
