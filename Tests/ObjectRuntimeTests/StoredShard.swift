import Testing

@testable import ObjectRuntime

/// A shard over a store, beside a twin of everything in memory that never stores, evicts or restarts. Both are
/// compared in all that can be seen.
struct StoredShard {
    let source = MemoryObjectSource()
    var state: ShardState
    var twin = ShardState()
    /// The twin at the checkpoint under way.
    var pending: (checkpoint: ShardCheckpoint, twin: ShardState)?
    var operations: RandomOperations
    var nowMs: UInt64 = 1000
    var ageMs: UInt64 = 0
    var rawMs: UInt64 = 1
    var log: [(index: UInt64, payload: [UInt8])] = []
    var round: UInt64 = 0
    var connections: [ConnectionID] = []
    var restarts = 0

    init(seed: UInt64) {
        state = ShardState(source: source)
        operations = RandomOperations(seed: seed)
    }

    var context: ExecutionContext {
        ExecutionContext(
            nowMs: nowMs, windowAgeMs: ageMs, epoch: 1, nextIndex: state.lastIndex + 1, random: (round, 7),
            isWatched: round % 2 == 0)
    }

    mutating func step() throws {
        round += 1
        nowMs += UInt64(operations.below(4))
        ageMs += UInt64(operations.below(9000))
        switch operations.below(30) {
        case 0, 1: commit(through: state.lastIndex)
        case 2: commit(through: state.committedIndex + UInt64(operations.below(4)))
        case 3: rollBack(to: state.committedIndex + UInt64(operations.below(3)))
        case 4, 5, 6: try beginCheckpoint()
        case 7, 8: try endCheckpoint()
        case 9: abandonCheckpoint(isStored: operations.below(2) == 0)
        case 10: _ = state.evict(toBytes: operations.below(2) * state.loadedBytes / 2, atMost: operations.below(9))
        case 11, 12: hibernate()
        case 13: if operations.below(3) == 0 { try restart() }
        case 14: expire()
        case 15: retire()
        default: execute()
        }
    }

    // MARK: Both do it

    private mutating func execute() {
        let operation = operations.below(8) == 0 ? session() : operations.operation(nowMs: nowMs)
        let request = Request(
            object: operations.object(), operation: operation, id: operations.id(counter: round),
            settledBelow: round - min(round, 30))
        let context = context
        let execution = state.execute(request, context)
        #expect(execution == twin.execute(request, context))
        if case .write(let payload, let answer) = execution { log.append((answer.index, payload)) }
    }

    private mutating func session() -> Operation {
        if connections.count < 6 { connections.append(ConnectionID(unique: round, proof: 0)) }
        let connection = connections[operations.below(connections.count)]
        let attachment = Attachment(incarnation: UInt64(operations.below(3)), number: UInt64(operations.below(2)))
        switch operations.below(3) {
        case 0: return .session(.join(connection, attachment, SocketPayload(json: [0x31])))
        case 1: return .session(.leave(connection, attachment))
        default: return .session(.resume(connection, attachment))
        }
    }

    private mutating func expire() {
        let (context, keys) = (context, source.due(atMs: nowMs, limit: 3))
        let made = state.executeExpiry(of: keys, context) { $0.id == "o1" }
        let other = twin.executeExpiry(of: keys, context) { $0.id == "o1" }
        #expect(made?.payload == other?.payload)
        if let made { log.append((made.index, made.payload)) }
    }

    private mutating func retire() {
        guard operations.below(20) == 0 else { return }
        let context = context
        let made = state.executeRetirement(of: [1], context)
        #expect(made?.payload == twin.executeRetirement(of: [1], context)?.payload)
        if let made { log.append((made.index, made.payload)) }
    }

    mutating func commit(through index: UInt64) {
        #expect(state.committed(through: index) == twin.committed(through: index))
    }

    private mutating func rollBack(to index: UInt64) {
        state.rollBack(above: index)
        twin.rollBack(above: index)
        log.removeAll { $0.index > index }
    }

    // MARK: The stored one alone

    mutating func beginCheckpoint() throws {
        guard pending == nil else {
            #expect(state.beginCheckpoint() == nil)
            return
        }
        let checkpoint = state.beginCheckpoint()
        pending = (try #require(checkpoint), twin)
        #expect(state.uncheckpointedBytes == 0)
    }

    mutating func endCheckpoint() throws {
        guard let (checkpoint, twin) = pending else { return }
        pending = nil
        source.take(checkpoint)
        try compareStored(with: twin)
        state.endCheckpoint()
    }

    /// One that was begun before a split: nothing to compare it with.
    mutating func endOldCheckpoint() {
        guard let (checkpoint, _) = pending else { return }
        pending = nil
        source.take(checkpoint)
        state.endCheckpoint()
    }

    private mutating func abandonCheckpoint(isStored: Bool) {
        guard let (checkpoint, _) = pending else { return }
        pending = nil
        if isStored { source.take(checkpoint) }
        state.abandonCheckpoint()
    }

    private mutating func hibernate() {
        rawMs += UInt64(operations.below(50))
        _ = state.hibernate(
            nowMs: rawMs, idleSinceMs: rawMs - min(rawMs, UInt64(operations.below(60))), atMost: operations.below(5))
    }

    /// Begins again from what is stored, and the log. What was speculative is lost with the process.
    mutating func restart() throws {
        guard let head = source.head else { return }
        restarts += 1
        pending = nil
        rollBack(to: state.committedIndex)
        state = try ShardState(head: head, source: source)
        for entry in log where entry.index > state.committedIndex {
            try state.apply(payload: entry.payload, index: entry.index, epoch: 1)
        }
    }

    // MARK: Comparing

    /// What lies in the store, to the byte, is what the twin would store whole.
    private func compareStored(with twin: ShardState) throws {
        var twin = twin
        let begun = twin.beginCheckpoint()
        let whole = try #require(begun)
        var expected: [StoreKey: [UInt8]] = [:]
        for case .put(let key, _, let bytes) in whole.changes() { expected[key] = bytes }
        #expect(source.records == expected)
        #expect(source.head == whole.head())
    }

    func compare() throws {
        #expect(state.encodeSnapshot() == twin.encodeSnapshot())
        #expect(state.objectIDs() == twin.objectIDs() && state.window == twin.window)
        #expect(state.lastIndex == twin.lastIndex && state.committedIndex == twin.committedIndex)
        #expect(state.tally == twin.tally && state.sessionIndex == twin.sessionIndex)
        #expect(state.objects.tally == state.objectIDs().reduce(into: Tally()) {
            $0.add(StoredObject(id: $1, state: state.objects[$1] ?? ObjectState()).tally)
        })
        let entries = state.objects.entries.filter { !$0.flags.contains(.free) }
        #expect(state.loadedBytes == entries.reduce(0) { $0 + $1.heapBytes })
        #expect(state.dirtyBytes == entries.reduce(0) { $0 + ($1.isDirty ? $1.heapBytes : 0) })
        #expect(state.loadedCount == entries.count { !$0.state.isEmpty } && !state.isDamaged)
    }
}
