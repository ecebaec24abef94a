import ArgumentParser
import HoldfastClient

struct ClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Look at the cluster as a whole.",
        subcommands: [ClusterStatusCommand.self, ClusterMembersCommand.self, ClusterLimitsCommand.self])
}

struct ClusterStatusCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Nodes with their leases, shards and lag; the placement leader.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let status = try await admin.client().get("status")
        if output.json { return print(status) }
        var table = TextTable(
            "NODE", "INCARNATION", "ROLE", "READY", "LEASE MS", "SHARDS", "LAG", "UPTIME S", "VERSION")
        for node in status["nodes"]?.elements ?? [] {
            table.add(
                cell(node["name"]), cell(node["incarnation"]), cell(node["role"]), cell(node["ready"]),
                cell(node["leaseRemainingMs"]), cell(node["shardsOwned"]), cell(node["lag"]),
                cell(node["uptimeSeconds"]), cell(node["version"]))
        }
        print(table.text)
        print("placement leader \(cell(status["leader"])), term \(cell(status["term"]))")
    }
}

struct ClusterMembersCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "members", abstract: "Names and roles of the members.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let status = try await admin.client().get("status")
        let nodes = status["nodes"]?.elements ?? []
        if output.json { return print(JSON.array(nodes)) }
        var table = TextTable("NODE", "ROLE", "PEER", "URL", "READY")
        for node in nodes {
            table.add(
                cell(node["name"]), cell(node["role"]), cell(node["peer"]), cell(node["url"]),
                cell(node["ready"]))
        }
        print(table.text)
    }
}

struct ExplainCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Where an object lives, who owns it, and why.")

    @Argument(help: "The object's id.")
    var id: String

    @Option(name: .long, help: ArgumentHelp("The object's class.", valueName: "class"))
    var `class` = ObjectName.defaultClass

    @Option(name: .long, help: "Project; else HOLDFAST_PROJECT, else the cluster file.")
    var project: String?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let local = try admin.cluster.localCluster()
        guard let project = project ?? environment("HOLDFAST_PROJECT") ?? local?.project else {
            throw ValidationError("Which project? Give --project or HOLDFAST_PROJECT.")
        }
        let query =
            "project=\(percentEncoded(project))&class=\(percentEncoded(self.class))&id=\(percentEncoded(id))"
        let answer = try await admin.client().get("explain?" + query)
        if output.json { return print(answer) }
        show(answer)
    }

    private func show(_ answer: JSON) {
        let range = answer["range"]?.elements?.map(cell).joined(separator: " to ") ?? "-"
        print("key        \(cell(answer["key"]))")
        print("shard      \(cell(answer["shard"])), keys \(range)")
        print("owner      \(cell(answer["owner"])), incarnation \(cell(answer["incarnation"]))")
        print("epoch      \(cell(answer["epoch"]))")
        print("lease left \(cell(answer["leaseRemainingMs"])) ms")
        var replicas = TextTable("REPLICA", "ROLE", "LAG")
        for replica in answer["replicas"]?.elements ?? [] {
            replicas.add(cell(replica["node"]), cell(replica["role"]), cell(replica["lag"]))
        }
        print("\n" + replicas.text)
        let history = answer["history"]?.elements ?? []
        guard !history.isEmpty else { return }
        var owners = TextTable("EPOCH", "OWNER", "CAUSE", "PAUSE MS")
        for past in history {
            owners.add(cell(past["epoch"]), cell(past["owner"]), cell(past["cause"]), cell(past["pauseMs"]))
        }
        print("\n" + owners.text)
    }
}
