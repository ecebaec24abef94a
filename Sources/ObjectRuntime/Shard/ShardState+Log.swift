import Binary
import DequeModule

// MARK: - Entries

extension ShardState {
    /// The replica's path: a committed entry. A failure means that the log and this state do not belong
    /// together; the replica must stop using both (O12). Ask for `damage` first, and for children of splits.
    public mutating func apply(payload: [UInt8], index: UInt64, epoch: UInt64) throws(DecodingFailure) {
        precondition(speculation.undos.isEmpty, "O3: committed entries are applied to committed state")
        precondition(index > lastIndex, "I6: entries are applied in order, each once")
        precondition(!isDamaged, "O12: a state that cannot read its objects applies nothing")
        let entry = try ShardEntry(payload: payload)
        switch entry {
        case .operation(let entry):
            try apply(entry, index: index, epoch: epoch, entryBytes: payload.count)
        case .expiry(let expiry):
            for entry in expiry.operations { try apply(entry, index: index, epoch: epoch, entryBytes: 0) }
        case .retirement(let incarnations):
            window.retire(incarnations)
        case .split, .freeze, .thaw, .scrub:
            try changeBounds(by: entry, index: index, epoch: epoch)
        }
        guard !isDamaged else { return }
        uncheckpointedBytes += payload.count
        lastIndex = index
        committedIndex = index
        committedEpoch = epoch
        if bounds.newestSplit?.index == index { splitOff() }
    }

    private mutating func apply(
        _ entry: OperationEntry, index: UInt64, epoch: UInt64, entryBytes: Int
    ) throws(DecodingFailure) {
        guard bounds.range.contains(entry.object.key.rawValue) else {
            throw DecodingFailure("an entry is for an object of another shard")
        }
        let installed: Installed
        do throws(DecodingFailure) {
            installed = try install(entry, index: index, epoch: epoch, entryBytes: entryBytes, isSpeculative: false)
        } catch {
            // What cannot be read is not absent: an edit of it does not fit, and that is no fault of the log.
            if isDamaged { return }
            throw error
        }
        if isDamaged { return }
        note(installed.record, emptiedAt: installed.leavesEmpty ? index : nil)
        drop(entry.id, settledBelow: entry.settledBelow, windowAgeMs: entry.windowAgeMs)
    }

    /// What an entry changed, in order: the source of item events. The ordinal of an event is its
    /// place among the changes that are events (`ObjectChange.isEvent`).
    public static func changes(in payload: [UInt8]) throws(DecodingFailure) -> OperationEntry? {
        guard case .operation(let entry) = try ShardEntry(payload: payload) else { return nil }
        return entry
    }

    struct Installed {
        var result: RecordedResult
        var record: EventRecord?
        var leavesEmpty: Bool
    }

    /// Makes the entry's changes; owner and replica alike.
    mutating func install(
        _ entry: OperationEntry, index: UInt64, epoch: UInt64, entryBytes: Int, isSpeculative: Bool
    ) throws(DecodingFailure) -> Installed {
        var undo = undo(
            index, epoch,
            .operation(
                entry.object, entry.id, settledBelow: entry.settledBelow, windowAgeMs: entry.windowAgeMs))
        // One look-up; the object is changed where it is.
        let made = try objects[changing: entry.object].make(
            entry, index: index, versionFloor: &versionFloor, speculation: &speculation,
            isSpeculative: isSpeculative)
        if made.isEmpty { emptiedIndex = index }
        for step in made.sessions { sessionIndex.count(step, of: entry.object) }
        let record = entry.isWatched ? eventRecord(entry, made, index: index, epoch: epoch) : nil
        if isSpeculative {
            undo.stepCount = entry.changes.count
            undo.touchedIndex = made.touchedBefore
            undo.touchedEvents = made.eventsBefore
            undo.record = record
            undo.leavesEmpty = made.isEmpty
            speculation.undos.append(undo)
        }
        if entry.id != nil {
            window.record(entry, made.result, index: index, epoch: epoch, entryBytes: entryBytes)
        }
        logTimeMs = max(logTimeMs, entry.timeMs)
        windowAgeMs = max(windowAgeMs, entry.windowAgeMs)
        lastIndex = index
        return Installed(result: made.result, record: record, leavesEmpty: made.isEmpty)
    }

    private func eventRecord(
        _ entry: OperationEntry, _ made: ObjectState.Made, index: UInt64, epoch: UInt64
    ) -> EventRecord {
        EventRecord(
            object: entry.object, epoch: epoch, index: index,
            previousTouched: made.touchedBefore, previousEvents: made.eventsBefore, wasPresent: made.touchedBefore > 0,
            leavesEmpty: made.isEmpty, events: made.events)
    }

    /// A committed entry: what it told, and whether it left an object empty that nobody watches.
    private mutating func note(_ record: EventRecord?, emptiedAt index: UInt64?) {
        if let record {
            history.append(record)
        } else if let index {
            history.noteUnwatchedEmptied(index: index)
        }
    }

    func undo(_ index: UInt64, _ epoch: UInt64, _ kind: Speculation.Kind) -> Speculation.Undo {
        Speculation.Undo(
            index: index, epoch: epoch, entry: kind, logTimeMs: logTimeMs, windowAgeMs: windowAgeMs,
            versionFloor: versionFloor, emptiedIndex: emptiedIndex, lastIndex: lastIndex)
    }

    /// What a committed entry lets go of.
    private mutating func drop(_ id: OperationID?, settledBelow: UInt64, windowAgeMs: UInt64) {
        if case .edge(let stream, _) = id { window.settle(stream, below: settledBelow) }
        window.age(to: windowAgeMs)
    }
}

// MARK: - Commit and roll back

extension ShardState {
    /// The entries up to `index` are committed: they can no longer be taken back. Answers what the
    /// subscribers of watched objects are to hear of them, in order.
    @discardableResult
    public mutating func committed(through index: UInt64) -> [EventRecord] {
        var records: [EventRecord] = []
        while !speculation.undos.isEmpty, speculation.undos[0].index <= index {
            let undo = speculation.undos.removeFirst()
            speculation.steps.removeFirst(undo.stepCount)
            switch undo.entry {
            case .operation(_, let id, let settledBelow, let windowAgeMs):
                drop(id, settledBelow: settledBelow, windowAgeMs: windowAgeMs)
                note(undo.record, emptiedAt: undo.leavesEmpty ? undo.index : nil)
                if let record = undo.record { records.append(record) }
            case .retirement(let incarnations):
                window.retire(incarnations)
            case .bounds, .nothing: break
            }
            committedIndex = undo.index
            committedEpoch = undo.epoch
            // Before any later entry counts as committed: the child begins exactly here.
            if let split = bounds.newestSplit, split.index == undo.index { splitOff() }
        }
        return records
    }

    /// Takes back all speculative entries above `index`, the newest first.
    public mutating func rollBack(above index: UInt64) {
        precondition(index >= committedIndex, "O3: what is committed is never taken back")
        while let undo = speculation.undos.last, undo.index > index {
            speculation.undos.removeLast()
            switch undo.entry {
            case .operation(let object, let id, _, _):
                restore(object, undo)
                if let id { window.forget(id, object, index: undo.index) }
            case .bounds(let before): bounds = before
            case .retirement, .nothing: break
            }
            logTimeMs = undo.logTimeMs
            windowAgeMs = undo.windowAgeMs
            versionFloor = undo.versionFloor
            emptiedIndex = undo.emptiedIndex
            lastIndex = undo.lastIndex
        }
    }

    private mutating func restore(_ id: ObjectID, _ undo: Speculation.Undo) {
        // In memory: what has uncommitted entries differs from what is stored.
        let steps = speculation.steps.suffix(undo.stepCount)
        for step in objects[changing: id].takeBack(undo, steps) { sessionIndex.count(step, of: id) }
        speculation.steps.removeLast(undo.stepCount)
    }
}

extension ObjectState {
    /// Takes back the steps of one entry, the last first.
    mutating func takeBack(
        _ undo: Speculation.Undo, _ steps: some BidirectionalCollection<Speculation.Step>
    ) -> [SessionStep] {
        var sessions: [SessionStep] = []
        for step in steps.reversed() {
            switch step {
            case .item(let name, let item): _ = replace(name, with: item)
            case .settings: encryption.removeLast()
            case .encryption(let previous): encryption = previous
            case .session(let connection, let record):
                let undone = replace(connection, with: record)
                sessions.append(
                    SessionStep(before: undone?.attachment.incarnation, after: record?.attachment.incarnation))
            }
        }
        touchedIndex = undo.touchedIndex
        touchedEvents = undo.touchedEvents
        return sessions
    }
}

extension ObjectChange {
    /// Whether subscribers hear of it: all but the silent end of expired items, encryption settings, and
    /// where a connection has its socket.
    public var isEvent: Bool {
        switch self {
        case .put, .edit, .remove, .joined, .left: true
        case .expire, .settings, .forgotten, .attached, .restored: false
        }
    }
}

extension ObjectState {
    struct Made {
        var result: RecordedResult
        var isEmpty: Bool
        /// 0 if the object was not there.
        var touchedBefore: UInt64
        var eventsBefore: UInt8
        /// Of a watched object's entry.
        var events: [ObjectEvent] = []
        var sessions: [SessionStep] = []
    }

    /// Makes an entry's changes; for a speculative one, with the steps that take them back.
    mutating func make(
        _ entry: OperationEntry, index: UInt64, versionFloor: inout UInt64, speculation: inout Speculation,
        isSpeculative: Bool
    ) throws(DecodingFailure) -> Made {
        let before = (touched: touchedIndex, events: touchedEvents)
        var events: [ObjectEvent] = []
        var sessions: [SessionStep] = []
        for change in entry.changes {
            let step = try make(change, versionFloor: &versionFloor)
            if case .session(let connection, let previous) = step {
                sessions.append(
                    SessionStep(
                        before: previous?.attachment.incarnation,
                        after: session(connection)?.attachment.incarnation))
            }
            if entry.isWatched, let event = change.event(in: self, step) { events.append(event) }
            if isSpeculative { speculation.steps.append(step) }
        }
        touchedIndex = index
        touchedEvents = UInt8(clamping: entry.changes.count { $0.hasOrdinal })
        return Made(
            result: try result(of: entry), isEmpty: isEmpty, touchedBefore: before.touched,
            eventsBefore: before.events, events: events, sessions: sessions)
    }

    /// Makes one change and says how to take it back.
    mutating func make(
        _ change: ObjectChange, versionFloor: inout UInt64
    ) throws(DecodingFailure) -> Speculation.Step {
        switch change {
        case .put(let name, let item):
            let previous = replace(name, with: item)
            // Only what comes from a backup is older than what it replaces.
            if let previous, item.updatedAt < previous.updatedAt {
                versionFloor = max(versionFloor, previous.updatedAt)
            }
            return .item(name, previous)
        case .edit(let name, let edits, let updatedAt, let expiresAt):
            guard let previous = item(name), let value = previous.value.applying(edits) else {
                throw DecodingFailure("an edit does not fit the item that it is for")
            }
            let item = Item(
                value: value, createdAt: previous.createdAt, updatedAt: updatedAt, expiresAt: expiresAt,
                keyVersion: nil)
            return .item(name, replace(name, with: item))
        case .remove(let name), .expire(let name):
            let previous = replace(name, with: nil)
            if let previous { versionFloor = max(versionFloor, previous.updatedAt) }
            return .item(name, previous)
        case .settings(let settings):
            encryption.append(settings)
            return .settings
        case .restored(let encryption, let floor):
            let previous = self.encryption
            self.encryption = encryption
            versionFloor = max(versionFloor, floor)
            return .encryption(previous)
        case .joined(let connection, let attachment, let presence):
            let record = SessionRecord(connection: connection, attachment: attachment, presence: presence)
            return .session(connection, replace(connection, with: record))
        case .left(let connection), .forgotten(let connection):
            return .session(connection, replace(connection, with: nil))
        case .attached(let connection, let attachment):
            let record = SessionRecord(
                connection: connection, attachment: attachment, presence: session(connection)?.presence)
            return .session(connection, replace(connection, with: record))
        }
    }

    /// The answer that follows from the entry, once its changes are made.
    func result(of entry: OperationEntry) throws(DecodingFailure) -> RecordedResult {
        switch entry.outcome {
        case .noContent, .read: return .noContent
        case .refused(let refusal): return .refused(refusal)
        case .settings: return .settings(encryption)
        case .item:
            guard let name = entry.changes.last?.putName, let item = item(name) else {
                throw DecodingFailure("an entry answers with an item that it did not make")
            }
            return .item(NamedItem(name: name, item: item))
        case .items:
            var items: [NamedItem] = []
            for change in entry.changes {
                if let name = change.putName, let item = item(name) {
                    items.append(NamedItem(name: name, item: item))
                }
            }
            return .items(items.sorted { $0.name < $1.name })
        }
    }
}

extension ObjectChange {
    fileprivate var putName: ItemName? {
        switch self {
        case .put(let name, _), .edit(let name, _, _, _): name
        default: nil
        }
    }
}
