import Placement
import Raft

/// The holder's side of O5: asks in time, counts from its own send time, on both of its clocks.
struct LeaseHolder {
    private(set) var until = Deadline.passed
    private var askedAtMs: UInt64 = 0
    private(set) var gained: UInt64 = 0
    private(set) var lost: UInt64 = 0
    private var wasHeld = false

    func isHeld(_ now: Clocks) -> Bool { !until.isOverForHolder(now) }

    /// Whether it is time to ask: a quarter of the lease after the last time, sooner without a lease.
    mutating func shouldAsk(durationMs: UInt64, now: Clocks) -> Bool {
        let nowMs = now.rawNs / 1_000_000
        let held = isHeld(now)
        if wasHeld, !held {
            lost += 1
            wasHeld = false
        }
        let interval = held ? durationMs / 4 : min(50, durationMs / 4)
        guard nowMs >= askedAtMs + interval || askedAtMs == 0 else { return false }
        askedAtMs = nowMs
        return true
    }

    /// Takes a grant that answers a request of this process. True if the lease is longer now.
    mutating func take(_ grant: LeaseGrant, settings: LeaseSettings, now: Clocks) -> Bool {
        guard PlacementLimits.leaseDurationMs.contains(grant.durationMs) else { return false }
        // O5: D·(1−2ρ) from the send time; the drift is the one that the state knows.
        let runsNs = grant.durationMs * (1000 - 2 * settings.driftPerMille) * 1000
        guard grant.sentBootNs <= now.bootNs, grant.sentSteadyNs <= now.steadyNs else { return false }
        let end = Deadline(bootNs: grant.sentBootNs &+ runsNs, steadyNs: grant.sentSteadyNs &+ runsNs)
        guard end.bootNs > until.bootNs else { return false }
        if !wasHeld { gained += 1 }
        wasHeld = true
        until = end
        return true
    }

    /// The rest of the lease in milliseconds, 0 when it is over.
    func remainingMs(_ now: Clocks) -> UInt64 {
        guard isHeld(now) else { return 0 }
        return min(until.bootNs - now.bootNs, until.steadyNs - now.steadyNs) / 1_000_000
    }
}
