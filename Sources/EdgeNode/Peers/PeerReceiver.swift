import Binary
import Cluster
import NIOCore
import Raft
import TLS

/// The receiving end of a peer's link: checks certificate and hello, decodes frames, hands them on in order.
///
/// A frame that does not decode, or a hello of another cluster or version, closes the link and is
/// counted; the node lives on.
final class PeerReceiver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let owner: PeerReceiverOwner
    /// Nil where links are in the clear.
    private let own: PeerIdentity?
    /// Nil until the handshake is over.
    private var proof: PeerProof?
    private var certificate: Certificate?
    private var reader = FrameReader()
    private var hello: PeerHello?
    private var isRejected = false
    private var helloDeadline: Scheduled<Void>?

    init(owner: PeerReceiverOwner, own: PeerIdentity?) {
        self.owner = owner
        self.own = own
        proof = own == nil ? .plain : nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = context.loopBound
        let receiver = NIOLoopBound(self, eventLoop: context.eventLoop)
        helloDeadline = context.eventLoop.scheduleTask(in: .seconds(PeerSocket.greetingSecondsMax)) {
            receiver.value.reject(.silent, "it has said nothing", bound.value)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        helloDeadline?.cancel()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let own, let handshake = event as? TLSHandshakeCompleted {
            certificate = handshake.peerCertificate
            proof = PeerProof(own: own, peer: certificate)
            if proof == nil { reject(.noIdentity, "the certificate names no node", context) }
        }
        if let change = event as? AuthoritiesChanged, let certificate, !change.vouch(for: certificate) {
            reject(.formerAuthority, "no authority vouches for its certificate any more", context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let proof, !isRejected else { return }
        reader.append(unwrapInboundIn(data))
        do {
            if hello == nil { try greet(context, proof) }
            guard let hello, let (bytes, frames) = try reader.takeFrames() else { return }
            var messages: [PeerMessage] = []
            messages.reserveCapacity(frames.count)
            for frame in frames {
                var reader = ByteReader(bytes, range: frame)
                messages.append(try PeerMessage(from: &reader))
            }
            owner.received(messages, from: hello, proof, on: context.channel)
        } catch let failure as DecodingFailure {
            reject(.malformed, failure.reason, context)
        } catch let rejection as LinkRejection {
            reject(rejection, context)
        } catch {
            preconditionFailure("decoding fails in known ways only: \(error)")
        }
    }

    private func greet(_ context: ChannelHandlerContext, _ proof: PeerProof) throws {
        guard let bytes = reader.take(PeerHello.byteCount) else { return }
        let hello = try PeerHello(from: bytes)
        let answer = owner.greet(hello, proof)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: answer.encode())), promise: nil)
        if let cause = LinkRejection.Cause(answer.verdict) {
            throw LinkRejection(
                cause: cause, peer: name(hello, context), reason: "it is refused: \(answer.verdict)")
        }
        self.hello = hello
        helloDeadline?.cancel()
        owner.opened(hello, proof, context.channel)
    }

    private func reject(_ cause: LinkRejection.Cause, _ reason: String, _ context: ChannelHandlerContext) {
        reject(LinkRejection(cause: cause, peer: name(hello, context), reason: reason), context)
    }

    private func reject(_ rejection: LinkRejection, _ context: ChannelHandlerContext) {
        guard !isRejected else { return }
        isRejected = true
        owner.rejected(rejection)
        context.close(promise: nil)
    }

    /// What is known of the other end: its certificate's name, the number that it claims, its address.
    private func name(_ hello: PeerHello?, _ context: ChannelHandlerContext) -> String {
        var words: [String] = []
        if case .certified(_, let peer, _)? = proof { words.append("\(peer)") }
        if let hello { words.append("\(hello.nodeID)") }
        if let address = context.remoteAddress { words.append("\(address)") }
        return words.joined(separator: ", ")
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let hello { owner.closed(hello, context.channel) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if own != nil, proof == nil { reject(.init(error), "\(error)", context) }
        context.close(promise: nil)
    }
}

/// What a receiver needs of its loop.
protocol PeerReceiverOwner: AnyObject {
    func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer
    func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: Channel)
    func closed(_ hello: PeerHello, _ channel: Channel)
    func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: Channel)
    func rejected(_ rejection: LinkRejection)
}
