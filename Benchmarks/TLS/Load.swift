import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TLS

/// One loop of clients, all with the same handler whatever the server is.
struct Load {
    static let seconds: Int64 = 5

    let port: Int
    /// Nil without TLS.
    let roots: [UInt8]?
    let connections: Int
    /// Of a message.
    let bytes: Int

    /// Prints what it has done, as words: operations and seconds.
    func run(_ mode: String) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let tally = Tally(mode: mode)
        let context = try roots.map { try TLSContext(.client(roots: $0)) }
        for _ in 0..<connections {
            let worker = Worker(load: self, context: context, mode: mode, tally: tally, loop: group.next())
            group.next().execute { worker.connect() }
            if mode == "idle" { usleep(300) }
        }
        if mode == "idle" {
            while tally.count < connections { usleep(10_000) }
            say("open \(tally.count)")
            _ = readLine()
            return
        }
        Thread.sleep(forTimeInterval: 0.5)
        let (first, start) = (tally.count, DispatchTime.now().uptimeNanoseconds)
        say("begin")
        Thread.sleep(forTimeInterval: TimeInterval(Load.seconds))
        let (last, end) = (tally.count, DispatchTime.now().uptimeNanoseconds)
        say("done \(last - first) \(Double(end - start) / 1e9) \(tally.suite) resumed \(tally.resumed)")
        // Not `exit`: OpenSSL would be taken down under the connections that are still open.
        _exit(0)
    }
}

/// What all workers have done.
final class Tally: Sendable {
    private let state = NIOLockedValueBox((count: 0, resumed: 0, suite: "none"))
    let mode: String

    init(mode: String) { self.mode = mode }

    var count: Int { state.withLockedValue { $0.count } }
    var resumed: Int { state.withLockedValue { $0.resumed } }
    var suite: String { state.withLockedValue { $0.suite } }

    func add() { state.withLockedValue { $0.count += 1 } }
    func note(_ completed: TLSHandshakeCompleted) {
        state.withLockedValue {
            $0.suite = completed.suite
            if completed.resumed { $0.resumed += 1 }
        }
    }
}

/// One connection after the other, or one for all the time. Only on its loop.
final class Worker: @unchecked Sendable {
    private let load: Load
    private let context: TLSContext?
    private let mode: String
    let tally: Tally
    private let loop: any EventLoop
    fileprivate var session: TLSSession?

    init(load: Load, context: TLSContext?, mode: String, tally: Tally, loop: any EventLoop) {
        (self.load, self.context, self.mode, self.tally, self.loop) = (load, context, mode, tally, loop)
    }

    var message: ByteBuffer { ByteBuffer(repeating: 7, count: mode == "echo" ? load.bytes : 1) }
    var isEcho: Bool { mode == "echo" }
    var isIdle: Bool { mode == "idle" }

    func connect() {
        ClientBootstrap(group: loop)
            .channelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = context.map {
                        TLSHandler(
                            context: $0, peerName: .address("127.0.0.1"),
                            resuming: mode == "resumed" ? session : nil)
                    }
                    if let handler { try channel.pipeline.syncOperations.addHandler(handler) }
                    try channel.pipeline.syncOperations.addHandler(Talker(self, handler))
                }
            }
            .connect(host: "127.0.0.1", port: load.port)
            .whenFailure { error in fatalError("no connection: \(error)") }
    }
}

/// Says something, waits for the echo; then says it again, or begins anew with another connection.
final class Talker: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let worker: Worker
    private let tls: TLSHandler?
    private let message: ByteBuffer
    private var missing = 0

    init(_ worker: Worker, _ tls: TLSHandler?) {
        self.worker = worker
        self.tls = tls
        message = worker.message
    }

    func channelActive(context: ChannelHandlerContext) { if tls == nil { say(context) } }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let completed = event as? TLSHandshakeCompleted else { return }
        worker.tally.note(completed)
        say(context)
    }

    private func say(_ context: ChannelHandlerContext) {
        missing = message.readableBytes
        context.writeAndFlush(wrapOutboundOut(message), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        missing -= unwrapInboundIn(data).readableBytes
        guard missing == 0 else { return }
        worker.tally.add()
        if worker.isEcho { return say(context) }
        if worker.isIdle { return }
        worker.session = tls?.session ?? worker.session
        context.close(promise: nil)
        worker.connect()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fatalError("a connection failed: \(error)") }
}
