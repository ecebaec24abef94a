import Simulation

/// What a verification is to do.
public struct VerifyOptions: Sendable {
    public var ratePerSecond = 50.0
    public var clients = 6
    public var objects = 4
    /// Length of a window.
    public var intervalSeconds = 5.0
    /// Nil: until it is stopped.
    public var seconds: Double? = 60
    /// Where the history of a violation goes.
    public var historyFile = "holdfast-verify.jsonl"
    public var seed: UInt64

    public init(seed: UInt64) { self.seed = seed }
}

/// One window, as it is told while the run goes on.
public struct VerifyInterval: Sendable {
    public internal(set) var number = 0
    public internal(set) var operations = 0
    public internal(set) var answered = 0
    public internal(set) var conflicts = 0
    public internal(set) var refused = 0
    public internal(set) var unknown = 0
    public internal(set) var p50Ms = 0.0
    public internal(set) var p99Ms = 0.0
    public internal(set) var violations: [Violation] = []
    public internal(set) var undecided: [String] = []
    /// Endpoints that did not answer the reads at the end.
    public internal(set) var silent: [String] = []
    /// One of the errors that clients got.
    public internal(set) var error: String?

    init(number: Int, _ records: [LiveRecord]) {
        self.number = number
        let calls = records.filter { $0.operation.process != WindowCheck.reader }
        operations = calls.count
        for call in calls {
            switch call.operation.outcome {
            case .answered: answered += 1
            case .conflict: conflicts += 1
            case .refused: refused += 1
            case .unknown: unknown += 1
            }
        }
        error = calls.lazy.compactMap(\.error).first
        let times = calls.filter { $0.error == nil }.compactMap { call in
            call.operation.returnedNs.map { Double($0 - call.operation.invokedNs) / 1e6 }
        }.sorted()
        p50Ms = Self.percentile(50, of: times)
        p99Ms = Self.percentile(99, of: times)
    }

    /// One of the values, which are sorted; 0 if there are none.
    static func percentile(_ percent: Int, of sorted: [Double]) -> Double {
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, (sorted.count * percent + 99) / 100 - 1)]
    }
}

/// All windows together.
public struct VerifyVerdict: Sendable {
    public internal(set) var intervals = 0
    public internal(set) var operations = 0
    public internal(set) var answered = 0
    public internal(set) var unknown = 0
    public internal(set) var violations: [Violation] = []
    public internal(set) var undecided = 0
    /// Set if a history was written.
    public internal(set) var historyFile: String?
    /// Objects of the run that could not be removed. They vanish by themselves a day after they were last written.
    public internal(set) var leftOver: [String] = []

    public init() {}

    mutating func add(_ interval: VerifyInterval) {
        intervals += 1
        operations += interval.operations
        answered += interval.answered + interval.conflicts
        unknown += interval.unknown
        violations += interval.violations
        undecided += interval.undecided.count
    }

    /// 0 no violation, 3 something could not be checked, 4 a promise is broken.
    public var exitStatus: Int32 {
        if !violations.isEmpty { return 4 }
        return answered == 0 || undecided > 0 ? 3 : 0
    }
}
