import ArgumentParser
import HoldfastClient
import NIOCore
import NIOPosix

struct BenchCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load and its figures: throughput, latency, CPU per operation, memory per socket.",
        discussion: """
            Connections are spread over the endpoints in turn. With --repeat, all runs are made in rounds and the \
            median of every figure is shown. CPU is charged when the nodes' pids are known from the cluster file.
            With --rate, requests are sent by a schedule over the largest number of connections, whatever the answers: \
            latency counts from the moment at which a request was due (SENT: from its sending, without the wait for an \
            idle connection), and increments are held against the objects.
            Workloads with sockets are made once each, and only when they are named: message-latency (two clients at \
            two nodes), fan-out (--count sockets on one object over all endpoints), idle-sockets (--count sockets at \
            the first endpoint, whose process must be known from the cluster file).
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "increment-spread, increment-one, get or set64, all of them without it; message-latency, fan-out or "
                + "idle-sockets. Repeatable.",
            valueName: "workload"))
    var workload: [BenchChoice] = []

    @Option(name: .long, help: ArgumentHelp("Numbers of connections.", valueName: "n,n,…"))
    var connections = "1,16,64,256"

    @Option(name: .long, help: "Seconds of each measured run.")
    var seconds = 5.0

    @Option(name: .long, help: "Seconds of load before each measured run.")
    var warmUp = 1.0

    @Option(name: .long, help: "Objects of the workloads that spread.")
    var objects = 1_000

    @Option(name: .long, help: ArgumentHelp("Arrivals a second, one run for each.", valueName: "n,n,…"))
    var rate: String?

    @Flag(name: .long, help: "The objects are there from an earlier run: measure at once, on objects that may be cold.")
    var prepared = false

    @Option(name: .long, help: "Rounds; medians are shown.")
    var `repeat` = 1

    @Option(name: .long, help: "Event loops of this load generator.")
    var loops = 1

    @Option(name: .long, help: "Sockets: 1000 for fan-out, 10000 for idle-sockets without it.")
    var count: Int?

    @Flag(name: .long, help: "idle-sockets: all on one object, not one object each.")
    var oneObject = false

    @Option(name: .long, help: "fan-out: writes.")
    var events = 20

    @Option(name: .long, help: "message-latency: messages per second, for --seconds.")
    var messageRate = 10.0

    @Option(name: .long, help: "idle-sockets: seconds until objects have left memory.")
    var hibernateAfter = 15.0

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
        guard (1...19_000).contains(count ?? 1) else {
            throw ValidationError("--count must be from 1 to 19000.")
        }
        guard (1...10_000).contains(events) else { throw ValidationError("--events must be from 1 to 10000.") }
        guard messageRate.isFinite, messageRate > 0, messageRate <= 1_000 else {
            throw ValidationError("--message-rate must be above 0 and up to 1000.")
        }
        guard hibernateAfter.isFinite, (0...3_600).contains(hibernateAfter) else {
            throw ValidationError("--hibernate-after must be from 0 to 3600.")
        }
        guard (1...64).contains(loops) else { throw ValidationError("--loops must be from 1 to 64.") }
        _ = try connectionCounts()
        _ = try rates()
    }

    private func rates() throws -> [Double] {
        try (rate ?? "").split(separator: ",").map { text in
            guard let rate = Double(text), rate >= 1, rate <= 1_000_000 else {
                throw ValidationError("--rate wants numbers from 1 to 1000000, separated by commas.")
            }
            return rate
        }
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
        let token = try await access.client().token()
        let closedLoops = workload.isEmpty ? BenchWorkload.allCases : workload.compactMap(\.closedLoop)
        if rate != nil {
            try await runOpenLoops(closedLoops, token, group)
            return try await group.shutdownGracefully()
        }
        let results = try await runClosedLoops(closedLoops, token, group)
        let sockets = try socketBench(token, group)
        var figures: [SocketFigures] = []
        for workload in workload.compactMap(\.sockets) { figures.append(try await sockets.measure(workload)) }
        show(results, figures)
        try await group.shutdownGracefully()
    }

    private func runOpenLoops(
        _ workloads: [BenchWorkload], _ token: String, _ group: MultiThreadedEventLoopGroup
    ) async throws {
        let connections = try connectionCounts().max() ?? 1
        let authorization = HoldfastClient.Credentials.token(token).authorization
        var all: [OpenLoopFigures] = []
        for workload in workloads {
            for rate in try rates() {
                // What an earlier run has sent and not waited for must not be counted as this one's.
                let runName = String(UInt64.random(in: .min ... .max), radix: 36)
                let run = OpenLoopRun(
                    workload: workload, connections: connections, objects: objects, perSecond: rate,
                    warmUpSeconds: warmUp, seconds: seconds,
                    target: BenchTarget(
                        endpoints: try access.cluster.endpoints(), project: try access.projectName(),
                        authorization: authorization, label: "\(workload.rawValue)-\(runName)"),
                    serverPids: try serverPids(), loops: Array(group.makeIterator()))
                all.append(try await run.measure())
                writeToStandardError("\(workload.rawValue) \(BenchReport.fixed(rate, 0))/s done\n")
            }
        }
        if output.json { return print(JSON.array(all.map(\.json))) }
        print(OpenLoopFigures.table(all))
        for line in all.flatMap(\.lines) { print(line) }
        if all.contains(where: { $0.verdict?.isKept == false }) {
            throw CommandFailure(message: "refusals or acknowledgements were not honest")
        }
    }

    /// The medians of each workload at each number of connections.
    private func runClosedLoops(
        _ workloads: [BenchWorkload], _ token: String, _ group: MultiThreadedEventLoopGroup
    ) async throws -> [BenchFigures] {
        let plan = try workloads.flatMap { workload in try connectionCounts().map { (workload, $0) } }
        var results = plan.map { _ in [BenchFigures]() }
        let authorization = HoldfastClient.Credentials.token(token).authorization
        let pids = try serverPids()
        for round in 1...self.repeat {
            for (position, (workload, connections)) in plan.enumerated() {
                let run = BenchRun(
                    workload: workload, connections: connections, objects: objects, isPrepared: prepared,
                    warmUpSeconds: warmUp, seconds: seconds,
                    target: BenchTarget(
                        endpoints: try access.cluster.endpoints(), project: try access.projectName(),
                        authorization: authorization, label: workload.rawValue),
                    serverPids: pids, loops: Array(group.makeIterator()))
                let figures = try await run.measure()
                results[position].append(figures)
                note(round, figures)
            }
        }
        return results.map(BenchReport.medians)
    }

    private func socketBench(_ token: String, _ group: MultiThreadedEventLoopGroup) throws -> SocketBench {
        let endpoints = try access.cluster.endpoints()
        let node = try access.cluster.localCluster()?.nodes.first { $0.endpoint.isAt(endpoints[0]) }
        return SocketBench(
            endpoints: endpoints, project: try access.projectName(), token: token,
            loops: Array(group.makeIterator()), firstPid: node.flatMap { $0.pid > 0 ? $0.pid : nil },
            count: count, isOneObject: oneObject, events: events, seconds: seconds,
            messagesPerSecond: messageRate, hibernateSeconds: hibernateAfter)
    }

    /// Only when the load goes to the nodes of the cluster file.
    private func serverPids() throws -> [Int32] {
        let endpoints = try access.cluster.endpoints()
        guard let local = try access.cluster.localCluster(),
            endpoints.allSatisfy({ endpoint in local.nodes.contains { $0.endpoint.isAt(endpoint) } })
        else { return [] }
        return local.nodes.map(\.pid).filter { $0 > 0 }
    }

    /// Progress, beside the result.
    private func note(_ round: Int, _ figures: BenchFigures) {
        let rate = BenchReport.fixed(figures.operationsPerSecond, 0)
        writeToStandardError(
            "round \(round)/\(self.repeat) \(figures.workload.rawValue) \(figures.connections): \(rate)/s\n")
    }

    private func show(_ medians: [BenchFigures], _ figures: [SocketFigures]) {
        if output.json {
            return print(JSON.array(medians.map(BenchReport.json) + figures.map(\.json)))
        }
        if !medians.isEmpty { print(BenchReport.table(medians)) }
        for line in BenchReport.errorLines(medians) { print("error: \(line)") }
        for figures in figures { print(figures.text) }
    }
}

extension Endpoint {
    /// The same port of the same machine, whatever is spoken there.
    fileprivate func isAt(_ other: Endpoint) -> Bool { host == other.host && port == other.port }
}
