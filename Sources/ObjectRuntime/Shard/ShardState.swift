import Binary
import DequeModule

/// The objects of one shard, before the store that keeps them, and the window of recent operations on them.
///
/// The owner executes ahead of the log and can take back what is not committed; a replica applies
/// committed entries. Both end in the same function, so equal logs make equal states, to the byte of
/// their snapshots. What has changed goes into the store by checkpoints; idle objects leave memory then. Belongs to
/// one loop.
///
/// When a stored object cannot be read, `damage` says so, for good. Whoever drives the state asks after each call and
/// lets nothing out of it any more.
public struct ShardState: Sendable {
    var objects: ObjectTable
    public internal(set) var bounds: ShardBounds
    var window = OperationWindow()
    var speculation = Speculation()
    /// What listeners may have missed.
    var history = EventHistory()

    /// The highest time of any entry: the log's own clock, which never goes back.
    public internal(set) var logTimeMs: UInt64 = 0
    /// How long owners have served this shard, as far as entries tell: grows with their raw clocks alone.
    /// Between owners it stands still, so that keys are kept longer, never shorter (O10).
    public internal(set) var windowAgeMs: UInt64 = 0
    /// No removed item of this shard had a higher version; new items start above.
    public internal(set) var versionFloor: UInt64 = 0
    /// The newest entry that left an object without content, and so without a record of its own.
    var emptiedIndex: UInt64 = 0
    /// The newest entry, committed or not.
    public internal(set) var lastIndex: UInt64 = 0
    public internal(set) var committedIndex: UInt64 = 0
    public internal(set) var committedEpoch: UInt64 = 0

    var sessionIndex = SessionIndex()

    /// Log bytes of what was executed or applied since the last checkpoint was begun.
    public internal(set) var uncheckpointedBytes = 0
    /// Where the newest checkpoint was begun.
    public internal(set) var checkpointIndex: UInt64 = 0
    /// Of the checkpoint under way: what to go back to if it is abandoned.
    var checkpointBefore: (index: UInt64, bytes: Int)?
    /// False after a split or in its child, until somebody has counted what is stored (`settleTally`).
    public internal(set) var isTallySettled = true
    /// Children of splits that were committed and not yet taken.
    var children: [SplitChild] = []

    /// Without a source all objects stay in memory.
    public init(range: ClosedRange<UInt64> = 0...UInt64.max, source: (any ObjectSource)? = nil) {
        objects = ObjectTable(source: source)
        bounds = ShardBounds(range: range)
    }

    /// Where the objects are stored.
    public var source: (any ObjectSource)? {
        get { objects.source }
        set { objects.source = newValue }
    }

    /// Of all objects, stored ones too, what is speculative included.
    public var tally: Tally { objects.tally }
    public var objectCount: Int { objects.tally.objects }
    public var itemCount: Int { objects.tally.items }
    /// Names and values of all items.
    public var byteCount: Int { objects.tally.bytes }
    /// By project, in order of name.
    public var usage: [ProjectUsage] { objects.tally.usage }

    /// Entries that are executed but not committed.
    public var speculativeCount: Int { speculation.undos.count }

    /// Edge incarnations whose operation ids are kept: candidates for `retirement` once fenced.
    public var streamIncarnations: [UInt64] {
        var result: [UInt64] = []
        for stream in window.streams where result.last != stream.id.incarnation {
            result.append(stream.id.incarnation)
        }
        return result
    }

    /// Operation ids in the window, both kinds.
    public var windowCount: Int {
        window.streams.reduce(window.clients.count) { $0 + $1.records.count }
    }

    /// The newest entry that touched the object. For an object without content this is the newest that
    /// emptied any: never less than the truth, so that an object's index never falls.
    public func touchedIndex(of object: ObjectID) -> UInt64 {
        objects.touchedIndex(of: object) ?? emptiedIndex
    }

    /// An item as it is now, speculation included; expired ones too.
    public func item(_ name: ItemName, of object: ObjectID) -> Item? {
        objects[object]?.item(name)
    }

    /// Names of the objects in order: for lists and explanations, not for hot paths. Reads everything.
    public func objectIDs() -> [ObjectID] { objects.ids(in: bounds.range) }

    /// A stored object could not be read. Nothing that this state says afterwards may be let out, and nothing may be
    /// executed or applied.
    public var damage: SourceFailure? { objects.damage.failure }
    public var isDamaged: Bool { objects.damage.failure != nil }
}

// MARK: - The owner's path

extension ShardState {
    /// Executes a request against memory. A `write` is in force here at once and must be proposed as
    /// the entry of `context.nextIndex`.
    public mutating func execute(_ request: Request, _ context: ExecutionContext) -> Execution {
        checkNext(context)
        if let unavailable = refusal(of: request.object) { return .unavailable(unavailable) }
        let execution = executeInRange(request, context)
        return isDamaged ? .unavailable(.damaged) : execution
    }

    func checkNext(_ context: ExecutionContext) {
        precondition(context.nextIndex > lastIndex, "O3: an entry's index is above all before it")
        precondition(!isDamaged, "O12: a state that cannot read its objects executes nothing")
    }

    /// O13: keys that are another shard's, and everything while the shard is frozen.
    @inline(__always)
    func refusal(of object: ObjectID) -> Unavailability? {
        if !bounds.range.contains(object.key.rawValue) { return .outOfRange }
        return bounds.frozenBy == nil ? nil : .frozen
    }

    private mutating func executeInRange(_ request: Request, _ context: ExecutionContext) -> Execution {
        do throws(Refusal) {
            try context.limits.check(request.object)
        } catch {
            return read(.refused(error), request.object)
        }
        let nowMs = max(context.nowMs, logTimeMs)
        let ageMs = max(context.windowAgeMs, windowAgeMs)
        // What the owner lets out for these is no part of the object, which may sleep on.
        if request.operation.passesBy { return read(.noContent, request.object) }
        let writeID = request.operation.isWrite ? request.id : nil
        if let writeID, let known = answerFromWindow(writeID, request, context, ageMs) { return known }
        let object = objects.awake(request.object)
        // A draft of what cannot be read must not be installed.
        if isDamaged { return .unavailable(.damaged) }
        let draft = Planner.draft(
            request.operation,
            Planner(
                object: object ?? ObjectState(), context: context, nowMs: nowMs,
                versionFloor: versionFloor))
        if draft.isPassing || draft.changes.isEmpty && !ShardState.isRecordedAlways(writeID) {
            return read(draft.reply ?? reply(to: draft.outcome, request.object), request.object)
        }
        let entry = OperationEntry(
            id: writeID, settledBelow: writeID == nil ? 0 : request.settledBelow, object: request.object,
            timeMs: nowMs, windowAgeMs: ageMs, changes: draft.changes, outcome: draft.outcome,
            isWatched: context.isWatched)
        return write(entry, draft.reply, context)
    }

    private func answerFromWindow(
        _ id: OperationID, _ request: Request, _ context: ExecutionContext, _ ageMs: UInt64
    ) -> Execution? {
        switch window.find(id, request) {
        case .found(let result, let index, let epoch):
            var answer = Answer(result.reply, index: index, replayed: true)
            answer.epoch = epoch
            return .replay(answer, restsOn: index)
        case .refused(let refusal, let restsOn):
            let answer = Answer(.refused(refusal), index: touchedIndex(of: request.object))
            return .read(answer, restsOn: restsOn > committedIndex ? restsOn : 0)
        case .new:
            guard ShardState.isRecordedAlways(id), window.isFull(at: ageMs, context.limits) else {
                return nil
            }
            return read(.refused(.windowFull), request.object)
        }
    }

    /// A client may repeat its key much later, so its first answer is kept even if nothing changed.
    private static func isRecordedAlways(_ id: OperationID?) -> Bool {
        if case .client = id { return true }
        return false
    }

    private func read(_ reply: Reply, _ object: ObjectID) -> Execution {
        let index = touchedIndex(of: object)
        return .read(Answer(reply, index: index), restsOn: index > committedIndex ? index : 0)
    }

    /// The answer of a write that changes nothing.
    private func reply(to outcome: EntryOutcome, _ object: ObjectID) -> Reply {
        switch outcome {
        case .noContent, .item, .read: .noContent
        case .items: .json(Rendering.map([]))
        case .settings: .json(Rendering.settings(objects[object]?.encryption ?? []))
        case .refused(let refusal): .refused(refusal)
        }
    }

    mutating func write(
        _ entry: OperationEntry, _ reply: Reply?, _ context: ExecutionContext
    ) -> Execution {
        let payload = entry.encode()
        let installed = try? install(
            entry, index: context.nextIndex, epoch: context.epoch, entryBytes: payload.count,
            isSpeculative: true)
        guard let installed else { preconditionFailure("O3: an entry fits the state that it was made from") }
        uncheckpointedBytes += payload.count
        let answer = Answer(reply ?? installed.result.reply, index: context.nextIndex)
        return .write(payload: payload, answer)
    }

    /// Ends the keeping of operation ids of edge incarnations that are fenced (O10): a speculative entry
    /// like any other. Nil while the shard is frozen.
    public mutating func executeRetirement(
        of incarnations: [UInt64], _ context: ExecutionContext
    ) -> (payload: [UInt8], index: UInt64)? {
        guard bounds.frozenBy == nil else { return nil }
        let payload = ShardState.retirePayload(incarnations: incarnations)
        return (execute(payload, .retirement(incarnations), context), context.nextIndex)
    }

    public static func retirePayload(incarnations: [UInt64]) -> [UInt8] {
        ShardEntry.retirement(incarnations: incarnations).encode()
    }

    /// An entry that touches no object.
    mutating func execute(
        _ payload: [UInt8], _ kind: Speculation.Kind, _ context: ExecutionContext
    ) -> [UInt8] {
        checkNext(context)
        speculation.undos.append(undo(context.nextIndex, context.epoch, kind))
        lastIndex = context.nextIndex
        uncheckpointedBytes += payload.count
        return payload
    }
}
