import ArgumentParser
import EdgeNode
import HoldfastClient
import TLS

struct SecretsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secrets",
        abstract: "The keys under which the cluster's table keeps secrets.",
        discussion: """
            To replace them: 'rotate', copy each NAME/cluster.key to its node, 'reseal'; once the tokens of former keys \
            are over (an hour; capabilities up to 30 days), 'drop-former' and copy again. Nodes take up each step by themselves.
            """,
        subcommands: [SecretsShow.self, SecretsRotate.self, SecretsReseal.self, SecretsDropFormer.self])
}

struct SecretsShow: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show which keys a node has, and what is sealed under former ones; no secrets.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().get("secrets")
        if output.json { return print(answer) }
        let names = answer["clusterKeys"]?.elements?.map { cell($0["name"]) } ?? []
        print("cluster keys         \(names.isEmpty ? "none: secrets are in the clear" : names.joined(separator: " "))")
        print("tokens are signed    \(answer["signsByNewest"] == .bool(true) ? "under the newest" : "under a former key, or in the clear")")
        print("former signing keys  \(cell(answer["formerSigningKeys"]))")
        print("secrets of classes   \(cell(answer["secrets"])), to be sealed \(cell(answer["toBeSealed"])), "
            + "unreadable here \(cell(answer["unreadable"]))")
    }
}

struct SecretsRotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Make a new key beside the former ones, in the authority's directory.")

    @OptionGroup var authority: AuthorityOptions

    func run() throws {
        let directory = try authority.read()
        let names = try reportingFaults { () throws(TLSMaterialFault) in
            try directory.rotateClusterKey()
            return try directory.clusterKeyNames
        }
        print("the newest key is \(names[0]): copy each NAME/cluster.key to its node, all of them, then 'secrets reseal'")
    }
}

struct SecretsReseal: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "reseal", abstract: "Bring everything that is sealed under the newest key. All nodes must have it.")

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let client = try admin.client()
        var done: [JSON] = []
        while true {
            let answer = try await client.post("secrets/reseal", [:])
            guard let what = answer["resealed"] else { break }
            done.append(what)
            if !output.json { print(cell(what)) }
        }
        print(output.json ? JSON.object([JSON.Member("resealed", .array(done))]).description : "nothing else is under a former key")
    }
}

struct SecretsDropFormer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drop-former",
        abstract: "Keep the newest key only. What is still under another is lost: look at 'secrets show' first.")

    @OptionGroup var authority: AuthorityOptions

    func run() throws {
        let directory = try authority.read()
        try reportingFaults { () throws(TLSMaterialFault) in try directory.dropFormerClusterKeys() }
        print("the former keys are gone from \(authority.directory): copy each NAME/cluster.key to its node")
    }
}
