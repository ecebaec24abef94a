import ArgumentParser
import HoldfastClient

struct ProjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Projects: each has its own objects and keys.",
        subcommands: [ProjectCreateCommand.self, ProjectListCommand.self, ProjectQuotaCommand.self, ProjectOriginsCommand.self])
}

struct ProjectCreateCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Create a project.")

    @Argument(help: "The project's id.")
    var project: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().post("projects", ["project": .string(project)])
        print(output.json ? answer.description : "project \(project) created")
    }
}

struct ProjectListCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the projects.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get("projects")
        if output.json { return print(answer) }
        for project in answer["projects"]?.elements ?? [] {
            let shares = ProjectQuotaCommand.figures.compactMap { name -> String? in
                let quota = cell(project["quota"]?[name])
                return quota == "-" ? nil : "\(name) \(cell(project["usage"]?[name])) of \(quota)"
            }
            let quotas = shares.isEmpty ? "" : "  " + shares.joined(separator: ", ")
            print(cell(project["project"]) + quotas)
        }
    }
}

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys of a project.",
        subcommands: [KeyCreateCommand.self, KeyListCommand.self, KeyRotateCommand.self, KeyRevokeCommand.self])
}

func keysPath(_ project: String) -> String {
    "projects/\(percentEncoded(project))/keys"
}

struct KeyCreateCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a key. Its secret is shown once and stored nowhere.")

    @Argument(help: "The project's id.")
    var project: String

    @Option(name: .long, help: ArgumentHelp("Origin that may use the key; repeatable.", valueName: "origin"))
    var origin: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "read, write, presence, message or admin; repeatable. All but admin if left out.", valueName: "scope"))
    var scope: [String] = []

    @Option(name: .long, help: ArgumentHelp("Only classes that begin so.", valueName: "text"))
    var classPrefix: String?

    @Option(name: .long, help: ArgumentHelp("Only object ids that begin so.", valueName: "text"))
    var idPrefix: String?

    @Option(name: .long, help: ArgumentHelp("What the key is for.", valueName: "text"))
    var label: String?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    private var body: JSON {
        var members: [JSON.Member] = []
        if !origin.isEmpty { members.append(JSON.Member("origins", .array(origin.map(JSON.string)))) }
        if !scope.isEmpty { members.append(JSON.Member("scopes", .array(scope.map(JSON.string)))) }
        if let classPrefix { members.append(JSON.Member("classPrefix", .string(classPrefix))) }
        if let idPrefix { members.append(JSON.Member("idPrefix", .string(idPrefix))) }
        if let label { members.append(JSON.Member("label", .string(label))) }
        return .object(members)
    }

    func execute() async throws {
        let answer = try await admin.client().post(keysPath(project), body)
        if output.json { return print(answer) }
        print("key    \(cell(answer["apiKey"]))")
        print("secret \(cell(answer["apiSecret"]))")
    }
}

struct KeyListCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List a project's keys.")

    @Argument(help: "The project's id.")
    var project: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get(keysPath(project))
        if output.json { return print(answer) }
        var table = TextTable("KEY", "VERSION", "SCOPES", "CLASSES", "IDS", "ORIGINS", "REVOKED")
        for key in answer["keys"]?.elements ?? [] {
            let origins = key["origins"]?.elements?.map(cell).joined(separator: " ") ?? ""
            table.add(
                key.text ?? cell(key["apiKey"]), cell(key["version"]),
                key["scopes"]?.elements?.map(cell).joined(separator: " ") ?? "-", beginning(key["classPrefix"]),
                beginning(key["idPrefix"]), origins.isEmpty ? "any" : origins, cell(key["revoked"]))
        }
        print(table.text)
    }
}

private func beginning(_ prefix: JSON?) -> String {
    guard let text = prefix?.text, !text.isEmpty else { return "any" }
    return text + "…"
}

struct KeyRotateCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Give a key a new secret. The former one, its tokens and its capabilities end.")

    @Argument(help: "The project's id.")
    var project: String

    @Argument(help: "The key.")
    var key: String

    @Option(
        name: .long,
        help: ArgumentHelp("Let the former secret live on for so long; none if left out.", valueName: "seconds"))
    var grace: Int = 0

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0...2_592_000).contains(grace) else {
            throw ValidationError("--grace must be from 0 to 2592000 seconds (30 days).")
        }
    }

    func execute() async throws {
        let answer = try await admin.client().post(
            "\(keysPath(project))/\(percentEncoded(key))/rotate", ["graceMs": .integer(grace * 1_000)])
        if output.json { return print(answer) }
        print("key     \(cell(answer["apiKey"]))")
        print("version \(cell(answer["version"]))")
        print("secret  \(cell(answer["apiSecret"]))")
    }
}

struct KeyRevokeCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "revoke", abstract: "Revoke a key for good.")

    @Argument(help: "The project's id.")
    var project: String

    @Argument(help: "The key.")
    var key: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().delete("\(keysPath(project))/\(percentEncoded(key))")
        print(output.json ? answer.description : "key \(key) revoked")
    }
}
