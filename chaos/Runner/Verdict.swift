import HoldfastClient
import LiveChecks
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
        tally = Tally(history, final: final.items)
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
