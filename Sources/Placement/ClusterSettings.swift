import Binary

/// How an owner may answer reads.
public enum ReadMode: UInt8, Sendable, CaseIterable {
    /// From memory while its lease lasts (O4).
    case lease = 1
    /// Always by a barrier: for machines whose clocks may stop (O5).
    case quorum = 2
}

/// How long a lease lasts, and how long leases granted earlier may still last (O5).
public struct LeaseSettings: Sendable, Equatable {
    /// D of new grants.
    public internal(set) var durationMs: UInt64
    /// The longest D that may still be in force: what a leader waits before it fences.
    public internal(set) var longestMs: UInt64
    /// Raised by every change of D; settling names it, so that an old settling never meets a new D.
    public internal(set) var revision: UInt64
    /// ρ: how far a clock may drift from true time.
    public internal(set) var driftPerMille: UInt64

    public init(durationMs: UInt64) {
        self.durationMs = durationMs
        longestMs = durationMs
        revision = 0
        driftPerMille = 10
    }

    /// How long the holder may count on a lease of D from its own send time: D·(1−2ρ).
    public var holderDurationMs: UInt64 { durationMs * (1000 - 2 * driftPerMille) / 1000 }

    public var isSettled: Bool { longestMs == durationMs }

    /// A longer D counts at once for whoever waits; a shorter one only when it is settled.
    mutating func setDuration(_ newDurationMs: UInt64) {
        guard newDurationMs != durationMs else { return }
        durationMs = newDurationMs
        longestMs = max(longestMs, newDurationMs)
        revision += 1
    }

    mutating func settle() {
        longestMs = durationMs
    }

    mutating func setDrift(perMille: UInt64) {
        driftPerMille = perMille
    }
}

/// What an operator may change about the whole cluster while it runs.
public struct ClusterSettings: Sendable, Equatable {
    public internal(set) var lease: LeaseSettings
    public internal(set) var reads: ReadMode
    /// How long a node may be dead before its replicas are made anew on others.
    public internal(set) var replaceAfterMs: UInt64
    /// Wanted voters of each shard; fewer where there are fewer nodes.
    public internal(set) var replicasPerShard: Int

    /// - Parameter replicasPerShard: brought within `PlacementLimits.replicasPerShard`.
    public init(
        lease: LeaseSettings, reads: ReadMode = .lease, replaceAfterMs: UInt64 = 600_000, replicasPerShard: Int = 3
    ) {
        let bounds = PlacementLimits.replicasPerShard
        self.lease = lease
        self.reads = reads
        self.replaceAfterMs = replaceAfterMs
        self.replicasPerShard = min(max(replicasPerShard, bounds.lowerBound), bounds.upperBound)
    }
}

extension ClusterSettings: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(lease.durationMs)
        writer.writeVariable(lease.longestMs)
        writer.writeVariable(lease.revision)
        writer.writeVariable(lease.driftPerMille)
        writer.write(reads)
        writer.writeVariable(replaceAfterMs)
        writer.writeVariable(replicasPerShard)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        try self.init(fromFirstFormat: &reader, replicasPerShard: 1)
        replaceAfterMs = try reader.readVariable()
        replicasPerShard = try reader.readCount(limit: PlacementLimits.replicasPerShard.upperBound)
        guard PlacementLimits.replaceAfterMs.contains(replaceAfterMs),
            PlacementLimits.replicasPerShard.contains(replicasPerShard)
        else { throw DecodingFailure("the settings for replicas are out of their bounds") }
    }

    /// As 0.2.0 wrote it, when the genesis record alone said how many replicas there are.
    init(fromFirstFormat reader: inout ByteReader, replicasPerShard: Int) throws(DecodingFailure) {
        var lease = LeaseSettings(durationMs: try reader.readVariable())
        lease.longestMs = try reader.readVariable()
        lease.revision = try reader.readVariable()
        lease.driftPerMille = try reader.readVariable()
        let reads = try ReadMode(from: &reader)
        guard PlacementLimits.leaseDurationMs.contains(lease.durationMs),
            PlacementLimits.leaseDurationMs.contains(lease.longestMs), lease.longestMs >= lease.durationMs,
            lease.revision < UInt64.max / 2, PlacementLimits.driftPerMille.contains(lease.driftPerMille)
        else { throw DecodingFailure("the lease settings are out of their bounds") }
        self.init(lease: lease, reads: reads, replicasPerShard: replicasPerShard)
    }
}

extension ReadMode: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        guard let mode = ReadMode(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown way to read")
        }
        self = mode
    }
}
