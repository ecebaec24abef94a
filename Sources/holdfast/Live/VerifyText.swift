import HoldfastClient
import LiveChecks
import Simulation

/// What `holdfast verify` prints.
enum VerifyText {
    private static let shownMax = 10

    static let title = row("WINDOW", "CALLS", "REFUSED", "UNKNOWN", "P50 MS", "P99 MS", "VIOLATIONS")

    static func lines(_ interval: VerifyInterval) -> String {
        var lines = [
            row(
                "\(interval.number)", "\(interval.operations)", "\(interval.refused)", "\(interval.unknown)",
                BenchReport.fixed(interval.p50Ms, 2), BenchReport.fixed(interval.p99Ms, 2),
                "\(interval.violations.count)")
        ]
        lines += interval.silent.map { "  no answer from \($0)" }
        if let error = interval.error { lines.append("  an error: \(error)") }
        lines += interval.undecided.map { "  not decided: \($0)" }
        lines += interval.violations.prefix(shownMax).map { "VIOLATION in \($0.object)/\($0.item): \($0.message)" }
        return lines.joined(separator: "\n")
    }

    static func lines(_ verdict: VerifyVerdict) -> String {
        var lines = [
            "\(verdict.operations) calls in \(verdict.intervals) windows, \(verdict.answered) answered, "
                + "\(verdict.unknown) of unknown outcome, \(verdict.violations.count) violations"
        ]
        if let file = verdict.historyFile { lines.append("the history is in \(file)") }
        lines += leftOver(verdict.leftOver)
        switch verdict.exitStatus {
        case 0: lines.append("verify: all promises kept")
        case 3: lines.append("verify: NOT ALL COULD BE CHECKED")
        default: lines.append("verify: BROKEN PROMISES")
        }
        return lines.joined(separator: "\n")
    }

    static func leftOver(_ objects: [String]) -> [String] {
        objects.map { "not removed: \($0); it vanishes within a day" }
    }

    static func json(_ interval: VerifyInterval) -> JSON {
        [
            "window": .integer(interval.number), "calls": .integer(interval.operations),
            "answered": .integer(interval.answered), "conflicts": .integer(interval.conflicts),
            "refused": .integer(interval.refused), "unknown": .integer(interval.unknown),
            "p50Ms": .real(interval.p50Ms), "p99Ms": .real(interval.p99Ms),
            "silent": .array(interval.silent.map(JSON.string)),
            "undecided": .array(interval.undecided.map(JSON.string)),
            "violations": json(interval.violations),
        ]
    }

    static func json(_ verdict: VerifyVerdict) -> JSON {
        [
            "windows": .integer(verdict.intervals), "calls": .integer(verdict.operations),
            "answered": .integer(verdict.answered), "unknown": .integer(verdict.unknown),
            "undecided": .integer(verdict.undecided), "violations": json(verdict.violations),
            "historyFile": verdict.historyFile.map(JSON.string) ?? .null,
            "leftOver": .array(verdict.leftOver.map(JSON.string)),
        ]
    }

    static func json(_ violations: [Violation]) -> JSON {
        .array(
            violations.map { violation in
                [
                    "object": .string(violation.object), "item": .string(violation.item),
                    "message": .string(violation.message),
                ]
            })
    }

    /// Lines come one by one, so widths are fixed.
    private static func row(_ cells: String...) -> String {
        cells.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }.joined(separator: " ")
    }
}
