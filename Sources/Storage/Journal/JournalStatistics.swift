/// Counters of a journal since it was opened.
public struct JournalStatistics: Equatable, Sendable {
    /// Appends acknowledged.
    public var appends: UInt64 = 0
    public var records: UInt64 = 0
    /// Batches written: one write and one fdatasync each.
    public var batches: UInt64 = 0
    /// Every fdatasync of the journal's thread, those of a change of segment included.
    public var syncs: UInt64 = 0
    /// Bytes of batches written.
    public var bytes: UInt64 = 0
    /// From the start of the write to the return of its fdatasync.
    public var latency = LatencyHistogram()
    /// Segments that are there, the one being written to included, and the size of their files.
    public var liveSegments = 0
    public var liveBytes = 0
    /// Those of them that an earlier process has written to: they may need former data keys.
    public var formerSegments = 0
    /// Segments that were needed no more.
    public var droppedSegments: UInt64 = 0
    /// Segments copied into the archive; those that wait for it; and what is wrong with it, if anything: a gap, too.
    public var archivedSegments: UInt64 = 0
    public var archiveLagSegments: UInt64 = 0
    public var archiveError: String?

    public init() {}
}

/// Counts durations in fixed buckets.
public struct LatencyHistogram: Equatable, Sendable {
    /// Upper bounds in microseconds, the bound included; one more bucket holds what is longer.
    public static let boundsUs: [UInt64] = [
        50, 75, 100, 150, 200, 300, 500, 750, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000,
        500_000, 1_000_000,
    ]

    public private(set) var counts = [UInt64](repeating: 0, count: boundsUs.count + 1)
    public private(set) var sumUs: UInt64 = 0
    public private(set) var longestUs: UInt64 = 0

    public init() {}

    public mutating func record(_ durationUs: UInt64) {
        let bucket = Self.boundsUs.firstIndex { durationUs <= $0 } ?? Self.boundsUs.count
        counts[bucket] += 1
        sumUs &+= durationUs
        longestUs = max(longestUs, durationUs)
    }

    public var count: UInt64 { counts.reduce(0, +) }

    /// An upper bound of the given quantile (0...1): the bound of the bucket that it falls into.
    public func quantileUs(_ quantile: Double) -> UInt64 {
        let rank = UInt64((Double(count) * min(max(quantile, 0), 1)).rounded(.up))
        var seen: UInt64 = 0
        for (bucket, bound) in Self.boundsUs.enumerated() {
            seen += counts[bucket]
            if seen >= max(rank, 1) { return min(bound, longestUs) }
        }
        return longestUs
    }
}
