import Binary

/// A shard that a split has made, at the entry that made it: its log goes on above `split.index`.
public struct SplitChild: Sendable {
    public var split: ShardSplit
    public var state: ShardState
}

// Split, freeze and thaw: entries that change what a shard is responsible for (O13).
extension ShardState {
    /// Gives the keys from `cut` on to `child`, as a speculative entry: from now on they are refused here. Nil if the
    /// cut is not inside the range, the shard is frozen, or the split before is not committed and taken.
    public mutating func executeSplit(
        at cut: UInt64, child: UInt32, _ context: ExecutionContext
    ) -> (payload: [UInt8], index: UInt64)? {
        guard bounds.frozenBy == nil, canSplit(at: cut), bounds.newestSplit.map({ $0.index <= committedIndex }) ?? true
        else { return nil }
        return executeBounds(.split(cut: cut, child: child), context)
    }

    /// Nil if it is frozen already.
    public mutating func executeFreeze(
        by shard: UInt32, _ context: ExecutionContext
    ) -> (payload: [UInt8], index: UInt64)? {
        bounds.frozenBy == nil ? executeBounds(.freeze(by: shard), context) : nil
    }

    /// Nil if it is not frozen.
    public mutating func executeThaw(_ context: ExecutionContext) -> (payload: [UInt8], index: UInt64)? {
        bounds.frozenBy == nil ? nil : executeBounds(.thaw, context)
    }

    /// An entry that changes nothing; the driver takes a checkpoint exactly there (`beginCheckpoint` when
    /// `committedIndex` is its index). Nil while the shard is frozen.
    public mutating func executeScrub(id: UInt64, _ context: ExecutionContext) -> (payload: [UInt8], index: UInt64)? {
        bounds.frozenBy == nil ? executeBounds(.scrub(id: id), context) : nil
    }

    private mutating func executeBounds(
        _ entry: ShardEntry, _ context: ExecutionContext
    ) -> (payload: [UInt8], index: UInt64) {
        let payload = execute(entry.encode(), .bounds(bounds), context)
        let changed: Void? = try? changeBounds(by: entry, index: context.nextIndex, epoch: context.epoch)
        precondition(changed != nil, "O3: an entry fits the state that it was made from")
        return (payload, context.nextIndex)
    }

    private func canSplit(at cut: UInt64) -> Bool { bounds.range.contains(cut) && cut > bounds.range.lowerBound }

    mutating func changeBounds(by entry: ShardEntry, index: UInt64, epoch: UInt64) throws(DecodingFailure) {
        switch entry {
        case .split(let cut, let child):
            guard canSplit(at: cut) else { throw DecodingFailure("a split lies outside its shard") }
            bounds.newestSplit = ShardSplit(
                range: cut...bounds.range.upperBound, child: child, index: index, epoch: epoch)
            bounds.range = bounds.range.lowerBound...(cut - 1)
        case .freeze(let shard): bounds.frozenBy = shard
        case .thaw: bounds.frozenBy = nil
        case .operation, .retirement, .expiry, .scrub: break
        }
    }

    /// The children of splits that have been committed or applied since the last call. To be asked after each
    /// `committed` and `apply`.
    public mutating func takeChildren() -> [SplitChild] {
        defer { children = [] }
        return children
    }

    /// The split entry is committed: its part of everything goes. Later entries may be executed already, on other
    /// keys; of what all keys share, the child gets what the split entry left.
    mutating func splitOff() {
        guard let split = bounds.newestSplit else { preconditionFailure("O13: a child comes from a split") }
        let kept = bounds.range
        var child = ShardState(range: split.range, source: objects.source)
        objects.split(split.range, into: &child.objects)
        child.window = window.split(keeping: kept, taking: split.range)
        child.sessionIndex = sessionIndex.split { split.range.contains($0.key.rawValue) }
        child.history = history.split { split.range.contains($0.key.rawValue) }
        let next = speculation.undos.first
        child.logTimeMs = next?.logTimeMs ?? logTimeMs
        child.windowAgeMs = next?.windowAgeMs ?? windowAgeMs
        child.versionFloor = next?.versionFloor ?? versionFloor
        child.emptiedIndex = next?.emptiedIndex ?? emptiedIndex
        child.lastIndex = split.index
        child.committedIndex = split.index
        child.committedEpoch = split.epoch
        isTallySettled = false
        child.isTallySettled = false
        children.append(SplitChild(split: split, state: child))
    }
}

extension ShardState {
    /// The shard for which an entry freezes its own; nil for any other entry.
    public static func freezing(_ payload: [UInt8]) -> UInt32? {
        guard case .freeze(let shard)? = try? ShardEntry(payload: payload) else { return nil }
        return shard
    }
}
