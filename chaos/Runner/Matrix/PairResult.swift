import HoldfastClient
import Simulation

/// What one pair has shown: a file of its own, and a part of the page.
struct PairResult {
    static let fileEnding = ".result.json"

    private let transcript: Transcript
    private let historyFile: String
    private let nodes: Int
    private let faults: [Scene.Fault]
    private let series: Series
    private let verdicts: [CheckVerdict]

    init(_ transcript: Transcript, historyFile: String, nodes: Int, faults: [Scene.Fault], series: Series) {
        self.transcript = transcript
        self.historyFile = historyFile
        self.nodes = nodes
        self.faults = faults
        self.series = series
        verdicts = TranscriptCheck.check(transcript)
    }

    var isKept: Bool { verdicts.allSatisfy { $0.state == .kept } }

    private var name: String { "\(transcript.nemesis)-\(transcript.workload)" }

    var summary: String {
        let bad = verdicts.filter { $0.state != .kept }
        let words = bad.map { "\n    \($0.name) \($0.state.rawValue): \($0.examples.first ?? $0.detail)" }.joined()
        let pauses = faults.map { pauseMs($0) }
        return "\(name): \(faults.count) faults, \(series.done) operations, longest pause "
            + "\(milliseconds(pauses.max()))" + (bad.isEmpty ? ", all kept" : words)
    }

    func write(to directory: String) throws {
        try TextFile.write(json.description + "\n", to: "\(directory)/\(name)\(Self.fileEnding)")
    }

    /// From the harm on until all serves: the longest time in which no client got an answer.
    private func pauseMs(_ fault: Scene.Fault) -> Double {
        series.longestSilenceMs(from: fault.fromNs, to: fault.readyNs)
    }

    private var json: JSON {
        [
            "nemesis": .string(transcript.nemesis), "workload": .string(transcript.workload),
            "seed": .integer(transcript.seed), "nodes": .integer(nodes), "history": .string(historyFile),
            "kept": isKept ? true : false, "done": .integer(series.done), "failed": .integer(series.failed),
            "failedAtSurvivors": .integer(transcript.failedAtSurvivors), "series": series.json,
            "faults": .array(faults.map(json)), "verdicts": .array(verdicts.map(json)),
        ]
    }

    private func json(_ fault: Scene.Fault) -> JSON {
        func ms(_ ns: UInt64) -> JSON { .integer((ns - min(ns, series.fromNs)) / 1_000_000) }
        return [
            "what": .string(fault.what), "from": ms(fault.fromNs), "until": ms(fault.untilNs),
            "ready": ms(fault.readyNs), "pause": Series.tenths(pauseMs(fault)),
        ]
    }

    private func json(_ verdict: CheckVerdict) -> JSON {
        [
            "name": .string(verdict.name), "state": .string(verdict.state.rawValue),
            "detail": .string(verdict.detail), "examples": .array(verdict.examples.map { .string($0) }),
        ]
    }
}
