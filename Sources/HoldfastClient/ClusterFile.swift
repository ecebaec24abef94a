/// A cluster on this machine, as `scripts/cluster` describes it in `cluster.json`.
public struct ClusterFile: Sendable, Hashable {
    public struct Node: Sendable, Hashable {
        public var name: String
        public var endpoint: Endpoint
        /// The process that serves; 0 while the node is down.
        public var pid: Int32
        /// The small parent that waits for it.
        public var parentPid: Int32
        public var dataDirectory: String
    }

    public var nodes: [Node]
    public var project: String?
    public var apiKey: String?
    public var apiSecret: String?
    public var adminToken: String?
    /// PEM of the authority that vouches for the nodes.
    public var authorityFile: String?

    /// `nil` if `json` does not describe a cluster.
    public init?(_ json: JSON) {
        guard let elements = json["nodes"]?.elements else { return nil }
        nodes = []
        for element in elements {
            guard let name = element["name"]?.text,
                let endpoint = element["url"]?.text.flatMap(Endpoint.init)
            else { return nil }
            nodes.append(
                Node(
                    name: name, endpoint: endpoint,
                    pid: Int32(clamping: element["pid"]?.int ?? 0),
                    parentPid: Int32(clamping: element["parentPid"]?.int ?? 0),
                    dataDirectory: element["data"]?.text ?? ""))
        }
        project = json["project"]?.text
        apiKey = json["apiKey"]?.text
        apiSecret = json["apiSecret"]?.text
        adminToken = json["adminToken"]?.text
        authorityFile = json["ca"]?.text
    }

    /// `nil` if there is no such file; throws when it is there and cannot be used.
    public static func read(_ path: String) throws -> ClusterFile? {
        let bytes: [UInt8]
        do {
            bytes = try LocalFile.read(path)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
        guard let json = try? JSON(parsing: bytes), let file = ClusterFile(json) else {
            throw HoldfastError(.refused, "\(path) does not describe a cluster", applied: .no)
        }
        return file
    }

    /// Pids now: every node writes its own to `pids` in its data directory when it starts.
    public func refreshed() -> ClusterFile {
        var file = self
        for position in file.nodes.indices {
            guard let text = try? LocalFile.readText(file.nodes[position].dataDirectory + "/pids") else {
                continue
            }
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count == 2, let number = Int32(words[1]) else { continue }
                if words[0] == "pid" { file.nodes[position].pid = number }
                if words[0] == "parentPid" { file.nodes[position].parentPid = number }
            }
        }
        return file
    }
}
