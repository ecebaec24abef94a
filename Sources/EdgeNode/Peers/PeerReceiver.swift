import Binary
import Cluster
import NIOCore
import Raft

/// The receiving end of a peer's link: checks the hello, decodes frames, hands them on in order.
///
/// A frame that does not decode, or a hello of another cluster or version, closes the link and is
/// counted; the node lives on.
final class PeerReceiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let owner: PeerReceiverOwner
    private var reader = FrameReader()
    private var hello: PeerHello?

    init(owner: PeerReceiverOwner) {
        self.owner = owner
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reader.append(unwrapInboundIn(data))
        do {
            if hello == nil { try greet(context) }
            guard let hello, let (bytes, frames) = try reader.takeFrames() else { return }
            var messages: [PeerMessage] = []
            messages.reserveCapacity(frames.count)
            for frame in frames {
                var reader = ByteReader(bytes, range: frame)
                messages.append(try PeerMessage(from: &reader))
            }
            owner.received(messages, from: hello, on: context.channel)
        } catch {
            owner.rejected(error, from: hello)
            context.close(promise: nil)
        }
    }

    private func greet(_ context: ChannelHandlerContext) throws(DecodingFailure) {
        guard let bytes = reader.take(PeerHello.byteCount) else { return }
        let hello = try PeerHello(from: bytes)
        let answer = owner.greet(hello)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: answer.encode())), promise: nil)
        guard answer.verdict == .welcome else {
            throw DecodingFailure("the link of node \(hello.nodeID) is refused: \(answer.verdict)")
        }
        self.hello = hello
        owner.opened(hello, context.channel)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let hello { owner.closed(hello, context.channel) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// What a receiver needs of its loop.
protocol PeerReceiverOwner: AnyObject {
    func greet(_ hello: PeerHello) -> PeerHelloAnswer
    func opened(_ hello: PeerHello, _ channel: Channel)
    func closed(_ hello: PeerHello, _ channel: Channel)
    func received(_ messages: [PeerMessage], from hello: PeerHello, on channel: Channel)
    func rejected(_ failure: DecodingFailure, from hello: PeerHello?)
}
