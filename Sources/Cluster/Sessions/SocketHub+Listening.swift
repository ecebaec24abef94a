import ObjectRuntime
import Placement
import Raft

/// How feeds hear, and sockets catch up (O14).
extension SocketHub {
    /// Asks the owner for what the feed lacks, and to be told what comes.
    /// Asks for seats at the same time, since every socket needs one.
    mutating func listen(_ feed: Feed, forSeatsOnly: Bool = false) {
        if !forSeatsOnly { feed.isForSeatsOnly = false }
        guard !feed.isListening else { return }
        feed.isListening = true
        feed.isForSeatsOnly = forSeatsOnly
        feed.askedAfter = feed.cursor
        // A feed was told everything until its owner was lost.
        let request = ListenRequest(
            after: feed.cursor, feed: feed.address, seats: feed.nextSeatRequest(), hasListened: true)
        ask(.listen(feed), feed, .listen(request))
    }

    /// This node may be cut off: feeds whom nobody answers in time end their sockets, whose clients would
    /// not notice.
    mutating func listenAgain() {
        for number in feeds.keys.sorted() {
            if let feed = feeds[number] { listen(feed) }
        }
    }

    mutating func heard(_ feed: Feed, _ answer: ClientAnswer, nowMs: UInt64) {
        feed.isListening = false
        guard feeds[feed.address.number] === feed else { return endLate(feed, answer) }
        guard case .hearing(let hearing) = answer.reply else { return endUnheard(feed) }
        feed.isCutOff = false
        feed.epoch = max(feed.epoch, Epoch(rawValue: answer.epoch))
        if hearing.isGap, let cursor = feed.cursor {
            // An earlier owner has told more meanwhile: behind that perhaps nothing is missing.
            if cursor != feed.askedAfter { return listen(feed) }
            if cursor < hearing.through { tellGap(feed, behind: cursor, through: hearing.through) }
        }
        tell(feed, hearing.events, through: hearing.through)
        seat(feed, hearing.seats, nowMs: nowMs)
        // The table may name a newer owner by now.
        let record = view?.state?.table.shard(forKey: feed.object.key.rawValue)
        if let record, record.epoch > feed.epoch, record.owner != nil { listen(feed) }
    }

    private mutating func endUnheard(_ feed: Feed) {
        if !feed.isForSeatsOnly { feed.isCutOff = true }
        for session in feed.sessions where !feed.isForSeatsOnly || session.phase == .opening {
            end(session, .noOwner)
        }
    }

    /// The feed ended while its question was under way: the owner learns it now.
    private mutating func endLate(_ feed: Feed, _ answer: ClientAnswer) {
        if case .hearing = answer.reply { endFeed(feed.address, of: feed.object) }
    }

    /// What an owner sends as it is committed.
    mutating func receive(_ push: EventPush, from sender: NodeID) {
        guard let feed = feeds[push.feed.number] else { return endUnknown(push.feed, push.shard, sender) }
        guard push.epoch == feed.epoch, let cursor = feed.cursor else { return }
        if push.previous > cursor {
            // Something was lost on the way: told again from where this feed is.
            return listen(feed)
        }
        tell(feed, push.events, through: push.through)
    }

    mutating func receive(_ push: MessagePush, from sender: NodeID) {
        guard let feed = feeds[push.feed.number] else { return endUnknown(push.feed, push.shard, sender) }
        guard feed.takeMessage(push.stream, counter: push.counter) else { return }
        // A connection that was resumed here has its earlier socket beside the new one for a while.
        // A client whose resume has no answer yet is the sender too.
        let own = push.sender.map { sender in
            feed.sessions.filter { $0.connection == sender || $0.claim?.connection == sender }.map(\.socket)
        } ?? []
        for (loop, numbers) in feed.liveAudience() {
            let excluded = own.filter { $0.loop == loop }.map(\.number)
            let others = excluded.count > 1 ? numbers.filter { !excluded.contains($0) } : numbers
            outputs.append(.deliver(frame: push.frame, loop: loop, numbers: others, except: excluded.first))
        }
        for session in feed.sessions where session.phase != .live && session.phase != .opening {
            if !own.contains(session.socket) { deliver(push.frame, to: session) }
        }
    }

    /// An owner that tells a feed which is over.
    private mutating func endUnknown(_ address: FeedAddress, _ shard: ShardID, _ sender: NodeID) {
        messages.append((sender, .feedEnd(FeedEnd(shard: shard, object: nil, feed: address))))
    }

    // MARK: - Telling

    /// Hands on what is new of the events; each socket's point only rises.
    private mutating func tell(_ feed: Feed, _ events: [FeedEvent], through: EventPoint) {
        for event in events where feed.cursor.map({ event.point > $0 }) ?? false {
            tell(feed, event)
            feed.cursor = event.point
        }
        if feed.cursor.map({ through > $0 }) ?? true { feed.cursor = through }
        catchUpWithFeed(feed)
    }

    private mutating func tell(_ feed: Feed, _ event: FeedEvent) {
        switch event.content {
        case .moved(let connection, let attachment):
            endEarlierSockets(feed, connection, keeping: attachment, at: event.point.index)
        case .frame(let frame):
            for (loop, numbers) in feed.liveAudience() {
                outputs.append(.deliver(frame: frame, loop: loop, numbers: numbers, except: nil))
            }
            for session in feed.sessions {
                if case .ahead(let point) = session.phase, event.point > point { deliver(frame, to: session) }
                if case .greeting = session.phase { session.keep(frame) }
            }
        }
    }

    private mutating func tellGap(_ feed: Feed, behind cursor: EventPoint, through: EventPoint) {
        let frame = gapFrame(behind: cursor, through: through)
        for session in feed.sessions {
            session.missed = nil
            switch session.phase {
            case .live: deliver(frame, to: session)
            case .ahead(let point) where point < through: deliver(frame, to: session)
            case .opening, .greeting, .catchingUp, .ahead: break
            }
        }
    }

    private func gapFrame(behind point: EventPoint, through: EventPoint) -> [UInt8] {
        guard through.index > point.index else {
            // Nothing behind its entry is missing, but perhaps the rest of the entry.
            let next = EventPoint(
                epoch: point.epoch, index: point.index, ordinal: point.ordinal == .max ? .max : point.ordinal + 1)
            return FrameRendering.gap(from: next, to: .end(epoch: point.epoch, index: point.index))
        }
        return FrameRendering.gap(
            from: EventPoint(epoch: point.epoch, index: point.index + 1),
            to: EventPoint(epoch: through.epoch, index: through.index))
    }

    /// Sockets that were ahead of the feed, and are not any more, go on with it.
    private mutating func catchUpWithFeed(_ feed: Feed) {
        guard let cursor = feed.cursor else { return }
        for session in feed.sessions {
            if case .ahead(let point) = session.phase, point <= cursor { goLive(session) }
        }
    }

    private mutating func goLive(_ session: Session) {
        session.phase = .live
        session.feed.audienceChanged()
    }

    // MARK: - One socket

    /// The first frame has come, or none came: from here on the socket hears what is new.
    mutating func endGreeting(_ session: Session) {
        guard case .greeting(let since) = session.phase else { return }
        // What came meanwhile is here, unless it is much: no question to the owner, and no gap.
        guard let missed = session.missed, !session.isGone else { return catchUp(session, from: since) }
        session.missed = nil
        for frame in missed { deliver(frame, to: session) }
        goLive(session)
    }

    /// Brings the socket from `point` to where the feed is.
    mutating func catchUp(_ session: Session, from point: EventPoint) {
        session.missed = nil
        guard !session.isGone else { return }
        if point == session.feed.cursor { return goLive(session) }
        session.phase = .catchingUp
        // Since the socket was connected its feed listens, if it is not cut off; a client may have been away for long.
        let hasListened = session.connectedAt.map { point >= $0 } ?? false && !session.feed.isCutOff
        ask(
            .lookBack(session, after: point), session.feed,
            .listen(ListenRequest(after: point, feed: nil, hasListened: hasListened)))
    }

    mutating func lookedBack(_ session: Session, after: EventPoint, _ answer: ClientAnswer) {
        guard session.phase == .catchingUp, !session.isGone else { return }
        guard case .hearing(let hearing) = answer.reply else { return end(session, .noOwner) }
        if hearing.isGap { deliver(gapFrame(behind: after, through: hearing.through), to: session) }
        for event in hearing.events {
            if case .frame(let frame) = event.content { deliver(frame, to: session) }
        }
        guard let cursor = session.feed.cursor else { return end(session, .noOwner) }
        if hearing.through > cursor {
            session.phase = .ahead(of: hearing.through)
        } else {
            catchUp(session, from: hearing.through)
        }
    }

    // MARK: - Resuming (O15)

    mutating func resume(_ session: Session, _ text: String, after: EventPoint?) {
        let past = past(of: session, after: after)
        guard !session.isRemembered, let connection = ConnectionID(text), connection != session.connection,
            let secret = view?.state?.genesis.hashKey,
            connection.isOf(session.feed.object, keyID: session.keyID, secret: secret)
        else {
            // The id stays the fresh one; the past is told all the same.
            return acknowledge(session, "fresh", past)
        }
        session.isBusy = true
        session.isRemembered = true
        session.claim = (connection, takenAt: 0)
        // The socket hears nothing before it is known under which name; one that is late has heard already.
        if case .greeting = session.phase { session.phase = .catchingUp }
        ask(
            .resume(session, connection, past), session.feed,
            .session(.resume(connection, session.attachment)))
    }

    private func past(of session: Session, after: EventPoint?) -> Past {
        if case .greeting(let since) = session.phase { return .told(from: after ?? since) }
        guard let after, let since = session.connectedAt, after < since else { return .known }
        return .gone(behind: after, through: since)
    }

    mutating func resumed(
        _ session: Session, _ connection: ConnectionID, _ past: Past, _ answer: ClientAnswer
    ) {
        let takenAt = session.claim?.takenAt ?? 0
        session.claim = nil
        session.isBusy = false
        if case .refused(let refusal) = answer.reply, refusal.code == SessionOperation.noRoomCode {
            // The object remembers too many: the id stays the fresh one, of which it need not know.
            session.isRemembered = false
            acknowledge(session, "fresh", past)
            return pump(session)
        }
        session.connection = connection
        if case .refused = answer.reply {
            counters.resumes["failed", default: 0] += 1
            end(session, .noOwner)
            return pump(session)
        }
        session.attachedAt = answer.index
        if takenAt > answer.index {
            // A later resume has overtaken the answer (O15).
            counters.resumes["overtaken", default: 0] += 1
            end(session, .takenOver)
        } else {
            acknowledge(session, "resumed", past)
        }
        pump(session)
    }

    private mutating func acknowledge(_ session: Session, _ outcome: String, _ past: Past) {
        counters.resumes[outcome, default: 0] += 1
        deliver(FrameRendering.resumed(session.connection), to: session)
        switch past {
        case .told(let point): catchUp(session, from: point)
        case .gone(let after, let since): deliver(gapFrame(behind: after, through: since), to: session)
        case .known: break
        }
    }

    /// Ended without a leave: the entry at `index` has given the connection another attachment. News of an
    /// earlier entry than the socket's own are no news to it.
    private mutating func endEarlierSockets(
        _ feed: Feed, _ connection: ConnectionID, keeping attachment: Attachment, at index: UInt64
    ) {
        for session in feed.sessions where session.attachment != attachment {
            if session.connection == connection, index > session.attachedAt { end(session, .takenOver) }
            if let claim = session.claim, claim.connection == connection {
                session.claim?.takenAt = max(claim.takenAt, index)
            }
        }
    }
}
