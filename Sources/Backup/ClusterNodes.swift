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
        var found: [Node] = []
        var why = "no answer"
        for (place, page) in zip(endpoints, await pages()) {
            switch page {
            case .failure(let error): why = "\(error)"
            case .success(let page):
                guard let name = page["node"]?.text, let cluster = page["cluster"]?.hash else { continue }
                found.append(
                    Node(
                        name: name, cluster: cluster, version: page["version"]?.text ?? "", quick: place.quick,
                        patient: place.patient))
            }
        }
        guard !found.isEmpty else { throw BackupFailure("no node answers on the endpoints given: \(why)") }
        guard Set(found.map(\.cluster)).count == 1 else {
            throw BackupFailure("the endpoints belong to several clusters; give those of one")
        }
        nodes = found
    }

    /// Of the endpoints, in their order, asked all at once: one that is down would keep the others waiting.
    private func pages() async -> [Result<JSON, HoldfastError>] {
        let tasks = endpoints.map { place in Task { await Self.page(of: place.quick) } }
        var pages: [Result<JSON, HoldfastError>] = []
        for task in tasks { pages.append(await task.value) }
        return pages
    }

    private static func page(of client: AdminClient) async -> Result<JSON, HoldfastError> {
        do throws(HoldfastError) {
            return .success(try await client.get("backup"))
        } catch {
            return .failure(error)
        }
    }

    func node(_ name: String?) -> Node? { nodes.first { $0.name == name } }

    func close() async {
        for (_, quick, patient) in endpoints {
            await quick.close()
            await patient.close()
        }
    }
}
