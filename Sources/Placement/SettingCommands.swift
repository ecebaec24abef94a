/// Commands that change settings of the whole cluster.
extension PlacementState {
    mutating func changeSetting(_ command: Command) -> CommandResult {
        switch command {
        case .setLeaseDuration(let milliseconds):
            guard PlacementLimits.leaseDurationMs.contains(milliseconds) else { return .refused(.outOfRange) }
            settings.lease.setDuration(milliseconds)
        case .settleLeaseDuration(let revision):
            guard revision == settings.lease.revision else { return .refused(.revisionMoved) }
            settings.lease.settle()
        case .setClockDrift(let perMille):
            guard PlacementLimits.driftPerMille.contains(perMille) else { return .refused(.outOfRange) }
            settings.lease.setDrift(perMille: perMille)
        case .setReadMode(let mode):
            settings.reads = mode
        case .setReplacement(let afterMs):
            guard PlacementLimits.replaceAfterMs.contains(afterMs) else { return .refused(.outOfRange) }
            settings.replaceAfterMs = afterMs
        case .setReplicasPerShard(let count):
            guard PlacementLimits.replicasPerShard.contains(count) else { return .refused(.outOfRange) }
            settings.replicasPerShard = count
        default:
            preconditionFailure("not a setting")
        }
        return .done
    }
}
