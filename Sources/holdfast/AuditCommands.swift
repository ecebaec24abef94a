import ArgumentParser
import Glibc
import HoldfastClient

struct AdminCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin", abstract: "Named administrators, beside the token of the settings.",
        subcommands: [AdminCreateCommand.self, AdminListCommand.self, AdminRevokeCommand.self])
}

struct AdminCreateCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create an administrator. The token is shown once and stored nowhere.")

    @Argument(help: "The name, which the audit will show.")
    var name: String

    @Option(name: .long, help: "viewer looks on; operator runs nodes and tenants.")
    var role: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().post("admins", ["name": .string(name), "role": .string(role)])
        print(output.json ? answer.description : "token \(cell(answer["token"]))")
    }
}

struct AdminListCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the administrators.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get("admins")
        if output.json { return print(answer) }
        var table = TextTable("NAME", "ROLE", "CREATED (MS)", "REVOKED")
        for row in answer["admins"]?.elements ?? [] {
            table.add(cell(row["name"]), cell(row["role"]), cell(row["createdAt"]), cell(row["revoked"]))
        }
        print(table.text)
    }
}

struct AdminRevokeCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Revoke an administrator for good. The name is not given again.")

    @Argument(help: "The name.")
    var name: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().delete("admins/\(percentEncoded(name))")
        print(output.json ? answer.description : "administrator \(name) revoked")
    }
}

struct AuditCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who has done what to the cluster, oldest first.")

    @Option(name: .long, help: ArgumentHelp("Only entries behind this index.", valueName: "index"))
    var after = 0

    @Option(name: .long, help: ArgumentHelp("At most so many, up to 1000.", valueName: "n"))
    var limit = 100

    @Option(name: .long, help: "Only of this actor.")
    var actor: String?

    @Option(name: .long, help: "Only actions that begin so: key, node.drain…")
    var action: String?

    @Flag(name: .long, help: "Go on with entries as they come, a line each, until it is interrupted.")
    var follow = false

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard after >= 0, (1...1_000).contains(limit) else {
            throw ValidationError("--after must be 0 or more, --limit from 1 to 1000.")
        }
    }

    func execute() async throws {
        let client = try admin.client()
        if follow { return try await follow(client) }
        let answer = try await page(client, after: after)
        if output.json { return print(answer) }
        var table = TextTable("INDEX", "AT (MS)", "ACTOR", "ROLE", "ADDRESS", "ACTION", "TARGET", "OUTCOME")
        for row in answer["entries"]?.elements ?? [] { table.add(Self.cells(row)) }
        print(table.text)
    }

    private func page(_ client: AdminClient, after: Int) async throws -> JSON {
        var path = "audit?after=\(after)&limit=\(limit)"
        if let actor { path += "&actor=" + percentEncoded(actor) }
        if let action { path += "&action=" + percentEncoded(action) }
        return try await client.get(path)
    }

    /// A node that lags behind the last one asked shows nothing new, and nothing twice.
    private func follow(_ client: AdminClient) async throws {
        var last = after
        while true {
            let answer = try await page(client, after: last)
            let rows = answer["entries"]?.elements ?? []
            for row in rows {
                print(output.json ? row.description : Self.cells(row).joined(separator: "  "))
            }
            fflush(nil)
            // A page that is not full has shown all that there is, and looked at the rest.
            let seen = rows.count < limit ? answer["last"]?.int : rows.last?["index"]?.int
            last = max(last, seen.map { Int($0) } ?? last)
            if rows.count < limit { try await Task.sleep(nanoseconds: 1_000_000_000) }
        }
    }

    private static func cells(_ row: JSON) -> [String] {
        ["index", "at", "actor", "role", "address", "action", "target", "outcome"].map { cell(row[$0]) }
    }
}

struct ProjectOriginsCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "origins", abstract: "The web origins that may reach a project; with origins or --any, set them.")

    @Argument(help: "The project's id.")
    var project: String

    @Argument(help: "Origins, as https://app.example.")
    var origins: [String] = []

    @Flag(help: "Every origin.")
    var any = false

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard origins.isEmpty || !any else { throw ValidationError("Give origins or --any, not both.") }
    }

    func execute() async throws {
        let path = "projects/\(percentEncoded(project))/origins"
        let client = try admin.client()
        let isChange = any || !origins.isEmpty
        let answer =
            isChange
            ? try await client.post(path, ["origins": .array(origins.map(JSON.string))]) : try await client.get(path)
        if output.json { return print(answer) }
        let known = answer["origins"]?.elements?.map(cell) ?? []
        print(known.isEmpty ? "any" : known.joined(separator: "\n"))
    }
}
