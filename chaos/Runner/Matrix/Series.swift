import HoldfastClient

/// Throughput and latency over time, in so many equal parts that a page can draw.
struct Series {
    struct Part {
        var done = 0
        var failed = 0
        var latenciesMs: [Double] = []
    }

    private static let partsMax = 160
    private static let shortestNs: UInt64 = 200_000_000

    let fromNs: UInt64
    let untilNs: UInt64
    let partNs: UInt64
    private(set) var parts: [Part]
    /// When operations were done, in order.
    private let doneNs: [UInt64]

    init(_ samples: [Sample], fromNs: UInt64, untilNs: UInt64) {
        self.fromNs = fromNs
        self.untilNs = untilNs
        let lasted = max(1, untilNs - fromNs)
        partNs = max(Self.shortestNs, lasted / UInt64(Self.partsMax) + 1)
        parts = [Part](repeating: Part(), count: Int(lasted / partNs) + 1)
        let within = samples.filter { $0.atNs >= fromNs && $0.atNs <= untilNs }
        doneNs = within.filter(\.isDone).map(\.atNs).sorted()
        for sample in within { note(sample) }
    }

    private mutating func note(_ sample: Sample) {
        let position = Int((sample.atNs - fromNs) / partNs)
        guard sample.isDone else {
            parts[position].failed += 1
            return
        }
        parts[position].done += 1
        parts[position].latenciesMs.append(Double(sample.atNs - min(sample.atNs, sample.invokedNs)) / 1e6)
    }

    /// The longest time without any answer that overlaps with `from` to `to`.
    func longestSilenceMs(from: UInt64, to: UInt64) -> Double {
        let edges = [fromNs] + doneNs + [untilNs]
        var longest: UInt64 = 0
        for (before, after) in zip(edges, edges.dropFirst()) where after > from && before < to {
            longest = max(longest, after - before)
        }
        return Double(longest) / 1e6
    }

    var done: Int { doneNs.count }
    var failed: Int { parts.reduce(0) { $0 + $1.failed } }

    /// For each part: done, failed, median and 99th percentile of the latency.
    var json: JSON {
        [
            "partMs": .integer(partNs / 1_000_000), "done": .array(parts.map { .integer($0.done) }),
            "failed": .array(parts.map { .integer($0.failed) }),
            "p50": .array(parts.map { Self.tenths(percentile(50, of: $0.latenciesMs)) }),
            "p99": .array(parts.map { Self.tenths(percentile(99, of: $0.latenciesMs)) }),
        ]
    }

    static func tenths(_ value: Double?) -> JSON {
        guard let value else { return .null }
        return value >= 100 ? .integer(Int(value.rounded())) : .real((value * 10).rounded() / 10)
    }
}
