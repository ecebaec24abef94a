import HoldfastClient
import Simulation

/// What a drill has shown. Times count from just before the kill; nil: not within the drill's bound.
public struct DrillReport: Sendable {
    public var scene: DrillScene
    public var detectionMs: Double?
    public var takeoverMs: Double?
    public var firstAnswerMs: Double?
    /// The longest time without any answer.
    public var silenceMs: Double?
    /// Until the cluster was whole again.
    public var wholeMs: Double?
    public var successor: ShardView?
    public var operations = 0
    public var acknowledged = 0
    public var unknown = 0
    /// Calls whose clients were left with an error, and some of these errors.
    public var failed = 0
    public var errors: [String] = []
    public var lost = 0
    public var doubled = 0
    public var violations: [Violation] = []
    /// Items that could not be read at the end.
    public var unread: [String] = []
    /// Objects that could not be removed; they vanish by themselves after a day.
    public var leftOver: [String] = []
    /// The kill command did not end well, although the owner is gone.
    public var hasCommandFailed = false

    public init(scene: DrillScene) { self.scene = scene }

    mutating func take(_ watch: TakeoverWatch, _ gaps: AnswerGaps) {
        detectionMs = watch.detectedNs.map(Self.milliseconds)
        takeoverMs = watch.takenOverNs.map(Self.milliseconds)
        firstAnswerMs = watch.firstAnswerNs.map(Self.milliseconds)
        successor = watch.successor
        silenceMs = Self.milliseconds(gaps.longestNs)
    }

    /// All calls of the load, and the reads at the end.
    mutating func take(_ records: [LiveRecord], object: String) {
        let calls = records.filter { $0.operation.process != WindowCheck.reader }
        let final = records.filter { $0.operation.process == WindowCheck.reader }.compactMap { record in
            if case .answered(let shows, _) = record.operation.outcome {
                return (object: record.operation.object, item: record.operation.item, shows: shows)
            }
            return nil
        }
        let tally = Tally(History(calls.map(\.operation)), final: final)
        (operations, acknowledged, unknown) = (tally.operations, tally.acknowledged, tally.unknown)
        (lost, doubled) = (tally.lost, tally.doubled)
        errors = calls.compactMap(\.error)
        failed = errors.count
        var check = WindowCheck(objects: [object])
        violations = check.close(records).violations
    }

    private static func milliseconds(_ ns: UInt64) -> Double { Double(ns) / 1e6 }

    /// 0 nothing lost and nothing doubled, 3 the same, but the shard was not served or read again within the bound,
    /// 4 something was lost or doubled, or answers contradict each other.
    public var exitStatus: Int32 {
        if lost > 0 || doubled > 0 || !violations.isEmpty { return 4 }
        return takeoverMs == nil || firstAnswerMs == nil || !unread.isEmpty ? 3 : 0
    }
}
