/// Bugs planted on purpose, to test the tests. They exist only in builds with `-D PLANTED_BUGS`
/// (`scripts/planted-bugs`); in every other build `isActive` does not exist and cannot be called.
///
/// Each site reads `#if PLANTED_BUGS` … `#endif`, so a normal build contains none of them.
public enum PlantedBug: String, CaseIterable, Sendable {
    case voteTwice = "vote-twice"
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    case skipEpochCheck = "skip-epoch-check"
    case readWithoutLease = "read-without-lease"
    case grantBeforeOwnTerm = "grant-before-own-term"
    case serveBeforeBarrier = "serve-before-barrier"
    case assignOverLiveOwner = "assign-over-live-owner"
    case answerSealWithoutLog = "answer-seal-without-log"
    case countLearner = "count-learner"
    case installOverNewer = "install-over-newer"
    case restartEdgeCounter = "restart-edge-counter"
    case dropUnsettledOperation = "drop-unsettled-operation"
    case dropLastEvent = "drop-last-event"
    case replayOneTooEarly = "replay-one-too-early"
    case leaveTwice = "leave-twice"
    case dropSegmentTooEarly = "drop-segment-too-early"
    case coverBeforeStored = "cover-before-stored"
    case evictDirty = "evict-dirty"
    case applyTwiceAfterCheckpoint = "apply-twice-after-checkpoint"

    #if PLANTED_BUGS
    /// The one bug that is active in this process. Set once, before the first node starts.
    nonisolated(unsafe) public static var active: PlantedBug?

    @inlinable
    public static func isActive(_ bug: PlantedBug) -> Bool { active == bug }
    #endif
}
