import DequeModule
import ObjectRuntime
import Raft

/// Who listens to the objects of a shard, as its owner knows it: edge processes, one feed each per object,
/// whatever the number of sockets there. In memory only: edges announce their feeds to every new owner.
struct Listeners {
    struct Listener {
        var node: NodeID
        var incarnation: UInt64
        var feed: FeedAddress
        /// Everything up to here has been told to it, or is on its way (O14).
        var told: EventPoint
        /// How many sockets it may have, and which word of it that follows.
        var seats: UInt64 = 0
        var seatRevision: UInt64 = 0
    }

    /// How long an object counts as watched when nobody listens any more: its clients may come back, at
    /// another node, and ask for what they missed.
    static let lingerMs: UInt64 = 60_000
    private static let lingeringMax = 20_000

    /// Looked up by object; iterated in order of the objects only.
    private var byObject: [ObjectID: [Listener]] = [:]
    private var lingering: [ObjectID: UInt64] = [:]
    private var lingerOrder: Deque<ObjectID> = []

    var isEmpty: Bool { byObject.isEmpty }
    var count: Int { byObject.values.reduce(0) { $0 + $1.count } }

    subscript(object: ObjectID) -> [Listener] { byObject[object] ?? [] }

    /// Whether what happens to the object is kept for those who listen, or did until just now.
    func isWatched(_ object: ObjectID, nowMs: UInt64) -> Bool {
        if byObject[object] != nil { return true }
        guard !lingering.isEmpty, let untilMs = lingering[object] else { return false }
        return nowMs < untilMs
    }

    /// Somebody is about to listen, or has just stopped.
    mutating func linger(_ object: ObjectID, nowMs: UInt64) {
        while let oldest = lingerOrder.first,
            lingerOrder.count >= Listeners.lingeringMax || nowMs >= lingering[oldest] ?? 0
        {
            lingerOrder.removeFirst()
            lingering[oldest] = nil
        }
        if lingering.updateValue(nowMs + Listeners.lingerMs, forKey: object) == nil { lingerOrder.append(object) }
    }

    /// A feed of the same process replaces the one before. What an earlier one had asked may come late: it
    /// must not take the place of the one that is there.
    ///
    /// Answers how many sockets the feed may have, so that those of all feeds are no more than `limit`.
    mutating func add(_ listener: Listener, to object: ObjectID, _ request: SeatRequest, limit: Int) -> UInt64 {
        var listener = listener
        var others: UInt64 = 0
        for known in byObject[object] ?? [] {
            if known.incarnation != listener.incarnation || known.feed.loop != listener.feed.loop {
                others += known.seats
            } else if known.feed == listener.feed, known.seatRevision > request.revision {
                // A copy that comes late. What the feed has said since holds.
                (listener.seats, listener.seatRevision) = (known.seats, known.seatRevision)
            }
        }
        if listener.seatRevision <= request.revision {
            listener.seats = request.granted(others: others, limit: UInt64(limit))
            listener.seatRevision = request.revision
        }
        place(listener, on: object)
        return listener.seats
    }

    /// A feed has sockets less.
    mutating func keepSeats(_ seats: FeedSeats, of node: NodeID) {
        guard
            let place = byObject[seats.object]?.firstIndex(where: {
                $0.feed == seats.feed && $0.node == node && $0.seatRevision < seats.seats.revision
            })
        else { return }
        byObject[seats.object]?[place].seats = seats.seats.held
        byObject[seats.object]?[place].seatRevision = seats.seats.revision
    }

    private mutating func place(_ listener: Listener, on object: ObjectID) {
        let isLate = byObject[object]?.contains {
            $0.incarnation == listener.incarnation && $0.feed.loop == listener.feed.loop
                && $0.feed.number > listener.feed.number
        }
        if isLate == true { return }
        byObject[object, default: []].removeAll {
            $0.incarnation == listener.incarnation && $0.feed.loop == listener.feed.loop
        }
        byObject[object]?.append(listener)
    }

    /// Without the object, which an edge may have forgotten, all are looked through.
    mutating func remove(_ feed: FeedAddress, of node: NodeID, from object: ObjectID?, nowMs: UInt64) {
        for object in object.map({ [$0] }) ?? byObject.keys.sorted() {
            guard byObject[object]?.contains(where: { $0.feed == feed && $0.node == node }) == true else { continue }
            byObject[object]?.removeAll { $0.feed == feed && $0.node == node }
            dropIfSilent(object, nowMs: nowMs)
        }
    }

    /// Feeds of processes that are over.
    mutating func remove(whereIncarnation isGone: (UInt64) -> Bool, nowMs: UInt64) {
        for object in byObject.keys.sorted() {
            guard byObject[object]?.contains(where: { isGone($0.incarnation) }) == true else { continue }
            byObject[object]?.removeAll { isGone($0.incarnation) }
            dropIfSilent(object, nowMs: nowMs)
        }
    }

    private mutating func dropIfSilent(_ object: ObjectID, nowMs: UInt64) {
        guard byObject[object]?.isEmpty == true else { return }
        byObject[object] = nil
        linger(object, nowMs: nowMs)
    }

    /// All feeds told up to `point`; answers each with the point before.
    mutating func advance(_ object: ObjectID, to point: EventPoint) -> [Listener] {
        guard let before = byObject[object] else { return [] }
        for position in before.indices { byObject[object]?[position].told = point }
        return before
    }

    /// Feeds of one node, in the order of their objects.
    func feeds(of node: NodeID) -> [Listener] {
        byObject.keys.sorted().flatMap { byObject[$0]?.filter { $0.node == node } ?? [] }
    }

    /// Objects that are another shard's now: their feeds ask there.
    mutating func forget(where isGone: (ObjectID) -> Bool) {
        for object in byObject.keys.sorted() where isGone(object) { byObject[object] = nil }
    }

    /// Another process owns the shard now.
    mutating func removeAll() { self = Listeners() }
}
