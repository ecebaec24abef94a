import ArgumentParser
import HoldfastClient

struct ClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Look at the cluster as a whole.",
        subcommands: [
            ClusterStatusCommand.self, ClusterMembersCommand.self, ClusterShardsCommand.self,
            ClusterSettingsCommand.self, ClusterLimitsCommand.self,
        ])
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
            "NODE", "INCARNATION", "ROLE", "READY", "STANDING", "LEASE MS", "SHARDS", "REPLICAS", "LAG", "UPTIME S",
            "VERSION")
        for node in status["nodes"]?.elements ?? [] {
            table.add(
                cell(node["name"]), cell(node["incarnation"]), cell(node["role"]), cell(node["ready"]),
                cell(node["standing"]), cell(node["leaseRemainingMs"]), cell(node["shardsOwned"]),
                cell(node["replicas"]), cell(node["lag"]), cell(node["uptimeSeconds"]), cell(node["version"]))
        }
        print(table.text)
        print("placement leader \(cell(status["leader"])), term \(cell(status["term"]))")
    }
}

struct ClusterMembersCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "members", abstract: "Names, ids and roles of the members.", aliases: ["list"])

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let status = try await admin.client().get("status")
        let nodes = status["nodes"]?.elements ?? []
        if output.json { return print(JSON.array(nodes)) }
        var table = TextTable("NODE", "ID", "ROLE", "STANDING", "PEER", "URL", "READY")
        for node in nodes {
            table.add(
                cell(node["name"]), cell(node["id"]), cell(node["role"]), cell(node["standing"]), cell(node["peer"]),
                cell(node["url"]), cell(node["ready"]))
        }
        print(table.text)
    }
}
