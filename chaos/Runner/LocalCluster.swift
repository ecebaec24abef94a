import Glibc
import HoldfastClient
import LiveChecks
import NIOCore
import NIOPosix

/// The cluster that the harm is done to.
final class LocalCluster {
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    let directory: String
    private(set) var file: ClusterFile
    private let script: String
    let admin: AdminClient

    init(directory: String, script: String) throws {
        guard let file = try ClusterFile.read(directory + "/cluster.json"), file.project != nil else {
            throw Unusable(description: "no running cluster in \(directory)")
        }
        self.directory = directory
        self.file = file
        self.script = script
        let pool = ConnectionPool(
            endpoints: file.nodes.map(\.endpoint), on: MultiThreadedEventLoopGroup.singleton.any(),
            // A move is answered after ten seconds at the latest.
            timeout: .seconds(15))
        admin = AdminClient(pool: pool, token: file.adminToken)
    }

    /// The node with its pids of this moment.
    func node(_ position: Int) -> ClusterFile.Node { file.refreshed().nodes[position] }

    /// Owner and epoch of an object, as the table has them now.
    func owner(of object: String) async throws -> (node: Int, epoch: UInt64)? {
        let answer = try await admin.get("explain?" + query(object))
        guard let name = answer["owner"]?.text, let epoch = answer["epoch"]?.int,
            let position = file.nodes.firstIndex(where: { $0.name == name })
        else { return nil }
        return (position, UInt64(epoch))
    }

    func query(_ object: String) -> String {
        "project=\(file.project ?? "")&class=\(Load.objectClass)&id=\(percentEncoded(object))"
    }

    func send(_ signal: Int32, to pid: Int32) throws {
        guard pid > 1, kill(pid, signal) == 0 else {
            throw Unusable(description: "cannot signal process \(pid)")
        }
    }

    /// True when `/readyz` says so within `seconds`.
    func waitReady(_ position: Int, seconds: Double) async throws -> Bool {
        try await wait(seconds, for: position, HTTPRequest("GET", "/readyz")) { $0.status == 200 }
    }

    /// True when the node answers clients within `seconds`, whether it is being drained or not.
    func waitServing(_ position: Int, seconds: Double) async throws -> Bool {
        try await wait(seconds, for: position, Readiness.request, Readiness.serves)
    }

    private func wait(
        _ seconds: Double, for position: Int, _ request: HTTPRequest, _ isGood: (HTTPResponse) -> Bool
    ) async throws -> Bool {
        let deadline = monotonicNs() + UInt64(seconds * 1e9)
        let endpoint = file.nodes[position].endpoint
        let pool = ConnectionPool(
            endpoints: [endpoint], on: MultiThreadedEventLoopGroup.singleton.any(),
            timeout: .milliseconds(500))
        var isReady = false
        while !isReady, monotonicNs() < deadline {
            if case .success(let response) = await pool.send(request, isRepeatable: false), isGood(response) {
                isReady = true
            } else {
                try await pause(seconds: 0.02)
            }
        }
        await pool.close()
        return isReady
    }

    /// Has `scripts/cluster` start a node; the answer is the process that does it.
    func beginStart(_ position: Int) throws -> pid_t {
        let quietly = #"exec "$0" start "$1" --dir "$2" >/dev/null"#
        return try spawn(["/bin/sh", "-c", quietly, script, file.nodes[position].name, directory])
    }

    /// One node more, as an operator would add it. It is the last of `file` then.
    func add() async throws {
        try await run(["add"])
        guard let file = try ClusterFile.read(directory + "/cluster.json") else {
            throw Unusable(description: "no cluster in \(directory)")
        }
        self.file = file
    }

    /// Parent and all, in good order.
    func stop(_ position: Int) async throws { try await run(["stop", file.nodes[position].name]) }

    /// Everything that a node without processes keeps.
    func wipe(_ position: Int) async throws {
        try await finish(try spawn(["rm", "-rf", file.nodes[position].dataDirectory]))
    }

    /// The whole cluster's directory, when nothing runs any more.
    func remove() async throws { try await finish(try spawn(["rm", "-rf", directory])) }

    private func run(_ words: [String]) async throws {
        let quietly = #"script=$0; exec "$script" "$@" >/dev/null"#
        try await finish(try spawn(["/bin/sh", "-c", quietly, script] + words + ["--dir", directory]))
    }

    /// Makes a cluster and starts it.
    static func up(
        directory: String, script: String, nodes: Int, basePort: Int, binary: String?
    ) async throws -> LocalCluster {
        var words = [
            "up", "--nodes", String(nodes), "--base-port", String(basePort), "--dir", directory,
        ]
        if let binary { words += ["--binary", binary] }
        let toFile = #"script=$0 log=$1; shift; exec "$script" "$@" >"$log" 2>&1"#
        let starting = try spawn(["/bin/sh", "-c", toFile, script, directory + "/up.log"] + words)
        while try !hasFinished(starting, script) { try await pause(seconds: 0.05) }
        return try LocalCluster(directory: directory, script: script)
    }

    /// Stops every node that still runs, in good order.
    func down() async throws { try await run(["down"]) }

    func isRunning(_ position: Int) -> Bool {
        let pid = node(position).parentPid
        return pid > 1 && kill(pid, 0) == 0
    }

    func finish(_ pid: pid_t) async throws {
        while try !hasFinished(pid) { try await pause(seconds: 0.05) }
    }

    /// Throws if it has failed.
    func hasFinished(_ pid: pid_t) throws -> Bool { try Self.hasFinished(pid, script) }

    private static func hasFinished(_ pid: pid_t, _ script: String) throws -> Bool {
        guard let isGood = ChildProcess.outcome(pid) else { return false }
        guard isGood else { throw Unusable(description: "\(script) failed") }
        return true
    }

    private func spawn(_ arguments: [String]) throws -> pid_t { try Self.spawn(arguments) }

    private static func spawn(_ arguments: [String]) throws -> pid_t { try ChildProcess.start(arguments) }
}
