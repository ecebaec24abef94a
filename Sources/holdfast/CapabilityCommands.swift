import ArgumentParser
import Glibc
import HoldfastClient

struct CapabilityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "capability", abstract: "Signed strings for one object.",
        subcommands: [CapabilityNarrowCommand.self])
}

/// What is taken away, when a capability is made and later.
struct CaveatOptions: ParsableArguments {
    @Option(
        name: .long, help: ArgumentHelp("read, write, presence or message; repeatable. All if left out.", valueName: "scope"))
    var scope: [String] = []

    @Option(name: .long, help: ArgumentHelp("Only items whose names begin so; no sockets.", valueName: "text"))
    var itemPrefix: String?

    @Option(name: .long, help: ArgumentHelp("Only for pages of this web origin.", valueName: "origin"))
    var audience: String?

    @Option(name: .long, help: ArgumentHelp("Not longer than this.", valueName: "seconds"))
    var expires: Int?

    func validate() throws {
        let known = ["read", "write", "presence", "message"]
        if let other = scope.first(where: { !known.contains($0) }) {
            throw ValidationError("'\(other)' is none of \(known.joined(separator: ", ")).")
        }
        guard expires.map({ (1...2_592_000).contains($0) }) ?? true else {
            throw ValidationError("--expires must be from 1 to 2592000 seconds (30 days).")
        }
    }

    var caveats: [Capability.Caveat] {
        var caveats: [Capability.Caveat] = []
        if !scope.isEmpty { caveats.append(.scopes(scope)) }
        if let itemPrefix { caveats.append(.itemPrefix(itemPrefix)) }
        if let audience { caveats.append(.audience(audience)) }
        if let expires { caveats.append(.expires((Int(time(nil)) + expires) * 1_000)) }
        return caveats
    }
}

struct TokenCapabilityCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "capability", abstract: "Make a capability for one object, by key and secret.")

    @Argument(help: "The object's id.")
    var id: String

    @Option(name: .customLong("class"), help: "The object's class.")
    var objectClass = "_undefined_"

    @OptionGroup var caveats: CaveatOptions
    @OptionGroup var access: ProjectAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        var wish = Capability.Wish(ObjectName(id, class: objectClass))
        wish.scopes = caveats.scope
        wish.itemPrefix = caveats.itemPrefix
        wish.audience = caveats.audience
        wish.expiresInMs = caveats.expires.map { $0 * 1_000 }
        let text = try await access.client().capability(wish)
        print(output.json ? JSON.object([JSON.Member("capability", .string(text))]).description : text)
    }
}

struct CapabilityNarrowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "narrow", abstract: "Take rights away from a capability. No cluster is asked.",
        discussion: "The capability is read from the standard input: arguments can be seen by others.")

    @OptionGroup var caveats: CaveatOptions

    func run() throws {
        guard let line = readLine() else { throw ValidationError("There is no capability on the standard input.") }
        print(try Capability.narrow(trimmed(line), by: caveats.caveats))
    }
}
