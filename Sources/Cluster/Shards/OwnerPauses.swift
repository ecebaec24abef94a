import Placement

/// How long nobody served a shard around the last changes of its owner, as this node saw its part of them. The sum
/// of the old owner's part and the new owner's is the whole.
struct OwnerPauses {
    /// From being named to serving, at that epoch.
    private var takeover: (epoch: Epoch, ms: UInt64)?
    /// Since when nothing is admitted for a hand-over that is under way (O8).
    private var handingOverSinceMs: UInt64?
    /// From admitting nothing any more to the table's naming another, at that epoch.
    private var handOver: (epoch: Epoch, ms: UInt64)?

    mutating func stopsAdmitting(nowMs: UInt64) {
        handingOverSinceMs = nowMs
    }

    /// The table has a new epoch; `gaveAway` if this node proposed it.
    mutating func changes(to epoch: Epoch, gaveAway: Bool, nowMs: UInt64) {
        if let since = handingOverSinceMs, gaveAway { handOver = (epoch, nowMs - min(nowMs, since)) }
        handingOverSinceMs = nil
    }

    mutating func serves(at epoch: Epoch, afterMs ms: UInt64) {
        takeover = (epoch, ms)
    }

    func report(into report: inout ShardReport) {
        report.takeoverPauseMs = takeover?.ms
        report.takeoverEpoch = takeover?.epoch.rawValue ?? 0
        report.handOverMs = handOver?.ms
        report.handOverEpoch = handOver?.epoch.rawValue ?? 0
    }
}
