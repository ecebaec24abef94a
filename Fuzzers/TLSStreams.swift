import Foundation
import NIOCore
import NIOEmbedded

@testable import TLS

// The TLS handler: bytes of anybody before a handshake, and a wire that somebody else holds.

/// Anybody's first bytes, in pieces.
func fuzzTLSHello(_ bytes: [UInt8]) {
    var rest = bytes[...]
    let size = [1, 5, 100, 100_000][Int(choice(&rest)) % 4]
    let end = WireEnd(TLSHandler(context: TLSMaterial.server))
    end.activate()
    while !rest.isEmpty, end.channel.isActive {
        end.receive(ByteBuffer(bytes: rest.prefix(size)))
        rest = rest.dropFirst(size)
    }
    precondition(end.witness.data.readableBytes == 0, "data without a handshake")
    end.finish()
}

/// A whole connection. The input says what is done to each piece of it on the way: damaged, cut, sent twice, held
/// back, replaced. Whatever arrives is the beginning of what was sent.
func fuzzTLSWire(_ bytes: [UInt8]) {
    var script = bytes[...]
    let isOld = choice(&script) & 1 == 1
    let client = WireEnd(
        TLSHandler(context: isOld ? TLSMaterial.oldClient : TLSMaterial.client, peerName: .host("server.test")))
    let server = WireEnd(TLSHandler(context: TLSMaterial.server))
    for end in [client, server] { end.activate() }
    var round = 0
    while round < 40, client.channel.isActive || server.channel.isActive {
        client.say(round)
        server.say(round)
        let isOver = !carry(client, server, &script) && !carry(server, client, &script)
        if isOver, script.isEmpty { break }
        round += 1
    }
    for (sender, receiver) in [(client, server), (server, client)] {
        let heard = Array(receiver.witness.data.readableBytesView)
        precondition(sender.said.starts(with: heard), "what arrived is not what was sent")
        precondition(receiver.witness.faults <= 1, "a fault is told once")
    }
    for end in [client, server] { end.finish() }
}

private func carry(_ sender: WireEnd, _ receiver: WireEnd, _ script: inout ArraySlice<UInt8>) -> Bool {
    var bytes = sender.takeSent()
    guard bytes.readableBytes > 0 else { return false }
    switch choice(&script) % 12 {
    case 1: damage(&bytes, &script)
    case 2: bytes = bytes.getSlice(at: bytes.readerIndex, length: min(bytes.readableBytes, Int(choice(&script)))) ?? bytes
    case 3: receiver.receive(bytes)
    case 4: return true
    case 5: bytes = ByteBuffer(bytes: script.prefix(64))
    case 6: bytes.writeBytes(script.prefix(Int(choice(&script)) % 32))
    case 7: receiver.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    case 8: receiver.channel.isWritable.toggle(); receiver.channel.pipeline.fireChannelWritabilityChanged()
    case 9: receiver.channel.close(mode: choice(&script) & 1 == 0 ? .all : .output, promise: nil)
    case 10: receiver.channel.embeddedEventLoop.advanceTime(by: .seconds(3))
    case 11:
        let size = max(1, Int(choice(&script)))
        while let piece = bytes.readSlice(length: min(size, bytes.readableBytes)), piece.readableBytes > 0 {
            receiver.receive(piece)
        }
    default: break
    }
    receiver.receive(bytes)
    return true
}

private func damage(_ bytes: inout ByteBuffer, _ script: inout ArraySlice<UInt8>) {
    for _ in 0...Int(choice(&script)) % 4 {
        let place = bytes.readerIndex + (Int(choice(&script)) << 8 | Int(choice(&script))) % bytes.readableBytes
        bytes.setInteger((bytes.getInteger(at: place, as: UInt8.self) ?? 0) ^ max(1, choice(&script)), at: place)
    }
}

/// One side of a connection over an embedded channel.
private final class WireEnd {
    final class Witness: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var data = ByteBuffer()
        var faults = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            self.data.writeBuffer(&bytes)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { faults += 1 }
    }

    let channel = EmbeddedChannel()
    let witness = Witness()
    private(set) var said: [UInt8] = []

    init(_ handler: TLSHandler) {
        channel.allowRemoteHalfClosure = true
        try! channel.pipeline.syncOperations.addHandlers([handler, witness])
    }

    func activate() {
        channel.connect(to: try! SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        channel.embeddedEventLoop.run()
    }

    func say(_ round: Int) {
        guard channel.isActive else { return }
        let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 1 + round * 97)
        said += bytes
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func takeSent() -> ByteBuffer {
        var all = ByteBuffer()
        while var next = (try? channel.readOutbound(as: ByteBuffer.self)) ?? nil { all.writeBuffer(&next) }
        return all
    }

    func receive(_ bytes: ByteBuffer) {
        guard channel.isActive, bytes.readableBytes > 0 else { return }
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
    }

    func finish() {
        // Closes that wait for the peer come to their end.
        channel.embeddedEventLoop.advanceTime(by: .minutes(1))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}

/// Made once: keys cost more than everything else here.
private enum TLSMaterial {
    static let authority = try! CertificateAuthority.make(commonName: "fuzz", lifetime: lifetime, now: now)
    static let issued = try! authority.issue(
        commonName: "server", names: [.dns("server.test")], usage: .server, lifetime: lifetime, now: now)
    static let lifetime: Int64 = 3_000_000_000
    static let now = Int64(Date().timeIntervalSince1970) * 1_000

    static let server = try! TLSContext(
        .server(certificates: issued.certificate.pem, privateKey: try! issued.key.pem()),
        ticketKeys: TicketKeys { now })
    static let client = try! TLSContext(.client(roots: authority.certificate.pem))
    static let oldClient = {
        var settings = TLSSettings.client(roots: authority.certificate.pem)
        settings.highestVersion = .tls12
        return try! TLSContext(settings)
    }()
}
