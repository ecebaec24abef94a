import NIOCore
import NIOHTTP1
import TLS

/// The HTTP side of one event loop: its connections, what it remembers of verified credentials, its
/// figures. Used on that loop only.
///
/// The shell makes one per loop and calls `configureClientChannel` (or `configureAdminChannel`) for
/// each accepted connection of that loop. After it has handed out the answers of a loop turn it may
/// call `flushAnswers`, so that they leave at once; else they leave before the turn ends.
public final class HTTPEdge {
    public enum Port: Sendable {
        case client, admin
    }

    public struct TooManyConnections: Error {}

    let gateway: any RequestGateway
    let settings: HTTPSettings
    let authenticator: Authenticator
    let origins: OriginGate
    var auditPauses = AuditPauses()
    var pacing = RefusalPacing()
    private let proofs: SignatureProofs
    let idSignatures: IDSignatureChecker
    let userIdentities: UserIdentityChecker
    private let eventLoop: any EventLoop
    let limits: ClientLimits
    private let board: StatisticsBoard
    private let boardSlot: Int

    var statistics = RequestStatistics()
    /// Of all connections; kept by themselves.
    var bufferedBodyBytes = 0
    var unreadBytes = 0
    private(set) var isDraining = false
    private var connections: [HTTPConnection] = []
    /// What some of them have become.
    public private(set) lazy var sockets = SocketEdge(http: self)
    private var awaitingFlush: [HTTPConnection] = []
    private var departed = ClosingPacing<any DepartedConnection>()
    private var isFlushArmed = false
    private var sweep: RepeatedTask?
    /// Of the certificate that is in force when a connection begins; nil: the ports speak no TLS.
    private let makeTLS: (() -> TLSHandler)?

    /// `board` and `limits` are shared by the edges of a node: `/metrics` adds up what they count.
    public init(
        gateway: any RequestGateway, settings: HTTPSettings, eventLoop: any EventLoop,
        board: StatisticsBoard, limits: ClientLimits = ClientLimits(), makeTLS: (() -> TLSHandler)? = nil
    ) {
        precondition(settings.speaksTLS == (makeTLS != nil), "whoever speaks TLS has a certificate")
        self.makeTLS = makeTLS
        self.gateway = gateway
        self.settings = settings
        self.eventLoop = eventLoop
        self.board = board
        self.limits = limits
        boardSlot = board.join()
        authenticator = Authenticator(settings: settings, clusterKeys: { gateway.clusterKeys })
        origins = OriginGate(currentView: { gateway.view })
        proofs = SignatureProofs(currentView: { gateway.view }, clusterKeys: { gateway.clusterKeys })
        idSignatures = IDSignatureChecker(proofs: proofs)
        userIdentities = UserIdentityChecker(proofs: proofs)
    }

    /// The cluster's keys are others now.
    func forgetProofs() {
        authenticator.forgetProofs()
        proofs.forget()
    }

    var now: NIODeadline { eventLoop.now }

    /// Begins to enforce the limits of time.
    public func start() {
        eventLoop.preconditionInEventLoop()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            bound.value.checkConnections()
        }
    }

    /// Answers what has been asked and closes every connection after its last answer.
    public func drain() {
        isDraining = true
        sockets.drain()
        for connection in connections { connection.closeIfIdle() }
    }

    public func stop() {
        sweep?.cancel()
        sweep = nil
    }

    /// For `ServerBootstrap.childChannelInitializer`, on the channel's loop.
    public func configureClientChannel(_ channel: any Channel) throws {
        try configure(channel, port: .client)
    }

    public func configureAdminChannel(_ channel: any Channel) throws {
        try configure(channel, port: .admin)
    }

    private func configure(_ channel: any Channel, port: Port) throws {
        guard connections.count + sockets.count < settings.maximumConnectionsPerLoop, !isDraining else {
            statistics.refusedConnections[isDraining ? "draining" : "loop", default: 0] += 1
            throw TooManyConnections()
        }
        try admitAddress(of: channel)
        // A client may close its sending half and still wait for answers.
        try channel.syncOptions?.setOption(ChannelOptions.allowRemoteHalfClosure, value: true)
        // A channel keeps the first buffer it reads into; a socket may come of this connection.
        try channel.syncOptions?.setOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(
                minimum: 64, initial: SocketReceiveAllocator.smallBytes, maximum: 64 << 10))
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = settings.maximumHeaderBytes
        limits.maxHeaderListSize = settings.maximumHeaderBytes
        limits.maxHeaderFieldCount = settings.maximumHeaderCount
        let connection = HTTPConnection(edge: self, port: port)
        if let makeTLS {
            let detector = TransportDetector(makeTLS: makeTLS) { connection.transport = $0 }
            try channel.pipeline.syncOperations.addHandler(detector)
        }
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop,
            limitConfiguration: limits)
        // What the decoder keeps is at most a part of a head; more means that nobody reads it.
        try channel.pipeline.syncOperations.addHandlers([
            ByteToMessageHandler(decoder, maximumBufferSize: settings.maximumBodyBytes), connection,
        ])
        connection.listPosition = connections.count
        connections.append(connection)
    }

    /// Before any handshake: what is too much costs an accept and a close.
    private func admitAddress(of channel: any Channel) throws {
        guard settings.connectionsPerAddress > 0 else { return }
        let address = AddressTable.Address(channel.remoteAddress)
        guard limits.enter(address, limit: settings.connectionsPerAddress) else {
            statistics.refusedConnections["address", default: 0] += 1
            throw TooManyConnections()
        }
        channel.closeFuture.whenComplete { [limits] _ in limits.leave(address) }
    }

    func forget(_ connection: HTTPConnection) {
        let position = connection.listPosition
        guard position < connections.count, connections[position] === connection else { return }
        connections.swapAt(position, connections.count - 1)
        connections.removeLast()
        if position < connections.count { connections[position].listPosition = position }
    }

    /// Answers are there before anybody knows whether they are taken: beyond the bound, whoever leaves most of
    /// them lying is cut off.
    func boundUnreadAnswers() {
        guard unreadBytes > settings.maximumUnreadBytesPerLoop,
            let worst = connections.max(by: { $0.unreadBytes < $1.unreadBytes })
        else { return }
        statistics.cutOffConnections += 1
        worst.cutOff()
    }

    private func checkConnections() {
        let now = now
        // A copy: a connection that closes takes itself off the list.
        for connection in connections { connection.checkDeadlines(now: now) }
        sockets.sweep()
        pacing.adapt()
        publishStatistics()
    }
}

// MARK: - One flush for all answers of a loop turn

extension HTTPEdge {
    /// The connection has answers that have not been flushed. Many of them share one task.
    func scheduleFlush(_ connection: HTTPConnection) {
        awaitingFlush.append(connection)
        guard !isFlushArmed else { return }
        isFlushArmed = true
        eventLoop.assumeIsolated().execute {
            self.isFlushArmed = false
            self.flushAnswers()
        }
    }

    /// Milliseconds of the loop's clock.
    var nowMs: UInt64 { now.uptimeNanoseconds / 1_000_000 }

    func later(afterMs: UInt64, _ body: @escaping () -> Void) {
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(afterMs)), body)
    }

    /// Calls `body` now, and again and again until it says that it is done.
    func poll(everyMs: UInt64, _ body: @escaping () -> Bool) {
        guard !body() else { return }
        later(afterMs: everyMs) { self.poll(everyMs: everyMs, body) }
    }

    /// At once, or in its turn.
    func close(departed connection: any DepartedConnection) {
        let wasWaiting = departed.isWaiting
        if departed.admit(connection, nowMs: nowMs) { return connection.close() }
        if !wasWaiting { closeDeparted() }
    }

    private func closeDeparted() {
        poll(everyMs: ClosingPacing<any DepartedConnection>.stepMs) { [self] in
            while let connection = departed.next(nowMs: nowMs) { connection.close() }
            return !departed.isWaiting
        }
    }

    /// Later in this turn of the loop.
    func execute(_ body: @escaping () -> Void) { eventLoop.assumeIsolated().execute(body) }

    /// Sends the answers given since the last flush.
    public func flushAnswers() {
        guard !awaitingFlush.isEmpty else { return }
        let connections = awaitingFlush
        awaitingFlush.removeAll(keepingCapacity: true)
        for connection in connections { connection.flushAnswers() }
    }
}

// MARK: - Figures

extension HTTPEdge {
    private func publishStatistics() {
        statistics.openConnections = connections.count
        statistics.sockets = sockets.currentStatistics()
        board.publish(statistics, slot: boardSlot)
    }

    /// Of all loops; the others' are up to a second old.
    func totalStatistics() -> RequestStatistics {
        publishStatistics()
        return board.total()
    }
}
