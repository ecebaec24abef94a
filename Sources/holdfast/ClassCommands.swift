import ArgumentParser
import HoldfastClient

struct ClassCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "class", abstract: "Settings of a class of objects.",
        subcommands: [ClassSetCommand.self, ClassShowCommand.self, ClassListCommand.self])
}

private func classPath(_ project: String, _ name: String) -> String {
    "projects/\(percentEncoded(project))/classes/\(percentEncoded(name))"
}

struct ClassSetCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set a class's settings; those left out stay as they are.")

    @Argument(help: "The project's id.")
    var project: String

    @Argument(help: "The class.")
    var `class`: String

    @OptionGroup var change: ClassChange
    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().post(classPath(project, self.class), try change.body())
        print(output.json ? answer.description : "class \(self.class) set")
    }
}

/// What `class set` changes, and the body that says so.
struct ClassChange: ParsableArguments {
    @Option(
        name: .customLong("default-ttl-ms"),
        help: ArgumentHelp("Lifetime of items written without one; 0: no expiry.", valueName: "ms"))
    var defaultTTLMs: Int?

    @Flag(
        inversion: .prefixedNo,
        help: "Whether objects open only with a signature over their id.")
    var requireIdSignature: Bool?

    @Option(
        help: ArgumentHelp(
            "Add a key of object ids: hmac-sha256, ed25519, rsa-sha256, ecdsa-p256-sha256. Earlier ones stay.",
            valueName: "algorithm"))
    var addKey: String?

    @Option(help: ArgumentHelp("Its PEM or DER file, or the file with the secret.", valueName: "file"))
    var keyFile: String?

    @Option(help: ArgumentHelp("Its version; else one above the newest.", valueName: "n"))
    var keyVersion: Int?

    @Option(help: ArgumentHelp("Remove the key of this version.", valueName: "n"))
    var removeKey: Int?

    @Option(
        help: ArgumentHelp(
            "How users prove who they are in messages and joins: off, signature or token.", valueName: "mode"))
    var userIdentity: String?

    @Option(help: ArgumentHelp("With token: the algorithm of its key.", valueName: "algorithm"))
    var identityAlgorithm: String?

    @Option(help: ArgumentHelp("The PEM or DER file, or the file with the secret.", valueName: "file"))
    var identityKeyFile: String?

    func validate() throws {
        guard (addKey == nil) == (keyFile == nil) else {
            throw ValidationError("--add-key and --key-file belong together.")
        }
        guard keyVersion == nil || addKey != nil else {
            throw ValidationError("--key-version belongs to --add-key.")
        }
        guard userIdentity != nil || identityAlgorithm == nil && identityKeyFile == nil else {
            throw ValidationError("--identity-algorithm and --identity-key-file belong to --user-identity.")
        }
    }

    func body() throws -> JSON {
        var members: [JSON.Member] = []
        if let defaultTTLMs { members.append(JSON.Member("defaultTTL", .integer(defaultTTLMs))) }
        if let requireIdSignature {
            members.append(JSON.Member("requireIdSignature", .bool(requireIdSignature)))
        }
        if let addKey, let keyFile {
            var key = try Self.key(algorithm: addKey, file: keyFile)
            if let keyVersion { key.append(JSON.Member("version", .integer(keyVersion))) }
            members.append(JSON.Member("addSignatureKey", .object(key)))
        }
        if let removeKey { members.append(JSON.Member("removeSignatureKey", .integer(removeKey))) }
        if let userIdentity {
            var identity = [JSON.Member("mode", .string(userIdentity))]
            // A mode of signature has but one algorithm.
            let algorithm = identityAlgorithm ?? (userIdentity == "signature" ? "hmac-sha256" : nil)
            identity += try Self.key(algorithm: algorithm, file: identityKeyFile)
            members.append(JSON.Member("userIdentity", .object(identity)))
        }
        return .object(members)
    }

    private static func key(algorithm: String?, file: String?) throws -> [JSON.Member] {
        var members: [JSON.Member] = []
        if let algorithm { members.append(JSON.Member("algorithm", .string(algorithm))) }
        if let file {
            var bytes = try LocalFile.read(file)
            if algorithm == "hmac-sha256" { dropLineEnd(&bytes) }
            members.append(JSON.Member("keyBase64", .string(base64Encoded(bytes))))
        }
        return members
    }

    /// Editors and `echo` end a file with a line end that nobody means as part of the secret.
    private static func dropLineEnd(_ bytes: inout [UInt8]) {
        guard bytes.last == UInt8(ascii: "\n") else { return }
        bytes.removeLast()
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    }
}

struct ClassShowCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a class's settings; keys by their fingerprints only.")

    @Argument(help: "The project's id.")
    var project: String

    @Argument(help: "The class.")
    var `class`: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get(classPath(project, self.class))
        if output.json { return print(answer) }
        print("default ttl       \(lifetimeCell(answer["defaultTTL"]))")
        print("id signature      \(answer["requireIdSignature"]?.bool == true ? "required" : "not required")")
        for key in answer["signatureKeys"]?.elements ?? [] {
            print("  key version \(cell(key["version"]))   \(keyText(key))")
        }
        print("user identity     \(cell(answer["userIdentity"]?["mode"])) \(keyText(answer["userIdentity"]))")
    }

    private func keyText(_ key: JSON?) -> String {
        [key?["algorithm"], key?["sha256"]].compactMap { $0?.text }.joined(separator: " ")
    }
}

struct ClassListCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the classes of a project that have settings of their own.")

    @Argument(help: "The project's id.")
    var project: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get("projects/\(percentEncoded(project))/classes")
        if output.json { return print(answer) }
        var table = TextTable("CLASS", "DEFAULT TTL", "SIGNATURE", "KEYS", "IDENTITY")
        for entry in answer["classes"]?.elements ?? [] {
            let keys = entry["signatureKeys"]?.elements?.map { cell($0["version"]) } ?? []
            table.add(
                cell(entry["class"]), lifetimeCell(entry["defaultTTL"]),
                entry["requireIdSignature"]?.bool == true ? "required" : "no", keys.joined(separator: " "),
                cell(entry["userIdentity"]?["mode"]))
        }
        print(table.text)
    }
}

private func lifetimeCell(_ lifetime: JSON?) -> String {
    lifetime?.int == 0 ? "none" : cell(lifetime) + " ms"
}
