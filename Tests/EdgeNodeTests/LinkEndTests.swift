import Binary
import Cluster
import Glibc
import NIOCore
import NIOPosix
import Placement
import Raft
import TLS
import Testing

@testable import EdgeNode

/// What ends a link that was good when it began, who is let in by the registry, and obituaries inside TLS.
@Suite struct LinkEndTests {
    /// Welcomes everybody, repeats obituaries as applied ones, and tells what happened to links.
    private final class Receptionist: PeerReceiverOwner {
        let heard: EventLoopPromise<Obituary>
        let rejected: EventLoopPromise<String>
        let opened: EventLoopPromise<Void>
        var channel: (any Channel)?

        init(_ loop: any EventLoop) {
            (heard, rejected, opened) = (loop.makePromise(), loop.makePromise(), loop.makePromise())
        }

        func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
            PeerHelloAnswer(verdict: .welcome, clusterID: 7, nodeID: NodeID(rawValue: 2))
        }
        func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {
            self.channel = channel
            opened.succeed(())
        }
        func closed(_ hello: PeerHello, _ channel: any Channel) {}
        func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {
            guard hello.role == .parent, case .obituary(let obituary)? = messages.first else { return }
            var writer = ByteWriter()
            writer.writeFrame(.obituary(obituary))
            channel.writeAndFlush(channel.allocator.buffer(bytes: writer.bytes), promise: nil)
            heard.succeed(obituary)
        }
        func rejected(_ rejection: LinkRejection) { rejected.succeed(rejection.cause.rawValue) }

        /// Promises have to come to an end, wanted or not.
        func finish() {
            struct NotHeard: Error {}
            heard.fail(NotHeard())
            rejected.fail(NotHeard())
            opened.fail(NotHeard())
        }
    }

    private static let now = Int64(SystemClocks.wallMs())

    private static func authority(_ name: String = "a") throws -> CertificateAuthority {
        try CertificateAuthority.make(commonName: name, lifetime: 86_400_000 * 400, now: now - 86_400_000)
    }

    private static func context(
        _ role: TLSSettings.Role, _ node: String, of authority: CertificateAuthority
    ) throws -> TLSContext {
        let identity = try #require(PeerIdentity(cluster: "c", node: node))
        let issued = try authority.issue(commonName: node, names: [.uri(identity.uri)], lifetime: 3_600_000, now: now)
        var settings = TLSSettings(role: role)
        settings.certificates = .init(pem: issued.certificate.pem, file: node)
        settings.privateKey = .init(pem: try issued.key.pem(), file: node)
        settings.roots = .init(pem: authority.certificate.pem, file: "ca")
        settings.clientCertificates = .required
        return try TLSContext(settings)
    }

    /// A node 2 that takes links, for as long as `body` runs.
    private func withReceptionist<Outcome>(
        _ authority: CertificateAuthority,
        _ body: (NIOLoopBound<Receptionist>, any EventLoop, Int) async throws -> Outcome
    ) async throws -> Outcome {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let context = try Self.context(.server, "n2", of: authority)
        let own = try #require(PeerIdentity(cluster: "c", node: "n2"))
        let receptionist = try await loop.submit { NIOLoopBound(Receptionist(loop), eventLoop: loop) }.get()
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSHandler(context: context))
                    try channel.pipeline.syncOperations.addHandler(PeerReceiver(owner: receptionist.value, own: own))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let outcome: Outcome
        do {
            outcome = try await body(receptionist, loop, server.localAddress?.port ?? 0)
        } catch {
            try await loop.submit { receptionist.value.finish() }.get()
            throw error
        }
        try await loop.submit { receptionist.value.finish() }.get()
        try await server.close()
        return outcome
    }

    private func dial(_ port: Int, _ context: TLSContext, _ loop: any EventLoop) async throws -> any Channel {
        let client = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        TLSHandler(context: context, peerName: .anybodyTrusted))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let hello = PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9)
        client.writeAndFlush(ByteBuffer(bytes: hello.encode()), promise: nil)
        return client
    }

    @Test func aLinkOutlivesAnAuthorityThatIsAddedAndEndsWithTheOneThatVouchedForIt() async throws {
        let (former, newer) = (try Self.authority("former"), try Self.authority("newer"))
        let cause = try await withReceptionist(former) { receptionist, loop, port in
            let client = try await dial(port, try Self.context(.client, "n1", of: former), loop)
            try await loop.flatSubmit { receptionist.value.opened.futureResult }.get()
            let isOpen = try await loop.submit {
                let channel = receptionist.value.channel
                for authorities in [[newer.certificate, former.certificate], [former.certificate]] {
                    channel?.pipeline.fireUserInboundEventTriggered(AuthoritiesChanged(authorities: authorities))
                }
                return channel?.isActive == true
            }.get()
            #expect(isOpen)
            try await loop.submit {
                let change = AuthoritiesChanged(authorities: [newer.certificate])
                receptionist.value.channel?.pipeline.fireUserInboundEventTriggered(change)
            }.get()
            // The dialler sees the end, too.
            try await client.closeFuture.get()
            return try await loop.flatSubmit { receptionist.value.rejected.futureResult }.get()
        }
        #expect(cause == "former_authority")
    }

    @Test func anObituaryTravelsInsideTLSAndItsAnswerComesBack() async throws {
        let authority = try Self.authority()
        let heard = try await withReceptionist(authority) { receptionist, loop, port in
            let security = try Self.context(.client, "n1", of: authority)
            let isOver = try await NIOThreadPool.singleton.runIfActive {
                var courier = ObituaryCourier()
                courier.report(
                    node: 1, nonce: 9, peers: PeerFile(clusterID: 7, node: 1, addresses: ["127.0.0.1:\(port)"]),
                    security: security)
                courier.finish(withinMs: 20_000)
                return !courier.isBusy
            }
            #expect(isOver)
            return try await loop.flatSubmit { receptionist.value.heard.futureResult }.get()
        }
        #expect(heard == Obituary(node: NodeID(rawValue: 1), nonce: 9))
    }

    @Test func anObituaryInTheClearIsNotHeard() async throws {
        let cause = try await withReceptionist(try Self.authority()) { receptionist, loop, port in
            let courier = NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
                var courier = ObituaryCourier()
                courier.report(
                    node: 1, nonce: 9, peers: PeerFile(clusterID: 7, node: 1, addresses: ["127.0.0.1:\(port)"]),
                    security: nil)
                courier.finish(withinMs: 200)
            }
            let cause = try await loop.flatSubmit { receptionist.value.rejected.futureResult }.get()
            try await courier.get()
            return cause
        }
        #expect(cause == "plaintext")
    }

    // MARK: - The registry's word

    @Test func theRegistrySaysWhoMaySpeak() throws {
        let gateway = ExecutingGateway()
        let other = NodeID(rawValue: 20)
        gateway.apply(
            .register(
                Registration(
                    node: other, nonce: 1, name: "n20", peerAddress: "127.0.0.1:1", clientURL: "http://127.0.0.1:2",
                    version: "0.4.0")))
        func proof(_ node: String, cluster: String = "c", madeAtMs: UInt64 = 1_000) throws -> PeerProof {
            .certified(
                own: try #require(PeerIdentity(cluster: "c", node: "n1")),
                peer: try #require(PeerIdentity(cluster: cluster, node: node)), madeAtMs: madeAtMs)
        }
        #expect(gateway.view.accepts(other, with: try proof("n20")) == .welcome)
        #expect(gateway.view.accepts(other, with: try proof("n21")) == .otherNode)
        #expect(gateway.view.accepts(other, with: try proof("n20", cluster: "d")) == .otherCluster)
        // Nobody knows 99 yet: it may ask, by whatever name is in its certificate.
        #expect(gateway.view.accepts(NodeID(rawValue: 99), with: try proof("n20")) == .welcome)
        #expect(gateway.view.accepts(NodeID(rawValue: 99), with: try proof("n20", cluster: "d")) == .otherCluster)

        gateway.apply(.setStanding(other, .draining))
        gateway.apply(.bury(node: other, nonce: 1, candidates: []))
        gateway.apply(.removeNode(other, atMs: 5_000))
        let hello = PeerHello(role: .node, clusterID: 7, nodeID: other, nonce: 1)
        #expect(gateway.view.accepts(other, with: try proof("n20")) == .removedNode)
        #expect(gateway.view.accepts(other, with: .plain) == .removedNode)
        // What open links are held against when the view changes.
        #expect(gateway.view.acceptsLink(from: hello, with: try proof("n20")) == .removedNode)
        // Nor may its certificate open a door to another one; a newer certificate of that name may.
        let fresh = NodeID(rawValue: 99)
        for madeAtMs: UInt64 in [0, 1_000, 5_000] {
            #expect(gateway.view.accepts(fresh, with: try proof("n20", madeAtMs: madeAtMs)) == .removedNode)
        }
        #expect(gateway.view.accepts(fresh, with: try proof("n20", madeAtMs: 5_001)) == .welcome)
        #expect(gateway.view.accepts(fresh, with: try proof("n21")) == .welcome)
    }
}
