/// What the moves have shown.
struct MoveVerdict: RunVerdict {
    private static let pauseGoalMs = 50.0

    let options: Options
    let moves: [MoveReport]
    let sockets: SocketRun
    let load: LoadFindings

    private var dropped: Int { moves.reduce(0) { $0 + $1.socketsDropped } }
    private var lost: Int { moves.reduce(0) { $0 + $1.eventsLost } }

    var isClean: Bool {
        load.isClean && sockets.isClean && moves.count == options.rounds && dropped == 0 && lost == 0
            && load.tally.unknown == 0 && moves.allSatisfy { $0.pauseMs != nil }
    }

    var meetsGoals: Bool {
        [moves.compactMap(\.pauseMs), moves.map(\.gapMs)].allSatisfy {
            percentile(99, of: $0) ?? 0 <= Self.pauseGoalMs
        }
    }

    var text: String {
        var lines = [
            "moves               \(moves.count) of \(options.rounds), \(options.rate) operations a second, "
                + "\(options.subscribers) sockets",
            "told by the cluster sockets dropped \(dropped), events lost \(lost)",
        ]
        lines += load.counts + sockets.counts
        lines += [
            row("pause, by the owners", moves.compactMap(\.pauseMs)),
            row("pause, at the clients", moves.map(\.gapMs)),
            row("slowest operation", moves.map(\.slowestMs)),
            row("gap without a move", moves.map(\.quietMs)),
        ]
        lines += load.faults + sockets.examples
        if !meetsGoals { lines.append("the pauses are beyond the goal of \(milliseconds(Self.pauseGoalMs))") }
        lines.append(isClean ? "move: all promises kept" : "move: BROKEN PROMISES")
        return lines.joined(separator: "\n")
    }

    private func row(_ name: String, _ values: [Double]) -> String {
        "\(name): median \(milliseconds(Verdict.median(values))), p99 \(milliseconds(percentile(99, of: values))), "
            + "worst \(milliseconds(values.max()))"
    }
}

extension SocketRun {
    /// Every event once, in order, and no socket lost at a node that nobody touched.
    var isClean: Bool { audit.isClean && dropped.isEmpty && audit.expected > 0 }

    var counts: [String] {
        [
            "events to be seen   \(audit.expected)",
            "missed              \(audit.missed), repeated \(audit.repeated), out of order \(audit.outOfOrder), "
                + "of no known write \(audit.foreign), gaps \(audit.gaps)",
            "sockets dropped     \(dropped.count), sent away \(sentAway), resumed \(resumes), "
                + "under another id \(restarts)",
        ]
    }

    var examples: [String] {
        audit.examples.map { "EVENTS: " + $0 } + dropped.prefix(20).map { "DROPPED: " + $0 }
    }
}
