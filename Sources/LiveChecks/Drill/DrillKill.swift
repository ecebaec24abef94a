import Glibc
import HoldfastClient

/// How the owner is killed.
public enum DrillKill: Sendable, Equatable {
    /// By SIGKILL to the serving process, whose pid the cluster file's node has written down.
    case process(clusterFile: String)
    /// By a command of the shell, with the node's name in place of `{node}`.
    case command(String)

    /// Throws if it could not be done.
    func check(_ node: String) throws {
        switch self {
        case .process(let path): _ = try Self.process(of: node, path)
        case .command(let text):
            guard text.contains("{node}") else {
                throw DrillRefusal("the kill command names no node: write {node} where its name belongs")
            }
        }
    }

    /// The pid of a command that is on its way, or nil if all is done.
    func carryOut(_ node: String) throws -> pid_t? {
        switch self {
        case .process(let path):
            let pid = try Self.process(of: node, path)
            guard kill(pid, SIGKILL) == 0 else {
                throw DrillRefusal("process \(pid) of \(node) cannot be killed: \(String(cString: strerror(errno)))")
            }
            return nil
        case .command(let text):
            return try ChildProcess.start(["/bin/sh", "-c", text.replacing("{node}", with: node)])
        }
    }

    /// A pid that was written down may be another program's by now.
    private static func process(of node: String, _ path: String) throws -> pid_t {
        guard let file = try ClusterFile.read(path)?.refreshed() else {
            throw DrillRefusal("\(path) is not there: give --cluster-file or --kill-command")
        }
        guard let found = file.nodes.first(where: { $0.name == node }) else {
            throw DrillRefusal("\(path) knows no node \(node)")
        }
        let words = (try? LocalFile.read("/proc/\(found.pid)/cmdline"))?.split(separator: 0) ?? []
        guard found.pid > 1, !found.dataDirectory.isEmpty,
            words.contains(where: { Array($0) == Array(found.dataDirectory.utf8) })
        else {
            throw DrillRefusal("process \(found.pid) is not the one that serves as \(node) in \(found.dataDirectory)")
        }
        return found.pid
    }
}

/// Why a drill is not made, or was broken off; nothing was killed unless the reasons say so.
public struct DrillRefusal: Error, Sendable, CustomStringConvertible {
    public var headline: String
    public var reasons: [String]

    public init(_ headline: String, _ reasons: [String] = []) {
        self.headline = headline
        self.reasons = reasons
    }

    private static let shownMax = 10

    /// Headline and reasons, a line each.
    public var message: String {
        let more = reasons.count > Self.shownMax ? ["… and \(reasons.count - Self.shownMax) more"] : []
        return ([headline] + (reasons.prefix(Self.shownMax) + more).map { "  " + $0 }).joined(separator: "\n")
    }

    public var description: String { message }
}
