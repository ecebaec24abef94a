import ArgumentParser
import HoldfastClient

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Access tokens.",
        subcommands: [TokenMintCommand.self, TokenCapabilityCommand.self, TokenKeysCommand.self, TokenRotateKeyCommand.self])
}

struct TokenMintCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "mint", abstract: "Exchange key and secret for a token.")

    @OptionGroup var access: ProjectAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let token = try await access.client().token()
        print(output.json ? JSON.object([JSON.Member("token", .string(token))]).description : token)
    }
}

struct TokenKeysCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "List the keys by which tokens are verified, without their secrets.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get("signing-keys")
        if output.json { return print(answer) }
        var table = TextTable("KEY", "CREATED (MS)", "SIGNS")
        for key in answer["signingKeys"]?.elements ?? [] {
            table.add(cell(key["id"]), cell(key["createdAt"]), cell(key["signs"]))
        }
        print(table.text)
    }
}

struct TokenRotateKeyCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "rotate-key",
        abstract: "Make a new key for tokens. Tokens of the kept earlier keys stay valid.")

    @Flag(help: "Also if it ends tokens: the oldest of more than four keys is forgotten.")
    var force = false

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let body: JSON = force ? ["force": true] : [:]
        let answer = try await admin.client().post("signing-keys", body)
        print(output.json ? answer.description : "key \(cell(answer["id"])) signs tokens in a few seconds")
    }
}
