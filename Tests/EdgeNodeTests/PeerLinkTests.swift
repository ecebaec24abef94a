import Binary
import Cluster
import NIOCore
import NIOPosix
import Raft
import Testing

@testable import EdgeNode

/// Whom a link speaks to.
@Suite struct PeerLinkTests {
    /// Answers every hello as node 2, and counts.
    private final class Receptionist: PeerReceiverOwner {
        var greetings = 0
        var received = 0

        func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
            greetings += 1
            return PeerHelloAnswer(verdict: .welcome, clusterID: 7, nodeID: NodeID(rawValue: 2))
        }
        func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {}
        func closed(_ hello: PeerHello, _ channel: any Channel) {}
        func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {
            received += messages.count
        }
        func rejected(_ rejection: LinkRejection) {}
    }

    private struct Outcome: Sendable {
        var ups = 0
        var greetings = 0
        var received = 0
    }

    /// Everything on one loop; until the third hello, or until a message has arrived.
    private func dial(expecting expected: NodeID?) async throws -> Outcome {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let receptionist = NIOLoopBoundBox.makeBoxSendingValue(Receptionist(), eventLoop: loop)
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PeerReceiver(owner: receptionist.value, own: nil))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = server.localAddress?.port ?? 0
        let done = loop.makePromise(of: Outcome.self)
        loop.execute {
            let ups = NIOLoopBoundBox(0, eventLoop: loop)
            let link = PeerLink(
                address: "127.0.0.1:\(port)", to: expected, loop: loop,
                terms: PeerLink.Terms(
                    hello: { PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9) },
                    check: { _, _ in .welcome }),
                onEvent: { _, event in if case .up = event { ups.value += 1 } })
            link.open()
            let bound = NIOLoopBound(link, eventLoop: loop)
            loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(1)) { task in
                let link = bound.value
                link.send([.obituary(Obituary(node: NodeID(rawValue: 1), nonce: 1))])
                let seen = receptionist.value
                guard seen.greetings >= 3 || seen.received > 0 else { return }
                task.cancel()
                link.close()
                done.succeed(Outcome(ups: ups.value, greetings: seen.greetings, received: seen.received))
            }
        }
        let outcome = try await done.futureResult.get()
        try await server.close()
        return outcome
    }

    @Test(arguments: [nil, NodeID(rawValue: 2)]) func aLinkSpeaksToWhomItIsMeantFor(_ expected: NodeID?) async throws {
        let outcome = try await dial(expecting: expected)
        #expect(outcome.ups == 1 && outcome.greetings == 1 && outcome.received > 0)
    }

    /// A lost disk came back under its old address: what is meant for the former identity does not reach the new.
    @Test func aLinkDoesNotSpeakToAnotherIdentityAtTheSameAddress() async throws {
        let outcome = try await dial(expecting: NodeID(rawValue: 3))
        #expect(outcome.ups == 0 && outcome.received == 0 && outcome.greetings == 3)
    }
}
