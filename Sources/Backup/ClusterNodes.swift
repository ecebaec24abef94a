import HoldfastClient
import NIOCore

/// The nodes whose admin API can be reached, by name. Owners are found among them.
struct ClusterNodes: Sendable {
    struct Node: Sendable {
        var name: String
        var cluster: UInt64
        var version: String
        /// For calls that are answered at once.
        var quick: AdminClient
        /// For the making of a file, which takes as long as the shard is large.
        var patient: AdminClient
    }

    private let endpoints: [(endpoint: Endpoint, quick: AdminClient, patient: AdminClient)]
    private(set) var nodes: [Node] = []

    init(endpoints: [Endpoint], token: String?, timeout: TimeAmount, on eventLoop: any EventLoop) {
        self.endpoints = endpoints.map { endpoint in
            let make = { (timeout: TimeAmount) in
                AdminClient(
                    pool: ConnectionPool(endpoints: [endpoint], on: eventLoop, timeout: timeout), token: token)
            }
            return (endpoint, make(timeout), make(max(timeout, .seconds(600))))
        }
    }

    /// Asks every endpoint who it is; those that do not answer are left out.
    mutating func look() async throws(BackupFailure) {
        // All at once: one that is down would keep the others waiting.
        let answers = await withTaskGroup(of: (Int, Result<JSON, HoldfastError>).self) { group in
            for (position, (_, quick, _)) in endpoints.enumerated() {
                group.addTask {
                    do throws(HoldfastError) {
                        return (position, .success(try await quick.get("backup")))
                    } catch {
                        return (position, .failure(error))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var found: [Node] = []
        var why = "no answer"
        for (position, answer) in answers.sorted(by: { $0.0 < $1.0 }) {
            switch answer {
            case .failure(let error): why = "\(error)"
            case .success(let page):
                guard let name = page["node"]?.text, let cluster = page["cluster"]?.hash else { continue }
                let (_, quick, patient) = endpoints[position]
                found.append(
                    Node(
                        name: name, cluster: cluster, version: page["version"]?.text ?? "", quick: quick,
                        patient: patient))
            }
        }
        guard !found.isEmpty else { throw BackupFailure("no node answers on the endpoints given: \(why)") }
        guard Set(found.map(\.cluster)).count == 1 else {
            throw BackupFailure("the endpoints belong to several clusters; give those of one")
        }
        nodes = found
    }

    func node(_ name: String?) -> Node? { nodes.first { $0.name == name } }

    func close() async {
        for (_, quick, patient) in endpoints {
            await quick.close()
            await patient.close()
        }
    }
}
