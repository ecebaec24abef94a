import Binary
import Cluster
import NIOCore
import NIOEmbedded
import Raft
import Testing

@testable import EdgeNode

/// What a peer's link takes, and what closes it.
@Suite struct PeerFrameTests {
    private final class Owner: PeerReceiverOwner {
        var verdict = PeerHelloAnswer.Verdict.welcome
        var received: [PeerMessage] = []
        var rejections = 0

        func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
            PeerHelloAnswer(verdict: verdict, clusterID: 7, nodeID: NodeID(rawValue: 2))
        }
        func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {}
        func closed(_ hello: PeerHello, _ channel: any Channel) {}
        func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {
            received += messages
        }
        func rejected(_ rejection: LinkRejection) { rejections += 1 }
    }

    private let hello = PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9)

    private func frame(_ node: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeFrame(.obituary(Obituary(node: NodeID(rawValue: node), nonce: node)))
        return writer.bytes
    }

    private func feed(_ bytes: [UInt8], inPiecesOf size: Int, verdict: PeerHelloAnswer.Verdict = .welcome) throws
        -> (owner: Owner, isOpen: Bool)
    {
        let owner = Owner()
        owner.verdict = verdict
        let channel = EmbeddedChannel(handler: PeerReceiver(owner: owner, own: nil))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        var rest = bytes[...]
        while !rest.isEmpty, channel.isActive {
            try channel.writeInbound(ByteBuffer(bytes: rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return (owner, channel.isActive)
    }

    @Test(arguments: [1, 3, 7, 1_000]) func framesArriveWholeAndInOrderHoweverTheyAreCut(_ size: Int) throws {
        let (owner, isOpen) = try feed(hello.encode() + frame(1) + frame(2) + frame(3), inPiecesOf: size)
        let nodes = owner.received.map { message -> UInt64 in
            guard case .obituary(let obituary) = message else { return 0 }
            return obituary.node.rawValue
        }
        #expect(nodes == [1, 2, 3])
        #expect(isOpen && owner.rejections == 0)
    }

    @Test func garbageClosesTheLinkAndIsCounted() throws {
        let (owner, isOpen) = try feed(Array("GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n".utf8), inPiecesOf: 64)
        #expect(!isOpen && owner.rejections == 1 && owner.received.isEmpty)
    }

    @Test func anotherVersionClosesTheLink() throws {
        var bytes = hello.encode()
        bytes[4] &+= 1
        let (owner, isOpen) = try feed(bytes + frame(1), inPiecesOf: 64)
        #expect(!isOpen && owner.rejections == 1 && owner.received.isEmpty)
    }

    @Test(arguments: [PeerHelloAnswer.Verdict.otherCluster, .olderProcess])
    func aRefusedHelloHearsNothingMore(_ verdict: PeerHelloAnswer.Verdict) throws {
        let (owner, isOpen) = try feed(hello.encode() + frame(1), inPiecesOf: 200, verdict: verdict)
        #expect(!isOpen && owner.rejections == 1 && owner.received.isEmpty)
    }

    @Test func aFrameOverTheBoundIsRefusedByItsLength() throws {
        let (owner, isOpen) = try feed(hello.encode() + [0xFF, 0xFF, 0xFF, 0x7F], inPiecesOf: 64)
        #expect(!isOpen && owner.rejections == 1)
    }

    @Test func aFrameThatDoesNotDecodeClosesTheLink() throws {
        let (owner, isOpen) = try feed(hello.encode() + [1, 0, 0, 0, 0xEE], inPiecesOf: 64)
        #expect(!isOpen && owner.rejections == 1)
    }
}
