import ArgumentParser
import Glibc
import HoldfastClient

struct MemberCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "member", abstract: "Nodes that come and go.",
        subcommands: [MemberAddCommand.self, MemberRemoveCommand.self, ClusterMembersCommand.self])
}

struct MemberAddCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Invite a node that runs without bootstrap and join, and waits.")

    @Option(name: .long, help: ArgumentHelp("The node's peer address.", valueName: "host:port"))
    var peer: String

    @Flag(name: .long, help: "Wait until the node is ready.")
    var wait = false

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let client = try admin.client(waitingSeconds: 15)
        let answer = try await client.post("members", ["peer": .string(peer)])
        if !output.json { print("node \(cell(answer["node"])) at \(peer) has joined, id \(cell(answer["id"]))") }
        if wait {
            try await client.poll(everyMs: 200) { status in
                row(of: answer["node"], in: status)?["ready"]?.bool == true
            }
        }
        if output.json { print(answer) } else if wait { print("node \(cell(answer["node"])) is ready") }
    }
}

struct MemberRemoveCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Forget a node that owns nothing and keeps nothing. It does not come back with its directory.",
        discussion: "Drain a running node first. Of two nodes with one name, the id of 'cluster members' tells which.")

    @Argument(help: "The node's name, or its id.")
    var node: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().delete("members/\(percentEncoded(node))")
        print(output.json ? answer.description : "node \(node) is no member any more")
    }
}

struct DrainCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Move everything away from a node: shards, replicas, sockets. Nothing fails meanwhile.")

    @Argument(help: "The node's name, or its id.")
    var node: String

    @Flag(name: .long, help: "Wait until the node owns nothing and keeps nothing.")
    var wait = false

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let client = try admin.client()
        let answer = try await client.post("drain", ["node": .string(node)])
        if !output.json {
            print(
                "node \(cell(answer["node"])) is being drained: it owns \(cell(answer["shardsOwned"])) shards and "
                    + "keeps \(cell(answer["replicas"])) replicas")
        }
        if wait { try await waitUntilEmpty(client) }
        if output.json { print(answer) } else if wait { print("node \(cell(answer["node"])) is empty") }
    }

    private func waitUntilEmpty(_ client: AdminClient) async throws {
        var told = ""
        try await client.poll(everyMs: 500) { status in
            guard let row = row(of: .string(node), in: status) else { return true }
            let progress = "owns \(cell(row["shardsOwned"])) shards, keeps \(cell(row["replicas"])) replicas"
            if progress != told, !output.json {
                print(progress)
                // A pipe would get it all at the end.
                fflush(nil)
            }
            told = progress
            return row["shardsOwned"]?.int == 0 && row["replicas"]?.int == 0
        }
    }
}

struct UndrainCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Let a node that was being drained have shards and replicas again.")

    @Argument(help: "The node's name, or its id.")
    var node: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().post("undrain", ["node": .string(node)])
        print(output.json ? answer.description : "node \(cell(answer["node"])) is active")
    }
}

/// A node's line of the status, by name or id. Of two with one name, the one that is not replaced.
func row(of node: JSON?, in status: JSON) -> JSON? {
    let rows = status["nodes"]?.elements?.filter { $0["name"] == node || $0["id"] == node } ?? []
    return rows.first { $0["standing"]?.text != "replaced" } ?? rows.first
}

extension AdminClient {
    /// Looks at the status again and again until it is as wanted.
    func poll(everyMs: Int, until isDone: (JSON) -> Bool) async throws {
        while true {
            do {
                if isDone(try await get("status")) { return }
            } catch {
                // A node that goes away answers nothing more; the next look asks another one.
                guard error.isTemporary else { throw error }
            }
            try await Task.sleep(for: .milliseconds(everyMs))
        }
    }
}
