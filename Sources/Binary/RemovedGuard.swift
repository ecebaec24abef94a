#if PLANTED_BUGS
/// Guards that a build with `-D PLANTED_BUGS` can leave out, one at a time, so that the regression test of the
/// bug that each keeps away can be seen to fail (`scripts/regressions-can-fail`). No other build has any of this.
///
/// Beside `PlantedBug`: the simulator must find those by chance, while each of these belongs to one named test.
public enum RemovedGuard: String, CaseIterable, Sendable {
    case changeMembersBeforeOwnEntry = "change-members-before-own-entry"
    case ignoreTermOfRefusals = "ignore-term-of-refusals"
    case preVoteResetsTimer = "pre-vote-resets-timer"
    case campaignWithoutPreVote = "campaign-without-pre-vote"
    case keepConfigurationOverSnapshot = "keep-configuration-over-snapshot"
    case promoteWithoutCatchUp = "promote-without-catch-up"
    case truncateToKnownCommit = "truncate-to-known-commit"
    case matchByIndexOnly = "match-by-index-only"
    case leadWithoutLog = "lead-without-log"
    case applyUncommitted = "apply-uncommitted"
    case matchWritesByIndex = "match-writes-by-index"
    case startWithHole = "start-with-hole"
    case countSoleCopyBeforeSync = "count-sole-copy-before-sync"
    case skipRecordChecksum = "skip-record-checksum"
    case dropDamagedBatch = "drop-damaged-batch"
    case takeLowerTerms = "take-lower-terms"
    case confirmBeforeOwnEntry = "confirm-before-own-entry"
    case reuseRound = "reuse-round"
    case shortenLease = "shorten-lease"
    case fenceBeforeLeaseEnds = "fence-before-lease-ends"
    case answerReadsUnchecked = "answer-reads-unchecked"
    case compactPastFollowers = "compact-past-followers"
    case countNewHalfOnly = "count-new-half-only"

    /// The one guard that is left out in this process. Set once, before the first test.
    nonisolated(unsafe) public static var active: RemovedGuard?

    @inlinable
    public static func isRemoved(_ guarded: RemovedGuard) -> Bool { active == guarded }
}
#endif
