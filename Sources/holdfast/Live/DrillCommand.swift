import ArgumentParser
import HoldfastClient
import LiveChecks

extension DrillRefusal: ReportedFailure {
    var exitStatus: Int32 { ExitStatus.failed }
}

extension ChildProcess.NotStarted: ReportedFailure {
    var message: String { description }
    var exitStatus: Int32 { ExitStatus.failed }
}

extension HistoryFile.Unwritable: ReportedFailure {
    var message: String { description }
    var exitStatus: Int32 { ExitStatus.failed }
}

struct DrillCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "drill",
        abstract: "Kill an owner on purpose, under a light load, and say what it cost.",
        discussion: """
            Without an argument the owner of the drill's own object is killed. The cluster must be whole: every node \
            ready, every replica there, and a majority of everything left without the node. The node's name is asked \
            for before anything is killed. Objects of the drill lie in the class holdfast-drill and are removed.
            The process is killed by its pid in the cluster file, or by --kill-command on its machine.
            Exit codes: 0 nothing lost and nothing doubled, 1 refused or not confirmed, 3 the same as 0, but the shard \
            was not taken over or read again in time, 4 something was lost or doubled, or answers contradict each \
            other, 75 no node answers.
            """)

    @Argument(help: ArgumentHelp("Whose owner, or which node.", valueName: "node|shard|project/class/id"))
    var target: String?

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Command of the shell that kills the node's process; {node} stands for its name.", valueName: "command"))
    var killCommand: String?

    @Option(name: .long, help: "Calls a second of the load.")
    var rate = 100.0

    @Option(name: .long, help: "Seconds of load before the kill and after the takeover.")
    var settle = 2.0

    @Option(name: .long, help: "Seconds within which the shard has to be taken over.")
    var within = 20.0

    @Option(name: .long, help: "Seconds to wait until the cluster is whole again; 0 does not wait.")
    var recover = 60.0

    @Option(
        name: .long,
        help: ArgumentHelp("Where the admin API is, if not at the endpoints. Repeatable.", valueName: "url"))
    var adminEndpoint: [String] = []

    @OptionGroup var key: ProjectKey
    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard rate.isFinite, rate >= 1, rate <= 10_000 else { throw ValidationError("--rate must be from 1 to 10000.") }
        guard settle.isFinite, (0.1...600).contains(settle) else {
            throw ValidationError("--settle must be from 0.1 to 600.")
        }
        guard within.isFinite, (1...600).contains(within), recover.isFinite, (0...3_600).contains(recover) else {
            throw ValidationError("--within must be from 1 to 600, --recover from 0 to 3600.")
        }
        guard killCommand.map({ $0.contains("{node}") }) ?? true else {
            throw ValidationError("--kill-command must hold {node}.")
        }
        _ = try Self.target(target)
    }

    static func target(_ text: String?) throws -> DrillTarget {
        guard let text else { return .anybody }
        switch ShardOrObject(argument: text) {
        case .shard(let shard): return .shard(shard)
        case .object(let project, let objectClass, let id):
            return .object(project: project, objectClass: objectClass, id: id)
        case nil:
            guard !text.isEmpty, !text.contains("/") else {
                throw ValidationError("'\(text)' is neither a node nor a shard nor PROJECT/CLASS/ID.")
            }
            return .node(text)
        }
    }

    var kill: DrillKill { killCommand.map(DrillKill.command) ?? .process(clusterFile: admin.cluster.clusterFile) }

    func options(seed: UInt64) -> DrillOptions {
        var options = DrillOptions(seed: seed)
        options.ratePerSecond = rate
        options.settleSeconds = settle
        options.withinSeconds = within
        options.recoverSeconds = recover
        return options
    }

    func execute() async throws {
        let live = try key.live(in: admin.cluster)
        let adminEndpoints =
            adminEndpoint.isEmpty ? live.endpoints : try admin.cluster.endpoints(adminEndpoint)
        let drill = DrillRun(
            live, LiveAdmin(endpoints: adminEndpoints, token: try admin.token(), timeout: live.timeout),
            options(seed: UInt64(wallMs())))
        let scene = try await drill.prepare(try Self.target(target))
        try confirm(scene)
        let report = try await drill.strike(scene, kill)
        print(output.json ? "\(DrillText.json(report))" : DrillText.lines(report))
        if report.exitStatus != ExitStatus.done { endProgram(withStatus: report.exitStatus) }
    }

    /// The name has to be typed, so that nobody kills what he did not mean.
    private func confirm(_ scene: DrillScene) throws {
        if yes { return }
        writeToStandardError(
            "This kills the process of \(scene.node), which owns \(scene.shardsOwned) shards, shard "
                + "\(scene.shard.name) among them.\nType the name of the node to go on: ")
        guard let line = readLine(), Self.confirms(line, scene, target) else {
            throw CommandFailure(message: "not confirmed; nothing was killed")
        }
    }

    /// The node's name, or what was given as argument.
    static func confirms(_ line: String, _ scene: DrillScene, _ target: String?) -> Bool {
        let text = trimmed(line)
        return text == scene.node || text == target
    }
}
