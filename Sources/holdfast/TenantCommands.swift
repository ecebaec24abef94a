import ArgumentParser
import HoldfastClient

struct ProjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Projects: each has its own objects and keys.",
        subcommands: [ProjectCreateCommand.self, ProjectListCommand.self, ProjectQuotaCommand.self])
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
        subcommands: [KeyCreateCommand.self, KeyListCommand.self, KeyRevokeCommand.self])
}

private func keysPath(_ project: String) -> String {
    "projects/\(percentEncoded(project))/keys"
}

struct KeyCreateCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a key. Its secret is shown once and stored nowhere.")

    @Argument(help: "The project's id.")
    var project: String

    @Option(name: .long, help: ArgumentHelp("Origin that may use the key; repeatable.", valueName: "origin"))
    var origin: [String] = []

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let body: JSON = origin.isEmpty ? [:] : ["origins": .array(origin.map(JSON.string))]
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
        var table = TextTable("KEY", "ORIGINS", "REVOKED")
        for key in answer["keys"]?.elements ?? [] {
            let origins = key["origins"]?.elements?.map(cell).joined(separator: " ") ?? ""
            table.add(
                key.text ?? cell(key["apiKey"]), origins.isEmpty ? "any" : origins, cell(key["revoked"]))
        }
        print(table.text)
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
