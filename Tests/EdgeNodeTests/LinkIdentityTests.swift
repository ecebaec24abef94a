import Cluster
import Glibc
import NIOCore
import NIOPosix
import Raft
import TLS
import Testing

@testable import EdgeNode

/// Which links of others a node takes, over sockets: whose certificate of which authority, and nothing in the clear.
@Suite struct LinkIdentityTests {
    /// Knows node 1 as `n1`; what it has been told.
    private final class Receptionist: PeerReceiverOwner {
        var rejections: [LinkRejection] = []
        var welcomes = 0
        let done: (Receptionist) -> Void

        init(done: @escaping (Receptionist) -> Void) { self.done = done }

        func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
            var verdict = PeerHelloAnswer.Verdict.welcome
            if case .certified(let own, let peer, _) = proof {
                if peer.cluster != own.cluster { verdict = .otherCluster } else if peer.node != "n1" { verdict = .otherNode }
            }
            return PeerHelloAnswer(verdict: verdict, clusterID: 7, nodeID: NodeID(rawValue: 2))
        }
        func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {
            welcomes += 1
            done(self)
        }
        func closed(_ hello: PeerHello, _ channel: any Channel) {}
        func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {}
        func rejected(_ rejection: LinkRejection) {
            rejections.append(rejection)
            done(self)
        }
    }

    private struct Outcome: Sendable {
        var welcomes: Int
        var causes: [String]
        var peer: String
    }

    /// Who dials, and with what.
    enum Visitor: String, CaseIterable {
        case member, otherAuthority, otherCluster, otherNode, over, nameless, unproven, plaintext

        var cause: LinkRejection.Cause? {
            switch self {
            case .member: nil
            case .otherAuthority, .over: .certificate
            case .otherCluster: .otherCluster
            case .otherNode: .otherNode
            case .nameless: .noIdentity
            case .unproven: .handshake
            case .plaintext: .plaintext
            }
        }
    }

    @Test(arguments: Visitor.allCases) func onlyTheRightCertificateOpensALink(_ visitor: Visitor) async throws {
        let outcome = try await visit(visitor)
        guard let cause = visitor.cause else {
            #expect(outcome.welcomes == 1 && outcome.causes.isEmpty)
            return
        }
        #expect(outcome.welcomes == 0)
        #expect(outcome.causes == [cause.rawValue])
        #expect(outcome.peer.contains("127.0.0.1"))
    }

    private func visit(_ visitor: Visitor) async throws -> Outcome {
        let now = Int64(SystemClocks.wallMs())
        let authority = try CertificateAuthority.make(commonName: "a", lifetime: 86_400_000 * 400, now: now - 86_400_000)
        let host = try issue(authority, "c", "n2", now)
        var server = TLSSettings(role: .server)
        server.certificates = .init(pem: host.certificate.pem, file: "n2")
        server.privateKey = .init(pem: try host.key.pem(), file: "n2")
        server.roots = .init(pem: authority.certificate.pem, file: "ca")
        server.clientCertificates = .required
        let serverContext = try TLSContext(server)
        let clientContext = try context(of: visitor, authority, now)
        let own = try #require(PeerIdentity(cluster: "c", node: "n2"))

        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: Outcome.self)
        let receptionist = try await loop.submit {
            NIOLoopBound(
                Receptionist { seen in
                    promise.succeed(
                        Outcome(
                            welcomes: seen.welcomes, causes: seen.rejections.map(\.cause.rawValue),
                            peer: seen.rejections.first?.peer ?? ""))
                }, eventLoop: loop)
        }.get()
        let port = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSHandler(context: serverContext))
                    try channel.pipeline.syncOperations.addHandler(PeerReceiver(owner: receptionist.value, own: own))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let hello = PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9).encode()
        let client = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let clientContext else { return }
                    try channel.pipeline.syncOperations.addHandler(
                        TLSHandler(context: clientContext, peerName: .anybodyTrusted))
                }
            }
            .connect(to: try #require(port.localAddress))
            .map { channel in
                // On the loop: whoever says nothing for long is closed, and this test may have to wait for its turn.
                channel.writeAndFlush(ByteBuffer(bytes: hello), promise: nil)
                return channel
            }.get()
        let outcome = try await promise.futureResult.get()
        client.close(promise: nil)
        try await port.close()
        return outcome
    }

    /// Nil: no TLS at all.
    private func context(of visitor: Visitor, _ authority: CertificateAuthority, _ now: Int64) throws -> TLSContext? {
        var settings = TLSSettings.client(roots: authority.certificate.pem)
        let issued: CertificateAuthority.Issued
        switch visitor {
        case .plaintext: return nil
        case .unproven: return try TLSContext(settings)
        case .member: issued = try issue(authority, "c", "n1", now)
        case .otherAuthority:
            let other = try CertificateAuthority.make(commonName: "a", lifetime: 86_400_000, now: now)
            issued = try issue(other, "c", "n1", now)
        case .otherCluster: issued = try issue(authority, "d", "n1", now)
        case .otherNode: issued = try issue(authority, "c", "n3", now)
        case .over: issued = try issue(authority, "c", "n1", now - 7_200_000)
        case .nameless:
            issued = try authority.issue(commonName: "n1", names: [.dns("n1")], lifetime: 3_600_000, now: now)
        }
        settings.certificates = .init(pem: issued.certificate.pem, file: "visitor")
        settings.privateKey = .init(pem: try issued.key.pem(), file: "visitor")
        return try TLSContext(settings)
    }

    private func issue(
        _ authority: CertificateAuthority, _ cluster: String, _ node: String, _ now: Int64
    ) throws -> CertificateAuthority.Issued {
        let identity = try #require(PeerIdentity(cluster: cluster, node: node))
        return try authority.issue(commonName: node, names: [.uri(identity.uri)], lifetime: 3_600_000, now: now)
    }
}
