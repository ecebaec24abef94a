// chaos: faults on real processes, under load, with the history checked.
//
// A run has four parts. `Load` keeps dozens of clients busy on all nodes: increments, compare-and-set,
// pushes of unique values and reads, half of the clients with an `Idempotency-Key` that they repeat at
// another node when an answer gets lost. A scenario (`KillOwner`, `RestartAll`, `PauseOwner`) does the
// harm and waits for recovery, with bounds. `FinalState` reads everything back. `Verdict` puts the whole
// history before the checkers that the simulator uses: each item must be linearizable, every
// acknowledged operation present once; and no request at a node that nobody touched may have failed.
//
// Scenarios with sockets (`Sockets/`) have another load: subscribers that write down every event, one writer
// whose every acknowledged write must have reached each of them once, in the order of the log, and members
// whose joins and leaves an observer counts.
//
// Honesty of the clock: a pause counts from just before the kill to the first acknowledged write that
// carries a higher epoch than the dead owner's, so answers that the dead process had already sent do
// not count. Nodes are marked as touched just before the harm and until they are ready again.
//
// Exit codes: 0 all well, 1 a promise is broken or the run could not be made, 2 wrong usage,
// 3 all promises kept but pauses beyond the goals.

import Glibc
import HoldfastClient
import LiveChecks

@main
struct Chaos {
    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        if let status = await MatrixCommand.run(words) { exit(status) }
        let options: Options
        do {
            options = try Options(words)
        } catch {
            complain("\(error)\n\(Options.usage)\n\(MatrixOptions.usage)")
            exit(2)
        }
        do {
            let verdict = try await run(options)
            print(verdict.text)
            fflush(nil)
            exit(verdict.isClean ? (verdict.meetsGoals ? 0 : 3) : 1)
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    private static func run(_ options: Options) async throws -> any RunVerdict {
        let cluster = try LocalCluster(directory: options.directory, script: options.clusterScript)
        if options.hasSockets {
            let run = SocketRun(options: options, cluster: cluster)
            try await run.execute()
            return SocketVerdict(run)
        }
        if options.scenario == .move || options.scenario == .grow {
            return try await RoomRun(options: options, cluster: cluster).execute()
        }
        let load = Load(
            cluster: cluster.file, clients: options.clients, rate: options.rate, seed: options.seed,
            mix: options.mix)
        let run = Run(options: options, cluster: cluster, load: load)
        let bulk = options.scenario == .killStorage ? try await BulkData.write(options.objects, cluster.file) : nil
        try await load.start()
        switch options.scenario {
        case .killOwner: try await KillOwner(run).execute()
        case .restartAll: try await RestartAll(run).execute()
        case .pauseOwner: try await PauseOwner(run).execute()
        case .killStorage: try await KillStorage(run).execute()
        case .killSockets, .move, .grow: preconditionFailure("a scenario with sockets has a load of its own")
        }
        try await load.stop()
        let final = try await FinalState.read(load)
        if let bulk { run.overdue += try await bulk.check(cluster.file.nodes) }
        let history = try await load.recordedHistory()
        if let path = options.historyFile { try HistoryFile.write(history, to: path) }
        let failures = try await load.recordedFailures()
        return Verdict(
            run: run, load: LoadFindings(history, final: final, failures: failures, overdue: run.overdue))
    }
}

/// What the parts of one run share.
final class Run {
    let options: Options
    let cluster: LocalCluster
    let load: Load
    /// One per fault, for the table.
    var faults: [FaultReport] = []
    /// What did not come back within its bound.
    var overdue: [String] = []
    /// What else is to be told of the run.
    var notes: [String] = []

    init(options: Options, cluster: LocalCluster, load: Load) {
        self.options = options
        self.cluster = cluster
        self.load = load
    }
}

/// What one fault cost.
struct FaultReport {
    var node: String
    /// Objects that the node owned, of those under load.
    var objects: Int
    /// To the next acknowledged write on the hottest object; `nil` if it was not the node's.
    var hottestPauseMs: Double?
    /// To the next acknowledged write on the last of them to come back.
    var slowestPauseMs: Double?
    var readyAfterMs: Double
}

func complain(_ text: String) {
    let bytes = Array("chaos: \(text)\n".utf8)
    _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}

func monotonicNs() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

func pause(seconds: Double) async throws {
    try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
}
