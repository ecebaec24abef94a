import NIOCore

/// What the network is like just now.
protocol LinkConditions: AnyObject {
    func isCut(_ way: LinkTable.Way) -> Bool
    /// How late the next piece is.
    func drawDelayMs(_ way: LinkTable.Way) -> Int
}

/// The bytes that go one way over one connection: read at one channel, written to the other in order, when the
/// weather lets them. Used on the proxy's event loop only.
final class Flow {
    private static let pendingBytesMax = 1 << 20

    let way: LinkTable.Way
    private let source: any Channel
    private let target: any Channel
    private let conditions: any LinkConditions
    private var pending: [Piece] = []
    private var pendingBytes = 0
    private var lastDueNs: UInt64 = 0
    private var isReading = false
    private var isEnding = false
    /// Everything has been sent on, and both ends are closed.
    private(set) var isOver = false

    private struct Piece {
        var dueNs: UInt64
        var bytes: ByteBuffer
    }

    init(_ way: LinkTable.Way, from source: any Channel, to target: any Channel, under conditions: any LinkConditions) {
        self.way = way
        self.source = source
        self.target = target
        self.conditions = conditions
    }

    func take(_ bytes: ByteBuffer) {
        isReading = false
        let now = monotonicNs()
        let late = UInt64(conditions.drawDelayMs(way)) * 1_000_000
        lastDueNs = max(lastDueNs, now + late)
        pending.append(Piece(dueNs: lastDueNs, bytes: bytes))
        pendingBytes += bytes.readableBytes
        pump()
    }

    /// The sender has closed: the other end hears of it behind the last byte.
    func end() {
        isEnding = true
        pump()
    }

    /// Sends on what is due, and reads more if there is room.
    func pump() {
        guard !isOver, !conditions.isCut(way) else { return }
        let now = monotonicNs()
        let due = pending.prefix { $0.dueNs <= now }
        for piece in due {
            pendingBytes -= piece.bytes.readableBytes
            target.write(piece.bytes, promise: nil)
        }
        pending.removeFirst(due.count)
        if !due.isEmpty { target.flush() }
        if let next = pending.first { return wake(afterNs: next.dueNs - now) }
        if isEnding { return close() }
        readMore()
    }

    private func close() {
        isOver = true
        target.close(promise: nil)
        source.close(promise: nil)
    }

    private func readMore() {
        guard !isReading, pendingBytes < Self.pendingBytesMax, source.isActive else { return }
        isReading = true
        source.read()
    }

    private func wake(afterNs delay: UInt64) {
        // While pieces wait more may be read, or a delay would bound the throughput to one piece each.
        readMore()
        let flow = NIOLoopBound(self, eventLoop: source.eventLoop)
        source.eventLoop.scheduleTask(in: .nanoseconds(Int64(delay))) { flow.value.pump() }
    }
}

/// Gives what a channel reads to its flow.
final class FlowReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var flow: Flow?
    /// A channel that is not active yet can be neither closed for good nor read from.
    private let onActive: (any Channel, FlowReader) -> Void

    init(onActive: @escaping (any Channel, FlowReader) -> Void = { _, _ in }) {
        self.onActive = onActive
    }

    func channelActive(context: ChannelHandlerContext) { onActive(context.channel, self) }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { flow?.take(unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { flow?.end() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
