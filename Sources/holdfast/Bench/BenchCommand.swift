import ArgumentParser
import HoldfastClient
import NIOCore
import NIOPosix

struct BenchCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Closed-loop load: throughput, latency, and CPU per operation.",
        discussion: """
            Connections are spread over the endpoints in turn. With --repeat, all runs are made in rounds and the \
            median of every figure is shown. CPU is charged when the nodes' pids are known from the cluster file.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "increment-spread, increment-one, get or set64; repeatable, all without it.",
            valueName: "workload"))
    var workload: [BenchWorkload] = []

    @Option(name: .long, help: ArgumentHelp("Numbers of connections.", valueName: "n,n,…"))
    var connections = "1,16,64,256"

    @Option(name: .long, help: "Seconds of each measured run.")
    var seconds = 5.0

    @Option(name: .long, help: "Seconds of load before each measured run.")
    var warmUp = 1.0

    @Option(name: .long, help: "Objects of the workloads that spread.")
    var objects = 1_000

    @Option(name: .long, help: "Rounds; medians are shown.")
    var `repeat` = 1

    @Option(name: .long, help: "Event loops of this load generator.")
    var loops = 1

    @OptionGroup var access: ProjectAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard seconds.isFinite, seconds > 0, warmUp.isFinite, warmUp >= 0 else {
            throw ValidationError("--seconds must be above 0, --warm-up not below.")
        }
        guard (1...1_000_000).contains(objects) else {
            throw ValidationError("--objects must be from 1 to 1000000.")
        }
        guard (1...99).contains(self.repeat) else { throw ValidationError("--repeat must be from 1 to 99.") }
        guard (1...64).contains(loops) else { throw ValidationError("--loops must be from 1 to 64.") }
        _ = try connectionCounts()
    }

    private func connectionCounts() throws -> [Int] {
        try connections.split(separator: ",").map { text in
            guard let count = Int(text), (1...10_000).contains(count) else {
                throw ValidationError("--connections wants numbers from 1 to 10000, separated by commas.")
            }
            return count
        }
    }

    func execute() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let plan = try workloads.flatMap { workload in try connectionCounts().map { (workload, $0) } }
        var results = plan.map { _ in [BenchFigures]() }
        let token = HoldfastClient.Credentials.token(try await access.client().token())
        let pids = try serverPids()
        for round in 1...self.repeat {
            for (position, (workload, connections)) in plan.enumerated() {
                let run = BenchRun(
                    workload: workload, connections: connections, objects: objects, warmUpSeconds: warmUp,
                    seconds: seconds,
                    target: BenchTarget(
                        endpoints: try access.cluster.endpoints(), project: try access.projectName(),
                        authorization: token.authorization, label: workload.rawValue),
                    serverPids: pids, loops: Array(group.makeIterator()))
                let figures = try await run.measure()
                results[position].append(figures)
                note(round, figures)
            }
        }
        show(results.map(BenchReport.medians))
        try await group.shutdownGracefully()
    }

    private var workloads: [BenchWorkload] { workload.isEmpty ? BenchWorkload.allCases : workload }

    /// Only when the load goes to the nodes of the cluster file.
    private func serverPids() throws -> [Int32] {
        guard let local = try access.cluster.localCluster(),
            try Set(access.cluster.endpoints()).isSubset(of: local.nodes.map(\.endpoint))
        else { return [] }
        return local.nodes.map(\.pid).filter { $0 > 0 }
    }

    /// Progress, beside the result.
    private func note(_ round: Int, _ figures: BenchFigures) {
        let rate = BenchReport.fixed(figures.operationsPerSecond, 0)
        writeToStandardError(
            "round \(round)/\(self.repeat) \(figures.workload.rawValue) \(figures.connections): \(rate)/s\n")
    }

    private func show(_ medians: [BenchFigures]) {
        if output.json { return print(JSON.array(medians.map(BenchReport.json))) }
        print(BenchReport.table(medians))
        for line in BenchReport.errorLines(medians) { print("error: \(line)") }
    }
}
