import Binary

// What operations of connections do to an object (O15).

extension Planner {
    mutating func session(_ operation: SessionOperation) throws(Refusal) -> Draft {
        switch operation {
        case .join(let connection, let attachment, let payload):
            try join(connection, attachment, payload)
        case .leave(let connection, let attachment):
            leave(connection, attachment)
        case .resume(let connection, let attachment):
            try checkRoom(for: connection)
            changes.append(.attached(connection, attachment))
        }
        return Draft(outcome: .noContent)
    }

    private mutating func join(
        _ connection: ConnectionID, _ attachment: Attachment, _ payload: SocketPayload
    ) throws(Refusal) {
        // Of a socket that the connection has left: what it still says does not count.
        if let record = object.session(connection), record.attachment != attachment { return }
        try checkRoom(for: connection)
        try checkBytes(of: payload, for: connection)
        changes.append(.joined(connection, attachment, Presence(joinedAt: nowMs, payload: payload)))
    }

    private mutating func leave(_ connection: ConnectionID, _ attachment: Attachment) {
        guard let record = object.session(connection) else { return }
        #if PLANTED_BUGS
        let isCurrent = record.attachment == attachment || PlantedBug.isActive(.leaveTwice)
        #else
        let isCurrent = record.attachment == attachment
        #endif
        if isCurrent { changes.append(record.presence == nil ? .forgotten(connection) : .left(connection)) }
    }

    private func checkRoom(for connection: ConnectionID) throws(Refusal) {
        guard object.session(connection) == nil, object.sessions.count >= context.limits.sessionsPerObject else {
            return
        }
        throw Refusal(
            status: 429, name: "RateLimitError", code: SessionOperation.noRoomCode,
            message: "The object has \(context.limits.sessionsPerObject) connections that have joined, and takes "
                + "no more.")
    }

    /// When a node dies, the leaves of all its connections are one entry, and are told in one frame.
    private func checkBytes(of payload: SocketPayload, for connection: ConnectionID) throws(Refusal) {
        var bytes = payload.json.count
        // The sum is not for every small join.
        guard bytes > context.limits.presenceBytesPerObject / max(1, context.limits.sessionsPerObject) else { return }
        for record in object.sessions where record.connection != connection {
            bytes += record.presence?.payload.json.count ?? 0
        }
        guard bytes <= context.limits.presenceBytesPerObject else {
            throw .tooLarge(
                "presence.tooLarge",
                "What all connections of the object have joined with would have \(bytes) bytes; the limit is "
                    + "\(context.limits.presenceBytesPerObject).")
        }
    }
}

extension ShardState {
    /// Edge processes behind the connections that objects remember; each once, rising.
    public var sessionIncarnations: [UInt64] { sessionIndex.incarnations }

    /// Remembered connections, over all objects.
    public var sessionCount: Int { sessionIndex.count }

    /// The connections of one edge process, by object, in order.
    public func sessions(of incarnation: UInt64) -> [(object: ObjectID, records: [SessionRecord])] {
        sessionIndex.objects(of: incarnation).map { object in
            (object, objects[object]?.sessions.filter { $0.attachment.incarnation == incarnation } ?? [])
        }
    }

    /// The connections leave, as far as they have still these attachments: their edges are gone, and nobody
    /// has resumed them in time. A speculative entry like any other; nil if nothing is left to do.
    public mutating func executeDeparture(
        of records: [SessionRecord], from object: ObjectID, _ context: ExecutionContext
    ) -> [UInt8]? {
        checkNext(context)
        guard refusal(of: object) == nil, objects.load(object) != nil else { return nil }
        let changes = records.compactMap { departed -> ObjectChange? in
            guard let record = objects[object]?.session(departed.connection),
                record.attachment == departed.attachment
            else { return nil }
            return record.presence == nil ? .forgotten(record.connection) : .left(record.connection)
        }
        guard !changes.isEmpty else { return nil }
        let entry = OperationEntry(
            id: nil, settledBelow: 0, object: object, timeMs: max(context.nowMs, logTimeMs),
            windowAgeMs: max(context.windowAgeMs, windowAgeMs), changes: changes, outcome: .read,
            isWatched: context.isWatched)
        guard case .write(let payload, _) = write(entry, nil, context) else { return nil }
        return payload
    }

    /// What a listener has missed behind `after`, of what is committed. `isUnwatchedPossible` for one that
    /// was away: the object may have changed meanwhile while nobody listened to it.
    public func replay(of object: ObjectID, after: EventPoint, isUnwatchedPossible: Bool) -> EventReplay {
        guard after.index <= committedIndex else { return .gap }
        return history.replay(
            of: object, after: after, touched: committedTouch(of: object, after),
            isUnwatchedPossible: isUnwatchedPossible)
    }

    /// The newest committed entry that touched the object; nil if it is not there.
    private func committedTouch(of object: ObjectID, _ after: EventPoint) -> EventHistory.Touch? {
        for undo in speculation.undos {
            guard case .operation(object, _, _, _) = undo.entry else { continue }
            return undo.touchedIndex > 0 ? .init(index: undo.touchedIndex, events: undo.touchedEvents) : nil
        }
        guard let index = objects.touchedIndex(of: object) else { return nil }
        // Only a point within that very entry asks for more, which may have to be read.
        let isWithin = index == after.index && after.ordinal < .max
        return .init(index: index, events: isWithin ? objects[object]?.touchedEvents ?? .max : .max)
    }

    /// Everything up to here is committed and has been told.
    public var committedPoint: EventPoint { .end(epoch: committedEpoch, index: committedIndex) }

    /// Forgets what was kept for listeners since the call before last.
    public mutating func ageEventHistory() { history.age() }

    /// Bounds what listeners can be told of the past.
    public var eventHistoryBytes: Int {
        get { history.limitBytes }
        set { history.limitBytes = newValue }
    }
}
