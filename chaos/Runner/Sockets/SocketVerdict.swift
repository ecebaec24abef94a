import HoldfastClient

/// What a run with sockets has shown.
struct SocketVerdict: RunVerdict {
    private static let shownMax = 20
    private static let silenceGoalMs = 500.0
    private static let resumeBoundMs = 3_000.0

    private let run: SocketRun

    init(_ run: SocketRun) {
        self.run = run
    }

    private var isKillSockets: Bool { run.options.scenario == .killSockets }

    /// Members resume within 3 s, or that is a broken promise and no missed goal.
    private var slowResumes: [String] {
        guard isKillSockets else { return [] }
        return run.faults.compactMap { fault in
            guard let took = fault.resumeMs, took > Self.resumeBoundMs else { return nil }
            return "after the death of \(fault.node) a resume took \(milliseconds(took))"
        }
    }

    var isClean: Bool {
        run.audit.isClean && run.overdue.isEmpty && run.dropped.isEmpty && run.failedWrites.isEmpty
            && run.flaws.isEmpty && slowResumes.isEmpty && !(isKillSockets && run.restarts > 0)
            && run.writes > 0 && run.faults.count == run.options.rounds
    }

    var meetsGoals: Bool { run.faults.allSatisfy { $0.silenceMs <= Self.silenceGoalMs } }

    var text: String {
        let audit = run.audit
        var lines = [
            "acknowledged writes    \(run.writes), \(rate) a second, failed \(run.failedWrites.count)",
            "events to be seen      \(audit.expected)",
            "missed                 \(audit.missed)",
            "repeated               \(audit.repeated)",
            "out of order           \(audit.outOfOrder)",
            "of no known write      \(audit.foreign)",
            "gaps                   \(audit.gaps)",
            "dropped at survivors   \(run.dropped.count)",
            "resumed                \(run.resumes), under another id \(run.restarts)",
        ]
        if isKillSockets { lines.append("flaws of presence      \(run.flaws.count)") }
        lines += pauses
        lines += audit.examples.map { "EVENTS: " + $0 }
        lines += run.dropped.prefix(Self.shownMax).map { "DROPPED: " + $0 }
        lines += run.failedWrites.prefix(Self.shownMax).map { "FAILED AT A SURVIVOR: " + $0 }
        lines += run.flaws.prefix(Self.shownMax).map { "PRESENCE: " + $0 }
        lines += (run.overdue + slowResumes).prefix(Self.shownMax).map { "OVERDUE: " + $0 }
        if !meetsGoals { lines.append("the silences are beyond the goal") }
        let name = isKillSockets ? "kill-sockets" : "kill-owner --sockets"
        lines.append(isClean ? "\(name): all promises kept" : "\(name): BROKEN PROMISES")
        return lines.joined(separator: "\n")
    }

    private var rate: Int {
        run.writingSeconds > 0 ? Int((Double(run.writes) / run.writingSeconds).rounded()) : 0
    }

    private var pauses: [String] {
        let rows: [(String, [Double])] = [
            ("longest silence", run.faults.map(\.silenceMs)),
            ("silence of the moved", run.faults.compactMap(\.movedSilenceMs)),
            ("slowest resume", run.faults.compactMap(\.resumeMs)),
            ("leave of the absent one", run.faults.compactMap(\.leaveMs)),
        ]
        return rows.compactMap { name, values in
            guard let median = Verdict.median(values), let worst = values.max() else { return nil }
            return "\(name): median \(milliseconds(median)), worst \(milliseconds(worst)), \(values.count) faults"
        }
    }
}
