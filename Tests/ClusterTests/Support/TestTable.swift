import Binary
import ObjectRuntime
import Placement
import Raft

@testable import Cluster

/// A placement state that a test changes by command, and the views that loops get of it.
struct TestTable {
    private(set) var state: PlacementState
    private var index = LogIndex.zero

    init(shards: Int = 1) {
        let members = (1...3).map { number in
            Genesis.Member(
                node: NodeID(rawValue: UInt64(number)), name: "n\(number)", peerAddress: "peer\(number)",
                clientURL: "http://client\(number)")
        }
        state = PlacementState(
            genesis: Genesis(
                clusterID: 1, hashKey: SipHash(key0: 1, key1: 2), members: members, shardCount: shards,
                signingKey: Array(repeating: 7, count: 32)))
        for number in 1...3 { register(number, nonce: UInt64(number) + 1000) }
    }

    @discardableResult
    mutating func apply(_ command: Command) -> CommandResult {
        index = index.next
        return state.apply(command, at: index)
    }

    @discardableResult
    mutating func register(_ number: Int, nonce: UInt64) -> CommandResult {
        apply(
            .register(
                Registration(
                    node: NodeID(rawValue: UInt64(number)), nonce: nonce, name: "n\(number)",
                    peerAddress: "peer\(number)", clientURL: "http://client\(number)", version: "test")))
    }

    /// The newest live process of a node.
    func process(_ number: Int) -> NodeProcess {
        state.registry.newestLive(of: NodeID(rawValue: UInt64(number)))
            ?? NodeProcess(node: NodeID(rawValue: UInt64(number)), incarnation: .zero)
    }

    var record: ShardRecord { state.table.records[0] }

    /// Gives the first shard to a node, at the next epoch.
    mutating func give(to number: Int) {
        if let owner = record.owner {
            apply(.assign(record.shard, expected: record.epoch, proposer: owner, target: process(number)))
        } else {
            apply(.appoint(candidates: [process(number)]))
        }
    }

    /// Takes every shard of a node from it; those it owned get an epoch without owner.
    mutating func fence(_ number: Int) {
        apply(.fence(process(number), candidates: [], cause: .obituary))
    }

    /// An entry that changes nothing of the table: views come anyway.
    mutating func changeNothing() {
        apply(.setReadMode(.lease))
    }

    func view(at number: Int, isRegistered: Bool = true) -> ClusterView {
        ClusterView(
            state: state, index: index, nodeID: NodeID(rawValue: UInt64(number)), nodeName: "n\(number)",
            process: isRegistered ? process(number) : nil, leader: nil)
    }
}
