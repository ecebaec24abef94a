import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Asks for the upgrade, and takes the answer if it is a refusal. Removed when the upgrade is granted.
/// Used on the channel's event loop only, which makes it `Sendable`.
final class SocketHandshake: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private static let bodyBytesMax = 4_096

    private let socket: SocketClient
    private var status: Int?
    private var body = ByteBuffer()

    init(_ socket: SocketClient) {
        self.socket = socket
    }

    func channelActive(context: ChannelHandlerContext) {
        socket.connected(context.channel)
        context.write(wrapOutboundOut(.head(socket.requestHead)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(var piece):
            if body.readableBytes + piece.readableBytes <= Self.bodyBytesMax { body.writeBuffer(&piece) }
        case .end: finish()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        socket.end(plainText(of: error))
    }

    private func finish() {
        guard let status else { return socket.end("connection closed") }
        let json = try? JSON(parsing: Array(body.readableBytesView))
        socket.refused(status, json?["message"]?.text ?? "no upgrade")
    }
}

/// Frames of an open socket, put together where they were sent in fragments.
final class SocketFrames: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    private static let protocolError: UInt16 = 1_002
    private static let unsupported: UInt16 = 1_003
    private static let tooLong: UInt16 = 1_009

    private let socket: SocketClient
    private var fragments: ByteBuffer?

    init(_ socket: SocketClient) {
        self.socket = socket
    }

    func handlerAdded(context: ChannelHandlerContext) {
        socket.upgraded(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        // No extension was asked for, and servers do not mask.
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3, frame.maskKey == nil else {
            return socket.fail(Self.protocolError, "reserved bits or a mask")
        }
        switch frame.opcode {
        case .text where fragments == nil && frame.fin: socket.received(frame.unmaskedData)
        case .text where fragments == nil: fragments = frame.unmaskedData
        case .continuation: append(frame)
        case .ping: socket.answerPing(frame.unmaskedData)
        case .pong: socket.heard()
        case .connectionClose: close(frame.unmaskedData)
        case .binary: socket.fail(Self.unsupported, "a binary frame")
        default: socket.fail(Self.protocolError, "a frame out of place")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        socket.end("connection closed")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        socket.end(plainText(of: error))
    }

    private func append(_ frame: WebSocketFrame) {
        guard var text = fragments else { return socket.fail(Self.protocolError, "a frame out of place") }
        guard text.readableBytes + frame.length <= SocketClient.textBytesMax else {
            return socket.fail(Self.tooLong, "a text of more than \(SocketClient.textBytesMax) bytes")
        }
        fragments = nil
        text.writeImmutableBuffer(frame.unmaskedData)
        if frame.fin { socket.received(text) } else { fragments = text }
    }

    private func close(_ data: ByteBuffer) {
        var data = data
        let code = data.readInteger(as: UInt16.self)
        socket.peerClosed(code: code, reason: String(buffer: data))
    }
}
