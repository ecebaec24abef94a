import Cluster
import NIOCore
import ObjectRuntime
import Placement

/// The sockets of one event loop, by number: carries frames between them and the loops that keep their
/// objects' feeds, and enforces bounds and limits of time. Used on its loop only.
public final class SocketEdge {
    unowned let http: HTTPEdge
    let settings: HTTPSettings
    private var sockets: [UInt64: SocketConnection] = [:]
    /// Never used again.
    private var nextNumber: UInt64 = 1
    private var groups: [SocketGroup.Name: SocketGroup] = [:]
    private var awaitingFlush: [SocketConnection] = []
    private var isFlushArmed = false
    private(set) var isDraining = false
    /// This node is being emptied, as the table says (O9).
    private(set) var isBeingEmptied = false
    private var isEmptying = false

    var statistics = SocketStatistics()
    /// Of messages that have not arrived whole; kept by the sockets.
    var arrivingBytes = 0
    /// Of frames for clients that do not take them; kept by the sockets.
    var stalledBytes = 0

    init(http: HTTPEdge) {
        self.http = http
        settings = http.settings
    }

    var now: NIODeadline { http.now }

    var count: Int { sockets.count }

    // MARK: - Sockets come and go

    /// Makes a client's channel one of a socket; the handler still has to be added.
    func makeConnection(_ admission: SocketAdmission, channel: any Channel) throws -> SocketConnection {
        let options = channel.syncOptions
        try options?.setOption(.recvAllocator, value: SocketReceiveAllocator())
        try options?.setOption(.maxMessagesPerRead, value: 1)
        // Low marks: what waits waits in our own queue, which is bounded and gives its memory back.
        try options?.setOption(.writeBufferWaterMark, value: .init(low: 1_024, high: 2_048))
        try options?.setOption(.allowRemoteHalfClosure, value: false)
        defer { nextNumber += 1 }
        return SocketConnection(edge: self, number: nextNumber, admission: admission)
    }

    func remember(_ socket: SocketConnection) {
        sockets[socket.number] = socket
    }

    func forget(_ socket: SocketConnection) {
        sockets[socket.number] = nil
    }

    /// Tells the loop of the object's feed; returns what that loop is, and the group, for the socket to keep.
    func open(
        _ socket: SocketConnection, _ admission: SocketAdmission, caller: Caller
    ) -> (hub: Int, group: SocketGroup)? {
        guard let state = http.gateway.view.state else { return nil }
        let route = admission.route
        let object = ObjectID(
            project: route.project, objectClass: route.objectClass, id: route.objectID,
            hashKey: state.genesis.hashKey)
        let shard = state.table.shard(forKey: object.key.rawValue).shard
        let hub = homeLoop(of: shard, loops: http.gateway.loopCount)
        let group = enter(SocketGroup.Name(caller: caller, objectClass: route.objectClass))
        let opening = SocketOpening(
            socket: id(socket), project: route.project, objectClass: route.objectClass,
            objectID: route.objectID, keyID: caller.identity, announcesResume: admission.announcesResume)
        http.gateway.tell(.opened(opening), hub: hub)
        return (hub, group)
    }

    func id(_ socket: SocketConnection) -> SocketID {
        SocketID(loop: UInt16(http.gateway.loopIndex), number: socket.number)
    }

    func tell(_ input: SocketInput, hub: Int) { http.gateway.tell(input, hub: hub) }

    private func enter(_ name: SocketGroup.Name) -> SocketGroup {
        let group = groups[name] ?? SocketGroup(name)
        group.count += 1
        groups[name] = group
        return group
    }

    func leave(_ group: SocketGroup) {
        group.count -= 1
        if group.count == 0 { groups[group.name] = nil }
    }

    // MARK: - What the feeds want

    /// For this loop's sockets, in order; everything leaves before this returns.
    public func carryOut(_ outputs: [SocketOutput]) {
        for output in outputs {
            switch output {
            case .deliver(let frame, _, let numbers, let except): deliver(frame, numbers, except: except)
            case .close(let id, let closing): sockets[id.number]?.close(closing, .hub)
            }
        }
        flush()
    }

    /// The frame is built once for all of them.
    private func deliver(_ frame: [UInt8], _ numbers: [UInt64], except: UInt64?) {
        let frame = SocketFrames.text(frame)
        for number in numbers where number != except { sockets[number]?.deliver(frame) }
    }

    func scheduleFlush(_ socket: SocketConnection) {
        awaitingFlush.append(socket)
        guard !isFlushArmed else { return }
        isFlushArmed = true
        http.execute {
            self.isFlushArmed = false
            self.flush()
        }
    }

    private func flush() {
        guard !awaitingFlush.isEmpty else { return }
        let sockets = awaitingFlush
        awaitingFlush.removeAll(keepingCapacity: true)
        for socket in sockets { socket.flush() }
    }

    // MARK: - Ends

    /// Looks at the limits of time; called about once a second.
    func sweep() {
        let now = now
        for socket in Array(sockets.values) { socket.checkDeadlines(now: now) }
        if let state = http.gateway.view.state { endOutdated(state.tenants) }
    }

    /// Ends the sockets of keys that this view does not know any more, and all of them if it wants this node
    /// emptied.
    public func adopt(_ view: ClusterView) {
        guard let state = view.state else { return }
        isBeingEmptied = state.registry.isDraining(view.nodeID)
        if isBeingEmptied, !isEmptying { empty() }
        endOutdated(state.tenants)
    }

    /// Of revoked keys, of secrets whose time is over, of capabilities that have run out.
    private func endOutdated(_ tenants: Tenants) {
        let nowMs = http.gateway.wallMs()
        var hasEnded = false
        for group in groups.values {
            group.end = group.name.caller.end(tenants, nowMs: nowMs)
            if group.end != nil { hasEnded = true }
        }
        guard hasEnded else { return }
        for socket in Array(sockets.values) {
            guard let reason = socket.group?.end else { continue }
            socket.close(SocketClosing(code: CloseCode.policy, reason: reason), .revoked)
        }
    }

    /// The node stops: every client goes on elsewhere, and its presence waits for it there.
    func drain() {
        isDraining = true
        let closing = SocketClosing(code: CloseCode.restart, reason: "this node stops; connect to another one")
        for socket in Array(sockets.values) { socket.close(closing, .shutdown) }
    }

    /// Some at a time, or they would all come to the other nodes at once. The longest open go first. A node that
    /// is wanted again keeps the rest.
    private func empty() {
        isEmptying = isBeingEmptied && !sockets.isEmpty
        guard isEmptying else { return }
        let closing = SocketClosing(
            code: CloseCode.restart, reason: "this node is being drained; connect to another one")
        let step = settings.drainedSocketsPerSecond * Int(SocketEdge.emptyingStepMs) / 1_000
        for number in sockets.values.filter(\.isTakenIn).map(\.number).sorted().prefix(max(1, step)) {
            sockets[number]?.close(closing, .shutdown)
        }
        http.later(afterMs: SocketEdge.emptyingStepMs) { self.empty() }
    }

    private static let emptyingStepMs: UInt64 = 100

    func currentStatistics() -> SocketStatistics {
        var current = statistics
        for socket in sockets.values { socket.count(in: &current) }
        return current
    }
}

/// What many sockets have in common: counted, so that a revoked key is found without looking at them all.
final class SocketGroup {
    struct Name: Hashable {
        var caller: Caller
        var objectClass: String
    }

    let name: Name
    var count = 0
    /// Why its sockets are to end.
    var end: String?

    init(_ name: Name) {
        self.name = name
    }
}

extension Caller {
    /// Why what it has opened is over; nil if it is not.
    fileprivate func end(_ tenants: Tenants, nowMs: UInt64) -> String? {
        guard let key = tenants.key(project: project, keyID: keyID), !key.isRevoked else {
            return "the API key is revoked"
        }
        guard key.accepts(version: keyVersion, nowMs: nowMs) else { return "the API key has a newer secret" }
        if let endsAtMs, nowMs >= endsAtMs { return "the capability is not valid anymore" }
        return nil
    }
}
