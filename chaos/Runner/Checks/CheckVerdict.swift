import Simulation

/// What one check says of a transcript.
struct CheckVerdict: Equatable {
    enum State: String {
        case kept, broken
        /// The search was given up: neither right nor wrong.
        case undecided
    }

    private static let examplesMax = 10

    /// The promise that is checked.
    var name: String
    var state: State
    /// What was looked at, in numbers.
    var detail: String
    var examples: [String] = []

    init(_ name: String, faults: [String], undecided: Bool = false, detail: String) {
        self.name = name
        self.detail = detail
        state = !faults.isEmpty ? .broken : undecided ? .undecided : .kept
        examples = Array(faults.prefix(Self.examplesMax))
    }
}

/// Puts a transcript before the checks of its workload: while it runs and from a file, by the same code.
enum TranscriptCheck {
    static func check(_ transcript: Transcript) -> [CheckVerdict] {
        var verdicts: [CheckVerdict] = []
        if !transcript.operations.isEmpty {
            verdicts += [linearizable(transcript), exactlyOnce(transcript)]
        }
        if transcript.workload == WorkloadKind.ring.rawValue { verdicts.append(RingCheck.check(transcript)) }
        if !transcript.hearings.isEmpty { verdicts.append(EventStreamCheck.check(transcript)) }
        if transcript.workload == WorkloadKind.presence.rawValue { verdicts.append(PresenceCheck.check(transcript)) }
        verdicts.append(
            CheckVerdict("possible answers", faults: transcript.impossible, detail: "answers of the promised shape"))
        verdicts.append(
            CheckVerdict("recovery", faults: transcript.overdue, detail: "all is served again within the bounds"))
        verdicts.append(work(transcript))
        return verdicts
    }

    private static func linearizable(_ transcript: Transcript) -> CheckVerdict {
        let report = LinearizabilityChecker().check(transcript.operations)
        return CheckVerdict(
            "linearizable", faults: report.violations.map { "\($0.object): \($0.message)" },
            undecided: !report.undecided.isEmpty,
            detail: "\(report.operations) operations on \(report.items) items")
    }

    private static func exactlyOnce(_ transcript: Transcript) -> CheckVerdict {
        let items = transcript.final.map {
            (object: $0.object, item: PlannedOperation.item, shows: $0.shows)
        }
        let faults = ExactlyOnce.check(History(transcript.operations), final: items)
        // Who has acknowledged anything must have a final state to show for it.
        let shown = Set(transcript.final.map(\.object))
        let unseen = Set(transcript.operations.map(\.object)).subtracting(shown).sorted()
        return CheckVerdict(
            "exactly once",
            faults: faults.map { "\($0.object): \($0.message)" } + unseen.map { "\($0): nobody read it in the end" },
            detail: "\(items.count) items read at the end")
    }

    /// A run without work has tested nothing.
    private static func work(_ transcript: Transcript) -> CheckVerdict {
        let answered = transcript.operations.filter {
            if case .answered = $0.outcome { true } else { false }
        }
        let done = answered.count + transcript.acknowledged.count
        return CheckVerdict(
            "work", faults: done > 0 ? [] : ["nothing was acknowledged"], detail: "\(done) operations acknowledged")
    }
}
