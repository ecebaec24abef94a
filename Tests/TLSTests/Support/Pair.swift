import NIOCore
import NIOEmbedded

@testable import TLS

/// A client's and a server's handler over embedded channels, with the wire between them in the test's hands.
final class Pair {
    let client: End
    let server: End

    init(
        client: TLSSettings = .testClient(), server: TLSSettings = .testServer(),
        name: TLSPeerName = .host("server.test"), tickets: TicketKeys? = nil, session: TLSSession? = nil,
        options: TLSHandler.Options = .init()
    ) throws {
        self.client = try End(
            TLSHandler(
                context: try TLSContext(client), peerName: name, resuming: session, options: options))
        self.server = try End(
            TLSHandler(context: try TLSContext(server, ticketKeys: tickets), options: options))
    }

    init(client: End, server: End) {
        (self.client, self.server) = (client, server)
    }

    /// Takes all that is on the wire to the other side, until there is nothing more.
    func exchange() throws {
        repeat {
            while try carry(from: client, to: server) || carry(from: server, to: client) {}
        } while try carryEnd(from: client, to: server) || carryEnd(from: server, to: client)
    }

    func carry(from sender: End, to receiver: End) throws -> Bool {
        let bytes = try sender.takeSent()
        guard bytes.readableBytes > 0 else { return false }
        receiver.receive(bytes)
        return true
    }

    private func carryEnd(from sender: End, to receiver: End) throws -> Bool {
        guard sender.hasEnded, receiver.channel.isActive, !receiver.hasHeardTheEnd else { return false }
        try receiver.hearTheEnd()
        return true
    }

    func connect() throws {
        try client.activate()
        try server.activate()
        try exchange()
    }

    /// Lets go of both channels.
    func finish() {
        client.finish()
        server.finish()
    }
}

/// One side: its channel, its handler, and all that came out of it.
final class End {
    let channel: EmbeddedChannel
    let handler: TLSHandler
    let witness: Witness
    let transport: Transport

    init(_ channel: EmbeddedChannel, _ handler: TLSHandler, _ witness: Witness, _ transport: Transport) {
        (self.channel, self.handler, self.witness, self.transport) = (channel, handler, witness, transport)
    }

    convenience init(_ handler: TLSHandler) throws {
        self.init(EmbeddedChannel(), handler, Witness(), Transport())
        try channel.pipeline.syncOperations.addHandlers([transport, handler, witness])
    }

    private var wasActive = false
    private(set) var hasHeardTheEnd = false
    /// It sends no more, as far as its transport goes.
    var hasEnded: Bool { transport.outputClosed || (wasActive && !channel.isActive) }

    /// Not closed, and not about to be.
    var isOpen: Bool { channel.isActive && !transport.outputClosed }

    /// What a socket does when its peer sends no more.
    func hearTheEnd() throws {
        hasHeardTheEnd = true
        if channel.allowRemoteHalfClosure {
            channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        } else {
            try channel.pipeline.syncOperations.context(handler: transport).close(promise: nil)
        }
        channel.embeddedEventLoop.run()
    }

    func activate() throws {
        wasActive = true
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func takeSent() throws -> ByteBuffer {
        var all = ByteBuffer()
        while var next = try channel.readOutbound(as: ByteBuffer.self) { all.writeBuffer(&next) }
        return all
    }

    func receive(_ bytes: ByteBuffer) {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
    }

    @discardableResult
    func send(_ text: String) -> EventLoopFuture<Void> {
        channel.writeAndFlush(ByteBuffer(string: text))
    }

    /// All plaintext that came, as text.
    var received: String { String(buffer: witness.data) }
    var faults: [TLSError] { witness.errors.compactMap { $0 as? TLSError } }
    var completed: TLSHandshakeCompleted? { witness.completed.first }

    func finish() {
        // Closes that wait for the peer come to their end.
        channel.embeddedEventLoop.advanceTime(by: .minutes(1))
        _ = try? channel.finish()
    }
}

/// What sockets do and `EmbeddedChannel` does not: half closing, and taking no more.
final class Transport: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The peer does not read.
    var isStuck = false
    /// There is no closing one half only.
    var hasNoHalves = false
    private(set) var outputClosed = false
    private(set) var reads = 0
    private var held: [(NIOAny, EventLoopPromise<Void>?)] = []
    private(set) var writes: [Int] = []
    private(set) var flushes = 0

    func read(context: ChannelHandlerContext) {
        reads += 1
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !outputClosed else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        writes.append(unwrapOutboundIn(data).readableBytes)
        if isStuck { held.append((data, promise)) } else { context.write(data, promise: promise) }
    }

    func flush(context: ChannelHandlerContext) {
        flushes += 1
        context.flush()
    }

    /// The peer reads again.
    func release(_ channel: EmbeddedChannel) throws {
        isStuck = false
        let context = try channel.pipeline.syncOperations.context(handler: self)
        let all = held
        held = []
        for (data, promise) in all { context.write(data, promise: promise) }
        context.flush()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output {
            guard !hasNoHalves else {
                promise?.fail(ChannelError.operationUnsupported)
                return
            }
            outputClosed = true
            promise?.succeed(())
            return
        }
        context.close(mode: mode, promise: promise)
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
        held = []
    }
}

/// Writes down everything that reaches the end of a pipeline.
final class Witness: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var data = ByteBuffer()
    var completed: [TLSHandshakeCompleted] = []
    var errors: [any Error] = []
    var events: [String] = []
    /// What else it does then.
    var onCompleted: ((any Channel) -> Void)?
    var onRead: ((any Channel) -> Void)?
    var onError: ((any Channel) -> Void)?

    func channelActive(context: ChannelHandlerContext) { events.append("active") }
    func channelInactive(context: ChannelHandlerContext) { events.append("inactive") }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        events.append("read")
        self.data.writeBuffer(&bytes)
        onRead?(context.channel)
    }

    func channelReadComplete(context: ChannelHandlerContext) { events.append("readComplete") }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as TLSHandshakeCompleted:
            completed.append(event)
            events.append("completed")
            onCompleted?(context.channel)
        case ChannelEvent.inputClosed: events.append("inputClosed")
        default: events.append("\(event)")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        errors.append(error)
        events.append("error")
        onError?(context.channel)
    }
}
