import Binary
import DequeModule

/// The objects of one shard and the window of recent operations on them.
///
/// The owner executes ahead of the log and can take back what is not committed; a replica applies
/// committed entries. Both end in the same function, so equal logs make equal states, to the byte of
/// their snapshots.
public struct ShardState: Sendable {
    var objects = ObjectTable()
    var window = OperationWindow()
    var speculation = Speculation()
    /// What listeners may have missed; in no snapshot.
    var history = EventHistory()

    /// The highest time of any entry: the log's own clock, which never goes back.
    public internal(set) var logTimeMs: UInt64 = 0
    /// How long owners have served this shard, as far as entries tell: grows with their raw clocks alone.
    /// Between owners it stands still, so that keys are kept longer, never shorter (O10).
    public internal(set) var windowAgeMs: UInt64 = 0
    /// No removed item of this shard had a higher version; new items start above.
    var versionFloor: UInt64 = 0
    /// The newest entry that left an object without content, and so without a record of its own.
    var emptiedIndex: UInt64 = 0
    /// The newest entry, committed or not.
    public internal(set) var lastIndex: UInt64 = 0
    public internal(set) var committedIndex: UInt64 = 0
    public internal(set) var committedEpoch: UInt64 = 0

    /// How many connections each object remembers, by the incarnation of their edge. Only looked up, or sorted.
    var sessionObjects: [UInt64: [ObjectID: Int]] = [:]

    public internal(set) var itemCount = 0
    /// Names and values of all items.
    public internal(set) var byteCount = 0

    public init() {}

    public var objectCount: Int { objects.count }

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

    /// Names of the objects in order: for lists and explanations, not for hot paths.
    public func objectIDs() -> [ObjectID] { objects.ids() }
}

// MARK: - The owner's path

extension ShardState {
    /// Executes a request against memory. A `write` is in force here at once and must be proposed as
    /// the entry of `context.nextIndex`.
    public mutating func execute(_ request: Request, _ context: ExecutionContext) -> Execution {
        precondition(context.nextIndex > lastIndex, "O3: an entry's index is above all before it")
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
        let draft = Planner.draft(
            request.operation,
            Planner(
                object: objects.awake(request.object) ?? ObjectState(), context: context, nowMs: nowMs,
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
        let answer = Answer(reply ?? installed.result.reply, index: context.nextIndex)
        return .write(payload: payload, answer)
    }

    /// Ends the keeping of operation ids of edge incarnations that are fenced (O10): a speculative entry
    /// like any other.
    public mutating func executeRetirement(
        of incarnations: [UInt64], _ context: ExecutionContext
    ) -> (payload: [UInt8], index: UInt64) {
        precondition(context.nextIndex > lastIndex, "O3: an entry's index is above all before it")
        speculation.undos.append(undo(context.nextIndex, context.epoch, .retirement(incarnations)))
        lastIndex = context.nextIndex
        return (ShardState.retirePayload(incarnations: incarnations), context.nextIndex)
    }

    public static func retirePayload(incarnations: [UInt64]) -> [UInt8] {
        ShardEntry.retirement(incarnations: incarnations).encode()
    }
}
