import ArgumentParser
import HoldfastClient

struct ClusterShardsCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "shards", abstract: "Every shard: who owns it, who keeps it, how much is in it.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get("shards")
        if output.json { return print(answer) }
        var table = TextTable(
            "SHARD", "FROM KEY", "EPOCH", "OWNER", "VOTERS", "CHANGING", "OBJECTS", "BYTES", "INDEX", "STORED", "LAG")
        for shard in answer["shards"]?.elements ?? [] {
            table.add(
                cell(shard["name"]), cell(shard["range"]?.elements?.first), cell(shard["epoch"]), cell(shard["owner"]),
                names(shard["replicas"]), Self.changes(shard), cell(shard["objects"]), cell(shard["bytes"]),
                cell(shard["commitIndex"]), cell(shard["storedIndex"]), cell(shard["lag"]))
        }
        print(table.text)
    }

    /// What is under way, in few words.
    static func changes(_ shard: JSON) -> String {
        var words: [String] = []
        for name in ["outgoing", "learners", "lost"] where shard[name]?.elements?.isEmpty == false {
            words.append("\(name): \(names(shard[name]))")
        }
        if let plan = shard["plan"]?.text { words.append(plan) }
        return words.isEmpty ? "-" : words.joined(separator: "; ")
    }
}

private func names(_ list: JSON?) -> String {
    list?.elements?.map(cell).joined(separator: " ") ?? "-"
}

struct ClusterSettingsCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Settings of the whole cluster; with options, set them.",
        discussion: "Settings left out stay as they are.")

    @Option(help: ArgumentHelp("Replace a node that has been dead for so long, in seconds.", valueName: "seconds"))
    var replaceAfter: Int?

    @Option(help: ArgumentHelp("Replicas of each shard, 1 to 7; odd numbers are worth their cost.", valueName: "n"))
    var replicas: Int?

    @Option(help: ArgumentHelp("Entries that the audit keeps, 100 to 20000.", valueName: "n"))
    var auditEntries: Int?

    @Option(help: ArgumentHelp("Days for which the audit keeps entries, 1 to 3650.", valueName: "days"))
    var auditDays: Int?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard replaceAfter.map({ (1...2_592_000).contains($0) }) ?? true else {
            throw ValidationError("--replace-after must be from 1 to 2592000 seconds (30 days).")
        }
        guard replicas.map({ (1...7).contains($0) }) ?? true else {
            throw ValidationError("--replicas must be from 1 to 7.")
        }
        guard auditEntries.map({ (100...20_000).contains($0) }) ?? true, auditDays.map({ (1...3_650).contains($0) }) ?? true
        else { throw ValidationError("--audit-entries must be from 100 to 20000, --audit-days from 1 to 3650.") }
    }

    var changes: [JSON.Member] {
        var members: [JSON.Member] = []
        if let replaceAfter { members.append(JSON.Member("replaceAfterMs", .integer(replaceAfter * 1_000))) }
        if let replicas { members.append(JSON.Member("replicasPerShard", .integer(replicas))) }
        if let auditEntries { members.append(JSON.Member("auditEntries", .integer(auditEntries))) }
        if let auditDays { members.append(JSON.Member("auditAgeMs", .integer(auditDays * 86_400_000))) }
        return members
    }

    func execute() async throws {
        let client = try admin.client()
        let changes = changes
        let answer =
            changes.isEmpty ? try await client.get("settings") : try await client.post("settings", .object(changes))
        if output.json { return print(answer) }
        print("replace after      \(answer["replaceAfterMs"]?.int.map { "\($0 / 1_000) s" } ?? "-")")
        print("replicas per shard \(cell(answer["replicasPerShard"]))")
        print("lease              \(cell(answer["leaseMs"])) ms, clock drift \(cell(answer["clockDriftPerMille"])) per mille")
        print("reads              \(cell(answer["reads"]))")
        let days = answer["auditAgeMs"]?.int.map { "\($0 / 86_400_000)" } ?? "-"
        print("audit              \(cell(answer["auditEntries"])) entries, \(days) days")
    }
}

struct ExplainCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Where an object or a shard lives, who owns it, and why.",
        discussion: "Without --project and --class, an id with two slashes is taken for PROJECT/CLASS/ID.")

    @Argument(help: ArgumentHelp("The object: its id, or PROJECT/CLASS/ID.", valueName: "object"))
    var id: String?

    @Option(name: .long, help: ArgumentHelp("A shard instead of an object: 3, 3.1.", valueName: "shard"))
    var shard: String?

    @Option(name: .long, help: ArgumentHelp("The object's class.", valueName: "class"))
    var `class`: String?

    @Option(name: .long, help: "Project; else HOLDFAST_PROJECT, else the cluster file.")
    var project: String?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (id == nil) != (shard == nil) else { throw ValidationError("Give an object, or --shard.") }
        guard shard == nil || project == nil && self.class == nil else {
            throw ValidationError("--shard needs no --project and no --class.")
        }
    }

    func execute() async throws {
        let answer = try await admin.client().get("explain?" + query(defaultProject: try defaultProject()))
        if output.json { return print(answer) }
        show(answer)
    }

    private func defaultProject() throws -> String? {
        if let name = environment("HOLDFAST_PROJECT") { return name }
        return try admin.cluster.localCluster()?.project
    }

    func query(defaultProject: String?) throws -> String {
        if let shard { return "shard=\(percentEncoded(shard))" }
        let id = id ?? ""
        if project == nil, self.class == nil, case .object? = ShardOrObject(argument: id) {
            return ShardOrObject(argument: id)?.query ?? ""
        }
        guard let project = project ?? defaultProject else {
            throw ValidationError("Which project? Give --project, HOLDFAST_PROJECT, or PROJECT/CLASS/ID.")
        }
        return ShardOrObject.object(
            project: project, objectClass: self.class ?? ObjectName.defaultClass, id: id
        ).query
    }

    private func show(_ answer: JSON) {
        let range = answer["range"]?.elements?.map(cell).joined(separator: " to ") ?? "-"
        if let key = answer["key"] { print("key        \(cell(key))") }
        print("shard      \(cell(answer["name"])), keys \(range)")
        print("owner      \(cell(answer["owner"])), incarnation \(cell(answer["incarnation"]))")
        print("epoch      \(cell(answer["epoch"])), by \(cell(answer["cause"]))")
        print("lease left \(cell(answer["leaseRemainingMs"])) ms")
        var replicas = TextTable("REPLICA", "ROLE", "LAG")
        for replica in answer["replicas"]?.elements ?? [] {
            let lost = replica["lost"]?.bool == true ? ", lost" : ""
            replicas.add(cell(replica["node"]), cell(replica["role"]) + lost, cell(replica["lag"]))
        }
        print("\n" + replicas.text)
        showHistory(answer["history"]?.elements ?? [])
        let because = answer["because"]?.elements?.map(cell) ?? []
        if !because.isEmpty { print("\n" + because.joined(separator: "\n")) }
    }

    private func showHistory(_ history: [JSON]) {
        guard !history.isEmpty else { return }
        var owners = TextTable("EPOCH", "OWNER", "ENDED BY", "PAUSE MS")
        for past in history {
            owners.add(cell(past["epoch"]), cell(past["owner"]), cell(past["cause"]), cell(past["pauseMs"]))
        }
        print("\n" + owners.text)
    }
}
