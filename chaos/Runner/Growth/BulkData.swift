import HoldfastClient
import NIOPosix
import Simulation

/// Many objects that are written once, before the load, and must be there at the end. What an object holds follows
/// from its number.
struct BulkData: Sendable {
    private static let writers = 32
    private static let valueDigits = 12
    private static let item = "bulk"

    let count: Int
    private let name: String
    private let project: String
    private let credentials: HoldfastClient.Credentials

    /// Throws if any of them cannot be written.
    static func write(_ count: Int, _ cluster: ClusterFile) async throws -> BulkData {
        let data = BulkData(
            count: count, name: "bulk-" + String(monotonicNs(), radix: 36), project: cluster.project ?? "",
            credentials: .key(cluster.apiKey ?? "", secret: cluster.apiSecret ?? ""))
        let wrong = try await data.forEach(cluster.nodes) { client, number in
            do {
                try await client.setItem(Self.item, .string(Self.value(number)), of: data.object(number))
                return nil
            } catch {
                return "bulk object \(number) could not be written: \(error)"
            }
        }
        if let first = wrong.first { throw LocalCluster.Unusable(description: first) }
        return data
    }

    /// What is not as it was written, read through all these nodes in turn.
    func check(_ nodes: [ClusterFile.Node]) async throws -> [String] {
        try await forEach(nodes) { client, number in
            do {
                let item = try await client.getItem(Self.item, of: object(number))
                if item?.value.text == Self.value(number) { return nil }
                return "bulk object \(number) is \(item.map { "\($0.value)" } ?? "gone")"
            } catch {
                return "bulk object \(number) cannot be read: \(error)"
            }
        }
    }

    private func object(_ number: Int) -> ObjectName { ObjectName("\(name)-\(number)", class: Load.objectClass) }

    private static func value(_ number: Int) -> String {
        var generator = SeededGenerator(seed: UInt64(number))
        return (0..<valueDigits).map { _ in String(generator.next(), radix: 16) }.joined()
    }

    /// All numbers, by some tasks at a time; what they complain of, the first few.
    private func forEach(
        _ nodes: [ClusterFile.Node], _ body: @escaping @Sendable (HoldfastClient, Int) async -> String?
    ) async throws -> [String] {
        let clients = nodes.map {
            HoldfastClient(
                endpoints: [$0.endpoint], project: project, credentials: credentials,
                on: MultiThreadedEventLoopGroup.singleton.any(), timeout: .seconds(30))
        }
        let wrong = await withTaskGroup(of: [String].self) { group in
            for worker in 0..<Self.writers {
                group.addTask {
                    var wrong: [String] = []
                    for number in stride(from: worker, to: count, by: Self.writers) where wrong.count < 20 {
                        if let fault = await body(clients[number % clients.count], number) { wrong.append(fault) }
                    }
                    return wrong
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        for client in clients { await client.close() }
        return wrong
    }
}
