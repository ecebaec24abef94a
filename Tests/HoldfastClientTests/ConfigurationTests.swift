import EdgeNode
import Testing

@testable import holdfast

@Suite struct ConfigurationTests {
    private static let file = """
        # a node
        name = "n1"   # its name
        data = '/var/lib/holdfast'
        lease-ms = 2_000
        bootstrap = true
        initial-nodes = 3
        join = ["10.0.0.2:7101", "[::1]:7102"]
        reads = "quorum"
        hibernate-ms = 0
        memory-mb = 128
        segment-kb = 256
        split-operations = 150
        merge-after-s = 5
        checkpoint-interval-s = 5
        checkpoint-mb = 2
        archive-directory = "/var/lib/archive"
        archive-interval-s = 30
        tls-directory = "/etc/holdfast/tls"
        """

    private func configuration(
        toml: String = "", environment: [String: String] = [:], flags: [(String, String)] = []
    ) throws -> NodeConfiguration {
        var layers = ConfigurationLayers()
        layers.add(try ConfigurationText.settings(toml, file: "holdfast.toml"))
        layers.addEnvironment { environment[$0] }
        layers.add(flags.map { RawSetting(name: $0.0, value: .scalar($0.1), source: "flag --\($0.0)") })
        return try layers.configuration()
    }

    private func complaint(
        toml: String = "name = \"n\"\ndata = \"d\"\ninsecure = true\n", more: String = "",
        environment: [String: String] = [:],
        flags: [(String, String)] = []
    ) -> String {
        do {
            _ = try configuration(toml: toml + more, environment: environment, flags: flags)
            return ""
        } catch {
            return (error as? ConfigurationFault)?.message ?? "\(error)"
        }
    }

    @Test func readsAFile() throws {
        let result = try configuration(toml: Self.file)
        #expect(result.name == "n1")
        #expect(result.dataDirectory == "/var/lib/holdfast")
        #expect(result.leaseMs == 2_000)
        #expect(result.bootstrap)
        #expect(result.join.map(\.description) == ["10.0.0.2:7101", "[::1]:7102"])
        #expect(result.reads == .quorum)
        #expect(result.hibernateMs == 0)
        #expect(result.memoryMegabytes == 128)
        #expect(result.segmentKilobytes == 256)
        #expect(result.splitOperations == 150 && result.mergeAfterSeconds == 5)
        #expect(result.checkpointIntervalSeconds == 5)
        #expect(result.checkpointMegabytes == 2)
        #expect(result.archiveDirectory == "/var/lib/archive")
        #expect(result.archiveIntervalS == 30)
        #expect(result.shards == 64)
    }

    @Test func laysEnvironmentOverFileAndFlagsOverBoth() throws {
        let environment = ["HOLDFAST_LEASE_MS": "3000", "HOLDFAST_SHARDS": "8", "HOLDFAST_JOIN": "a:1, b:2"]
        let result = try configuration(toml: Self.file, environment: environment, flags: [("shards", "16")])
        #expect(result.leaseMs == 3_000)
        #expect(result.shards == 16)
        #expect(result.join.map(\.description) == ["a:1", "b:2"])
        #expect(result.initialNodes == 3)
    }

    @Test func readsTheSameFromJSON() throws {
        let json = """
            {"name":"n1","data":"/var/lib/holdfast","lease-ms":2000,"bootstrap":true,"initial-nodes":3,
             "join":["10.0.0.2:7101","[::1]:7102"],"reads":"quorum","hibernate-ms":0,"memory-mb":128,
             "segment-kb":256,"split-operations":150,"merge-after-s":5,
             "checkpoint-interval-s":5,"checkpoint-mb":2,
             "archive-directory":"/var/lib/archive","archive-interval-s":30,
             "tls-directory":"/etc/holdfast/tls"}
            """
        var layers = ConfigurationLayers()
        layers.add(try ConfigurationText.settings(json, file: "holdfast.json"))
        #expect(try layers.configuration() == configuration(toml: Self.file))
    }

    @Test func printsWhatItWouldReadAgain() throws {
        let result = try configuration(toml: Self.file)
        #expect(try configuration(toml: result.fileText) == result)
    }

    private static let node = "name = \"n\"\ndata = \"d\"\n"

    /// Nothing is in the clear unless that is said, and then on loopback only.
    @Test(arguments: [
        ("", "tls-directory is missing"),
        ("insecure = true\ntls-directory = \"t\"", "exclude each other"),
        ("insecure = true\nclient = \"0.0.0.0:7001\"", "insecure is for loopback only, and 0.0.0.0:7001 is not"),
        ("insecure = true\npeer = \"10.0.0.1:7101\"", "insecure is for loopback only"),
        ("insecure = true\nplaintext = \"redirect\"", "insecure leaves nothing"),
        ("tls-directory = \"t\"\nclient-key = \"k\"", "go together"),
        ("tls-directory = \"t\"\nclient-certificates = \"required\"", "go together"),
    ])
    func refusesWhatWouldBeOpen(_ settings: String, _ complaintText: String) {
        #expect(complaint(toml: Self.node + settings).contains(complaintText))
    }

    @Test func servesPlaintextOnLoopbackOnly() throws {
        let secure = Self.node + "tls-directory = \"t\"\n"
        let local = try configuration(toml: secure)
        #expect(local.effectivePlaintext(at: local.client) == .serve && local.clientURL == "http://127.0.0.1:7001")
        let open = try configuration(toml: secure + "client = \"10.0.0.1:7001\"")
        #expect(open.effectivePlaintext(at: open.client) == .refuse && open.clientURL == "https://10.0.0.1:7001")
        // The commands of an operator on the node itself need no certificate.
        let admin = try configuration(toml: secure + "client = \"10.0.0.1:7001\"\nadmin = \"127.0.0.1:7201\"").admin
        #expect(admin.map { open.effectivePlaintext(at: $0) } == .serve)
        let redirecting = try configuration(toml: secure + "plaintext = \"redirect\"")
        #expect(redirecting.effectivePlaintext(at: redirecting.client) == .redirect && redirecting.clientURL == "https://127.0.0.1:7001")
        #expect(try configuration(toml: redirecting.fileText) == redirecting)
    }

    @Test func refusesUnknownSettingsByNameAndPlace() {
        let text = complaint(more: "\nleese-ms = 5\n")
        #expect(text.contains("holdfast.toml line 5: unknown setting 'leese-ms'"))
    }

    @Test func passesOverForeignVariables() throws {
        #expect(complaint(environment: ["HOLDFAST_PORT": "tcp://10.0.0.1:80"]).isEmpty)
    }

    @Test(arguments: [
        ("lease-ms", "199", "200 to 60000"), ("lease-ms", "abc", "200 to 60000"),
        ("shards", "0", "1 to 4096"), ("memory-mb", "15", "16 to 1048576"),
        ("segment-kb", "63", "64 to 1048576"),
        ("split-operations", "9", "10 to 1000000000"), ("merge-after-s", "0", "1 to 31536000"),
        ("checkpoint-interval-s", "0", "1 to 31536000"), ("checkpoint-mb", "x", "1 to 65536"),
        ("archive-interval-s", "0", "1 to 86400"),
        ("client", "7001", "HOST:PORT"), ("peer", "h:70000", "HOST:PORT"),
        ("admin", "http://h:1", "HOST:PORT"),
        ("reads", "fast", "lease, quorum"), ("log-level", "loud", "trace, debug"),
        ("bootstrap", "yes", "true or false"),
        ("admin-token-file", "/nowhere/token", "readable file"),
    ])
    func refusesBadValuesWithNameAndRange(name: String, value: String, expectation: String) {
        let text = complaint(flags: [(name, value)])
        #expect(text.contains("flag --\(name): \(name) cannot be \"\(value)\""))
        #expect(text.contains(expectation))
    }

    @Test func complainsAboutEverythingAtOnce() {
        let text = complaint(toml: "shards = 0\nleese = 1\n")
        for part in ["shards cannot be", "unknown setting 'leese'", "name is missing", "data is missing"] {
            #expect(text.contains(part))
        }
    }

    @Test func takesTheAdminTokenFromTheEnvironmentOnlyAndNeverShowsIt() throws {
        let secret = "0123456789abcdef0123"
        let result = try configuration(
            toml: "name = \"n\"\ndata = \"d\"\ninsecure = true", environment: ["HOLDFAST_ADMIN_TOKEN": secret])
        #expect(result.adminToken == secret)
        #expect(!result.fileText.contains(secret))
        #expect(complaint(more: "admin-token = \"\(secret)\"").contains("HOLDFAST_ADMIN_TOKEN only"))
        let short = complaint(environment: ["HOLDFAST_ADMIN_TOKEN": "short"])
        #expect(short.contains("at least 16") && !short.contains("\"short\""))
    }

    @Test func refusesAddressesThatCollide() {
        #expect(complaint(flags: [("peer", "127.0.0.1:7001")]).contains("different addresses"))
    }

    @Test(arguments: [
        "name", "name =", "= 1", "name = n1", "name = \"n1", "name = 'n1", "[section]", "join = [1]",
        "join = [\"a:1\"", "name = \"a\" b",
        "name = \"\\x\"", "shards = 1.5", "bootstrap = maybe",
    ])
    func refusesLinesThatAreNoSettings(line: String) {
        #expect(throws: ConfigurationFault.self) {
            try ConfigurationText.settings("\n\(line)\n", file: "f.toml")
        }
        #expect(complaint(toml: "\n\(line)\n").contains("holdfast.toml line 2"))
    }

    @Test func refusesASettingThatIsThereTwice() {
        #expect(complaint(toml: "shards = 1\nshards = 2\n").contains("already set, holdfast.toml line 1"))
    }

    @Test func survivesEveryCutOfAFile() {
        for cut in 0..<Self.file.count {
            _ = try? ConfigurationText.settings(String(Self.file.prefix(cut)), file: "f.toml")
        }
    }
}
