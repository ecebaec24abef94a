// Two neighbours become one shard (O13).
extension ShardState {
    /// The shard of both, whose log begins above `committedIndex`, the higher of the two. Both are frozen for it, and
    /// nothing of either is speculative or in a checkpoint under way. It begins thawed.
    ///
    /// Everything loaded that is not stored stays to be stored; the first checkpoint makes the new shard's head.
    public static func merged(
        _ left: ShardState, _ right: ShardState, source: (any ObjectSource)?
    ) -> ShardState {
        checkMerge(left, right)
        let (leftRange, rightRange) = (left.bounds.range, right.bounds.range)
        var merged = ShardState(range: leftRange.lowerBound...rightRange.upperBound, source: source)
        merged.objects = left.objects
        merged.objects.source = source
        merged.objects.merge(right.objects)
        merged.window = .merged(
            left.window, ageMs: left.windowAgeMs, leftRange, right.window, ageMs: right.windowAgeMs, rightRange)
        merged.sessionIndex = left.sessionIndex
        merged.sessionIndex.merge(right.sessionIndex)
        merged.history = left.history
        merged.history.merge(right.history)
        merged.logTimeMs = max(left.logTimeMs, right.logTimeMs)
        merged.windowAgeMs = max(left.windowAgeMs, right.windowAgeMs)
        merged.versionFloor = max(left.versionFloor, right.versionFloor)
        merged.emptiedIndex = max(left.emptiedIndex, right.emptiedIndex)
        merged.committedIndex = max(left.committedIndex, right.committedIndex)
        merged.lastIndex = merged.committedIndex
        merged.committedEpoch = max(left.committedEpoch, right.committedEpoch)
        merged.isTallySettled = left.isTallySettled && right.isTallySettled
        return merged
    }

    private static func checkMerge(_ left: ShardState, _ right: ShardState) {
        for state in [left, right] {
            precondition(state.speculation.undos.isEmpty, "O3: only what is committed is merged")
            precondition(!state.isDamaged, "O12: what cannot be read is not merged")
            precondition(!state.isCheckpointing, "O13: a merge waits for the checkpoints under way")
        }
        precondition(
            left.bounds.frozenBy != nil && left.bounds.frozenBy == right.bounds.frozenBy,
            "O13: both are frozen for the same merge")
        precondition(
            left.bounds.range.upperBound < .max
                && left.bounds.range.upperBound + 1 == right.bounds.range.lowerBound,
            "O13: only neighbours are merged")
    }
}
