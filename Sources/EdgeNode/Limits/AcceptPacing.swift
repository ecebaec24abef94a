import NIOCore

/// Stands on a listening channel, and takes in only so many connections at a time. A flood of connections then waits
/// in the kernel's backlog, or is turned away there for nearly nothing, and those that are open are served meanwhile.
final class AcceptPacing: ChannelDuplexHandler {
    typealias InboundIn = Channel
    typealias OutboundIn = Channel

    static let stepMs: Int64 = 10
    /// 2,000 a second: more than handshakes of TLS are to be had in that time.
    static let perStep = 20

    private var taken = 0
    private var isWaiting = false
    private var holdsBackRead = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        taken += 1
        if taken >= Self.perStep, !isWaiting { wait(context) }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        if isWaiting { holdsBackRead = true } else { context.read() }
    }

    private func wait(_ context: ChannelHandlerContext) {
        isWaiting = true
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Self.stepMs)) { [self] in
            isWaiting = false
            taken = 0
            guard holdsBackRead else { return }
            holdsBackRead = false
            context.read()
        }
    }
}
