import Binary
import ObjectRuntime
import Placement
import Raft

/// What the owner lets out besides answers: events to feeds, messages, and leaves of those whose edge died.
extension ShardReplica {
    /// What happens when an output leaves, beyond the answer to its edge.
    enum Effect {
        case none
        /// The edge hears what it missed and, if it named a feed, all that comes.
        case listen(ObjectID, incarnation: UInt64, ListenRequest)
        case broadcast(ObjectID, SocketPayload, sender: ConnectionID?, EdgeStream)

        var object: ObjectID? {
            switch self {
            case .none: nil
            case .listen(let object, _, _), .broadcast(let object, _, _, _): object
            }
        }
    }

    func effect(of attempt: Try, nowMs: UInt64) -> Effect {
        switch attempt.request.operation {
        case .listen(let request):
            // What is executed from now on is kept, so that nothing is missing when the edge hears.
            listeners.linger(attempt.request.object, nowMs: nowMs)
            return .listen(attempt.request.object, incarnation: attempt.stream.incarnation, request)
        case .message(let payload, let sender):
            return .broadcast(attempt.request.object, payload, sender: sender, attempt.stream)
        default:
            return .none
        }
    }

    /// A new owner keeps everything for a while: edges that have not announced themselves yet may listen.
    func isWatched(_ object: ObjectID, nowMs: UInt64) -> Bool {
        nowMs < watchesAllUntilMs || listeners.isWatched(object, nowMs: nowMs)
    }

    // MARK: - Events

    /// Tells the feeds what has just been committed: each event once per feed.
    func tell(_ records: [EventRecord]) {
        guard !listeners.isEmpty else { return }
        for record in records {
            let feeds = listeners.advance(record.object, to: record.end)
            guard !feeds.isEmpty else { continue }
            let events = record.feedEvents()
            for feed in feeds { push(events, through: record.end, to: feed) }
        }
    }

    private func push(_ events: [FeedEvent], through: EventPoint, to listener: Listeners.Listener) {
        counters.pushedEvents += UInt64(events.count)
        let push = EventPush(
            shard: shard, feed: listener.feed, epoch: record.epoch, previous: listener.told, through: through,
            events: events)
        outbox.append((node: listener.node, message: .events(push)))
    }

    /// The link to an edge is new: what went over the one before may be lost, and the edge cannot know.
    func linkUp(_ node: NodeID) {
        guard isServing, !listeners.isEmpty else { return }
        for listener in listeners.feeds(of: node) { push([], through: listener.told, to: listener) }
    }

    /// O14: what is committed behind the edge's point; from here on it is told what comes.
    func hear(_ object: ObjectID, _ request: ListenRequest, node: NodeID, incarnation: UInt64) -> Hearing {
        let through = state.committedPoint
        var hearing = Hearing(through: through, isGap: false, events: [])
        if let after = request.after { look(back: after, object, request, into: &hearing) }
        if let feed = request.feed {
            hearing.seats = listeners.add(
                Listeners.Listener(node: node, incarnation: incarnation, feed: feed, told: through), to: object,
                request.seats, limit: limits.socketsPerObject)
        }
        return hearing
    }

    private func look(
        back after: EventPoint, _ object: ObjectID, _ request: ListenRequest, into hearing: inout Hearing
    ) {
        if let term = raft.term(at: LogIndex(rawValue: after.index)), term.rawValue != after.epoch {
            // O14: a point of a history that was given up.
            hearing.isGap = true
            return
        }
        switch state.replay(of: object, after: lookBackPoint(after), isUnwatchedPossible: !request.hasListened) {
        case .gap: hearing.isGap = true
        case .records(let records):
            hearing.events = records.flatMap { $0.feedEvents() }.filter { $0.point > lookBackPoint(after) }
            #if PLANTED_BUGS
            if PlantedBug.isActive(.dropLastEvent), !hearing.events.isEmpty { hearing.events.removeLast() }
            #endif
            counters.replayedEvents += UInt64(hearing.events.count)
        }
        if hearing.isGap { counters.eventGaps += 1 }
    }

    private func lookBackPoint(_ after: EventPoint) -> EventPoint {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.replayOneTooEarly), after.index > 0 {
            return EventPoint(epoch: after.epoch, index: after.index - 1, ordinal: .max)
        }
        #endif
        return after
    }

    // MARK: - Messages

    func broadcast(
        _ payload: SocketPayload, to object: ObjectID, sender: ConnectionID?, _ stream: EdgeStream, counter: UInt64
    ) {
        let feeds = listeners[object]
        guard !feeds.isEmpty else { return }
        let frame = FrameRendering.message(payload)
        counters.pushedMessages += UInt64(feeds.count)
        for listener in feeds {
            let push = MessagePush(
                shard: shard, feed: listener.feed, stream: stream, counter: counter, sender: sender, frame: frame)
            outbox.append((node: listener.node, message: .broadcast(push)))
        }
    }

    // MARK: - Edges that are gone

    /// The table has changed: forgets feeds of processes that are over, and begins the grace time of their
    /// connections (O15).
    func noticeGoneEdges(nowMs: UInt64) {
        guard isServing, let registry = placement?.registry else { return }
        let isGone = { (incarnation: UInt64) in registry.isOver(incarnation: incarnation) }
        if !listeners.isEmpty { listeners.remove(whereIncarnation: isGone, nowMs: nowMs) }
        for incarnation in state.sessionIncarnations where isGone(incarnation) {
            if departures[incarnation] == nil { departures[incarnation] = nowMs + settings.presenceGraceMs }
        }
    }

    /// Connections that nobody resumed in time leave.
    func departOverdue(now: Clocks) {
        guard isServing, !departures.isEmpty else { return }
        let nowMs = now.rawNs / 1_000_000
        for incarnation in departures.keys.sorted() where departures[incarnation] ?? 0 <= nowMs {
            for (object, records) in state.sessions(of: incarnation) {
                // O12: reading has found damage; the next owner lets them leave.
                guard !state.isDamaged else { return }
                depart(records, from: object, now: now)
            }
            departures[incarnation] = nil
        }
    }

    private func depart(_ records: [SessionRecord], from object: ObjectID, now: Clocks) {
        let next = raft.lastIndex.next
        let context = ExecutionContext(
            nowMs: now.wallMs, windowAgeMs: windowAge.reached(now), epoch: raft.sealedTerm.rawValue,
            nextIndex: next.rawValue, random: (0, 0), limits: limits,
            isWatched: isWatched(object, nowMs: now.rawNs / 1_000_000))
        guard let payload = state.executeDeparture(of: records, from: object, context) else { return }
        let index = raft.propose(payload)
        precondition(index == next, "O3: an entry gets the index that its execution was told")
        executedThrough = index
    }
}
