import Binary

// How a shard's state gets into the store, and begins again from there.
extension ShardState {
    /// Begins from a checkpoint: its head, and a source with its objects.
    public init(head: [UInt8], source: any ObjectSource) throws(DecodingFailure) {
        let contents = try ShardHead(head)
        self.init(range: contents.bounds.range, source: source)
        bounds = contents.bounds
        committedIndex = contents.index
        lastIndex = contents.index
        committedEpoch = contents.epoch
        checkpointIndex = contents.index
        logTimeMs = contents.logTimeMs
        windowAgeMs = contents.windowAgeMs
        versionFloor = contents.versionFloor
        emptiedIndex = contents.emptiedIndex
        objects.tally = contents.tally
        isTallySettled = contents.isTallySettled
        sessionIndex = contents.sessions
        window = contents.window
        history = contents.history
    }

    /// Whether anything committed is not in the newest checkpoint that was begun, or anything is dirty after it was
    /// taken back.
    public var hasUncheckpointed: Bool {
        committedIndex > checkpointIndex || (speculation.undos.isEmpty && !objects.changed.isEmpty)
    }

    public var isCheckpointing: Bool { objects.captured != nil }

    /// Takes what is committed and not in the store yet, in time proportional to the objects that have changed and to
    /// what is speculative. Nil while a checkpoint is under way: one at a time.
    public mutating func beginCheckpoint() -> ShardCheckpoint? {
        precondition(!isDamaged, "O12: a state that cannot read its objects is not stored")
        guard !isCheckpointing else { return nil }
        var head = ShardHead(
            bounds: bounds, index: committedIndex, epoch: committedEpoch, logTimeMs: logTimeMs,
            windowAgeMs: windowAgeMs, versionFloor: versionFloor, emptiedIndex: emptiedIndex, tally: tally, isTallySettled: isTallySettled,
            sessions: sessionIndex, window: window, history: history)
        #if PLANTED_BUGS
        if PlantedBug.isActive(.applyTwiceAfterCheckpoint), head.index > 0 { head.index -= 1 }
        #endif
        let committed = takeBack(from: &head)
        let checkpoint = ShardCheckpoint(head, objects.capture(committed: committed))
        checkpointBefore = (checkpointIndex, uncheckpointedBytes)
        checkpointIndex = committedIndex
        uncheckpointedBytes = 0
        return checkpoint
    }

    /// O3: takes what is not committed out of a copy, and answers the objects concerned as they are without.
    private func takeBack(from head: inout ShardHead) -> [ObjectID: ObjectState] {
        guard let first = speculation.undos.first else { return [:] }
        head.logTimeMs = first.logTimeMs
        head.windowAgeMs = first.windowAgeMs
        head.versionFloor = first.versionFloor
        head.emptiedIndex = first.emptiedIndex
        var committed: [ObjectID: ObjectState] = [:]
        var stepsEnd = speculation.steps.endIndex
        for undo in speculation.undos.reversed() {
            switch undo.entry {
            case .operation(let id, let operation, _, _):
                let steps = speculation.steps[(stepsEnd - undo.stepCount)..<stepsEnd]
                stepsEnd -= undo.stepCount
                let sessions = committed[id, default: objects[id] ?? ObjectState()].takeBack(undo, steps)
                for step in sessions { head.sessions.count(step, of: id) }
                if let operation { head.window.forget(operation, id, index: undo.index) }
            case .bounds(let before): head.bounds = before
            case .retirement, .nothing: break
            }
        }
        for (id, state) in committed {
            head.tally.change(id, from: objects[id]?.size ?? ObjectState.Size(), to: state.size)
        }
        return committed
    }

    /// The checkpoint is durable, and the source answers from it.
    public mutating func endCheckpoint() {
        objects.endCapture()
        checkpointBefore = nil
    }

    /// The checkpoint under way may not have become durable: all of it will be in the next one.
    public mutating func abandonCheckpoint() {
        objects.abandonCapture()
        guard let before = checkpointBefore else { return }
        checkpointIndex = before.index
        uncheckpointedBytes += before.bytes
        checkpointBefore = nil
    }

    /// Somebody has counted what is stored: `stored` are the sums of `StoredObject.tally` over all objects in the
    /// checkpoint's range, exactly as of that checkpoint.
    public mutating func settleTally(stored: Tally, of checkpoint: ShardCheckpoint) {
        guard !isTallySettled else { return }
        objects.tally = objects.tally + (stored - checkpoint.tally)
        isTallySettled = true
    }
}

// MARK: - Memory

extension ShardState {
    /// Lets objects leave memory that were not used since `idleSinceMs`, and says how many it looked at, at most
    /// `limit`. What is not stored yet leaves with the next checkpoint. Times are of a clock that never goes back. To
    /// be called regularly: a use counts from the call before it.
    public mutating func hibernate(nowMs: UInt64, idleSinceMs: UInt64, atMost limit: Int) -> Int {
        objects.hibernate(nowMs: nowMs, idleSinceMs: idleSinceMs, atMost: limit)
    }

    /// The same for want of memory, idle or not: the least recently used, until no more than `toBytes` are loaded.
    public mutating func evict(toBytes targetBytes: Int, atMost limit: Int) -> Int {
        objects.evict(toBytes: targetBytes, atMost: limit)
    }

    /// What loaded objects take of the heap, estimated; and of that, what is not stored yet and so cannot leave.
    public var loadedBytes: Int { objects.loadedBytes }
    public var dirtyBytes: Int { objects.dirtyBytes }
    /// Objects in memory.
    public var loadedCount: Int { objects.loadedCount }
    /// Objects that are stored only.
    public var coldCount: Int { max(0, objectCount - loadedCount) }
    /// Objects that left memory, and that came back, since the process began.
    public var hibernatedTotal: UInt64 { objects.statistics.left }
    public var wokenTotal: UInt64 { objects.statistics.loaded }

    /// Takes over another state, from a snapshot; the sums of this one go on.
    public mutating func replace(with next: ShardState) {
        let statistics = objects.statistics
        self = next
        objects.statistics = statistics
    }
}
