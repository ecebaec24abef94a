import Binary
import Cluster
import NIOCore
import NIOEmbedded
import Placement
import Raft

@testable import EdgeNode

// Streams of clients and peers, cut into pieces as a network would.

/// The first byte tells how long the pieces are.
private func feed(_ bytes: [UInt8], _ channel: EmbeddedChannel) {
    var rest = bytes[...]
    let size = [1, 3, 7, 64, 1_000, 100_000][Int(choice(&rest)) % 6]
    while !rest.isEmpty, channel.isActive {
        // What the server says of the bytes is its own business.
        _ = try? channel.writeInbound(ByteBuffer(bytes: rest.prefix(size)))
        rest = rest.dropFirst(size)
    }
}

private func connect(_ channel: EmbeddedChannel) {
    // It connects to nothing: the address is only a name.
    channel.connect(to: try! SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    channel.embeddedEventLoop.run()
}

// MARK: - HTTP

/// One edge for all inputs, over a cluster of one shard that executes at once.
private final class Edge {
    let loop = EmbeddedEventLoop()
    let edge: HTTPEdge
    private let basic: [UInt8]

    init() {
        let gateway = ExecutingGateway()
        var settings = HTTPSettings(version: "0")
        settings.adminToken = "token"
        settings.servesAdminOnClientPort = true
        edge = HTTPEdge(gateway: gateway, settings: settings, eventLoop: loop, board: StatisticsBoard())
        edge.start()
        let key = try! NewAPIKey.make(
            project: "demo", label: "fuzz", origins: [], nowMs: gateway.nowMs,
            random: { gateway.randomBytes($0) })
        _ = gateway.apply(.createKey(key.key))
        basic = Array(Base64.encodeURL(Array("\(key.key.keyID):\(key.secret)".utf8)).utf8)
    }

    /// `@@` stands for the credentials of a key, so that what lies behind the door is fuzzed too.
    private func signed(_ bytes: [UInt8]) -> [UInt8] {
        let mark = UInt8(ascii: "@")
        var signed: [UInt8] = []
        var place = 0
        while place < bytes.count {
            let isMark = bytes[place] == mark && place + 1 < bytes.count && bytes[place + 1] == mark
            signed += isMark ? basic : [bytes[place]]
            place += isMark ? 2 : 1
        }
        return signed
    }

    func serve(_ bytes: [UInt8]) {
        let channel = EmbeddedChannel(loop: loop)
        guard (try? edge.configureClientChannel(channel)) != nil else { return }
        connect(channel)
        feed(signed(bytes), channel)
        edge.flushAnswers()
        loop.advanceTime(by: .seconds(1))
        while let answer = try? channel.readOutbound(as: ByteBuffer.self) { _ = answer.readableBytes }
        if channel.isActive { channel.close(promise: nil) }
        loop.run()
    }
}

nonisolated(unsafe) private var edge = Edge()

/// Requests as they come over the wire, keep-alive, pipelining, upgrades to sockets and all.
func fuzzHTTP(_ bytes: [UInt8]) { edge.serve(bytes) }

// MARK: - Links

private final class Owner: PeerReceiverOwner {
    func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
        PeerHelloAnswer(verdict: .welcome, clusterID: 7, nodeID: NodeID(rawValue: 2))
    }
    func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {}
    func closed(_ hello: PeerHello, _ channel: any Channel) {}
    func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {}
    func rejected(_ rejection: LinkRejection) {}
}

/// What a peer sends: its hello, then frames.
func fuzzPeerLink(_ bytes: [UInt8]) {
    let channel = EmbeddedChannel(handler: PeerReceiver(owner: Owner(), own: nil))
    connect(channel)
    let hello = PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9)
    var rest = bytes[...]
    // Half of the inputs come behind a hello that is as it should be.
    if choice(&rest) & 1 == 1 { _ = try? channel.writeInbound(ByteBuffer(bytes: hello.encode())) }
    feed(Array(rest), channel)
    _ = try? channel.finish(acceptAlreadyClosed: true)
}

func fuzzPeerMessages(_ bytes: [UInt8]) {
    var reader = ByteReader(bytes)
    guard let message = try? PeerMessage(from: &reader) else { return }
    var once = ByteWriter()
    message.encode(into: &once)
    var again = ByteReader(once.bytes)
    guard let copy = try? PeerMessage(from: &again) else { preconditionFailure("what was written is not read") }
    var twice = ByteWriter()
    copy.encode(into: &twice)
    precondition(once.bytes == twice.bytes, "a message changes when it is read and written")
}

// MARK: - Sockets

/// Frames in pieces, and the same in one piece: what comes out must not depend on how it was cut.
func fuzzSocketFrames(_ bytes: [UInt8]) {
    var rest = bytes[...]
    let size = max(1, Int(choice(&rest)))
    let limit = 4_096
    func parse(_ size: Int) -> [SocketMessage] {
        var parser = SocketParser()
        var messages: [SocketMessage] = []
        var rest = rest
        while !rest.isEmpty {
            var piece = ByteBuffer(bytes: rest.prefix(size))
            rest = rest.dropFirst(size)
            do throws(SocketFault) {
                while let message = try parser.next(&piece, limitBytes: limit) { messages.append(message) }
            } catch {
                return messages
            }
            precondition(parser.keptBytes <= limit, "more is kept than a message may have")
        }
        return messages
    }
    precondition(parse(size) == parse(.max), "the messages depend on how they were cut")
}
