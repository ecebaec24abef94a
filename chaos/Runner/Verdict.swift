import HoldfastClient
import Simulation

/// What a run comes to.
protocol RunVerdict {
    /// No promise is broken.
    var isClean: Bool { get }
    var meetsGoals: Bool { get }
    var text: String { get }
}

/// What the history of the load has shown.
struct LoadFindings {
    private static let shownMax = 20

    private let overdue: [String]
    private let failures: [String]
    private let report: CheckReport
    private let miscounts: [Violation]
    let tally: Tally

    init(_ history: History, final: FinalState, failures: [String], overdue: [String]) {
        self.overdue = overdue
        self.failures = failures
        report = LinearizabilityChecker().check(history)
        miscounts = ExactlyOnce.check(history, final: final.items)
        tally = Tally(history, final)
    }

    /// No promise is broken.
    var isClean: Bool {
        report.isClean && miscounts.isEmpty && failures.isEmpty && overdue.isEmpty && tally.lost == 0
            && tally.doubled == 0 && tally.acknowledged > 0
    }

    var counts: [String] {
        [
            "operations          \(tally.operations), acknowledged \(tally.acknowledged), conflicts \(tally.conflicts), "
                + "refused \(tally.refused)",
            "unknown outcomes    \(tally.unknown)",
            "failed at survivors \(failures.count)",
            "lost                \(tally.lost)",
            "doubled             \(tally.doubled)",
            "linearizability     \(report.items) items, \(report.violations.count) violations, "
                + "\(report.undecided.count) undecided",
        ]
    }

    /// What is wrong, some of each kind.
    var faults: [String] {
        failures.prefix(Self.shownMax).map { "FAILED AT A SURVIVOR: " + $0 }
            + overdue.map { "OVERDUE: " + $0 }
            + (report.violations + miscounts).prefix(Self.shownMax).map {
                "VIOLATION in \($0.object): \($0.message)"
            }
            + report.undecided.prefix(Self.shownMax).map { "UNDECIDED: " + $0 }
    }
}

/// What the run has shown.
struct Verdict: RunVerdict {
    private let scenario: Options.Scenario
    private let withParent: Bool
    private let faults: [FaultReport]
    private let load: LoadFindings
    /// What a scenario has to tell beside.
    private let notes: [String]

    init(run: Run, load: LoadFindings) {
        scenario = run.options.scenario
        withParent = run.options.withParent
        faults = run.faults
        notes = run.notes
        self.load = load
    }

    var isClean: Bool { load.isClean }

    /// The pauses are within the goals: those of an obituary, or of the lease.
    var meetsGoals: Bool {
        let pauses = faults.compactMap(\.slowestPauseMs)
        guard let worst = pauses.max() else { return true }
        if scenario == .pauseOwner || withParent { return worst <= 3_000 }
        return worst <= 500 && (Self.median(faults.compactMap(\.hottestPauseMs)) ?? 0) <= 100
    }

    var text: String {
        var lines = load.counts + pauseLines + notes + load.faults
        if !meetsGoals { lines.append("the pauses are beyond the goals") }
        lines.append(
            isClean ? "\(scenario.rawValue): all promises kept" : "\(scenario.rawValue): BROKEN PROMISES")
        return lines.joined(separator: "\n")
    }

    private var pauseLines: [String] {
        let rows: [(String, [Double])] = [
            ("pause, hottest object", faults.compactMap(\.hottestPauseMs)),
            ("pause, slowest object", faults.compactMap(\.slowestPauseMs)),
            ("until ready again", faults.map(\.readyAfterMs)),
        ]
        return rows.compactMap { name, values in
            guard let median = Self.median(values), let worst = values.max() else { return nil }
            return
                "\(name): median \(milliseconds(median)), worst \(milliseconds(worst)), \(values.count) faults"
        }
    }

    static func median(_ values: [Double]) -> Double? {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}

/// Plain counts, by rules simple enough to need no trust.
struct Tally {
    var operations = 0
    var acknowledged = 0
    var conflicts = 0
    var refused = 0
    var unknown = 0
    /// Acknowledged pushes that are not in their list, and what counters lack.
    var lost = 0
    /// Pushes that are in their list more than once, and what counters have too much.
    var doubled = 0

    init(_ history: History, _ final: FinalState) {
        var added: [String: (acknowledged: Int, open: Int)] = [:]
        var pushed: [String: [UInt64]] = [:]
        for operation in history.operations {
            operations += 1
            switch operation.outcome {
            case .answered: acknowledged += 1
            case .conflict: conflicts += 1
            case .refused: refused += 1
            case .unknown: unknown += 1
            }
            let isAnswered = if case .answered = operation.outcome { true } else { false }
            if case .push(let element) = operation.call, isAnswered {
                pushed[operation.object, default: []].append(element)
            }
            guard case .increment = operation.call else { continue }
            if isAnswered { added[operation.object, default: (0, 0)].acknowledged += 1 }
            if operation.outcome == .unknown { added[operation.object, default: (0, 0)].open += 1 }
        }
        for entry in final.items {
            compare(entry.shows, added[entry.object] ?? (0, 0), pushed[entry.object] ?? [])
        }
    }

    private mutating func compare(
        _ shows: Observation, _ added: (acknowledged: Int, open: Int), _ pushed: [UInt64]
    ) {
        switch shows {
        case .number(let number):
            lost += max(0, added.acknowledged - Int(number))
            doubled += max(0, Int(number) - added.acknowledged - added.open)
        case .list(let list):
            let present = Set(list)
            lost += pushed.filter { !present.contains($0) }.count
            doubled += list.count - present.count
        case .absent: lost += added.acknowledged + pushed.count
        case .value, .nothing: break
        }
    }
}
