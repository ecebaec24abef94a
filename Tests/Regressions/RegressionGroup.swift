@testable import Raft
@testable import RaftTests

/// What the regressions do with a group beyond what its own tests need.
extension TestGroup {
    /// A placement group with a leader.
    static func elected(_ members: ClosedRange<UInt64> = 1...3) -> TestGroup {
        let voters = Configuration(voters: members.map { NodeID($0) })
        var group = TestGroup(.newGroup(voters), on: members, isElected: true)
        group.settle(rounds: 60)
        return group
    }

    /// A shard's group that node 1 owns.
    static func owned(by voters: [UInt64] = [1, 2, 3], on members: ClosedRange<UInt64> = 1...3) -> TestGroup {
        let configuration = Configuration(voters: voters.map { NodeID($0) })
        var group = TestGroup(.newGroup(configuration), on: members)
        group.appoint(1)
        group.settle()
        return group
    }

    /// Who leads its term and has committed an entry of it.
    var leader: UInt64? { nodes.first { $0.isUp && $0.replica.serves }?.id.rawValue }

    /// Who leads its term, whether anything is committed or not.
    var claimant: UInt64? { nodes.last { $0.isUp && $0.replica.leads }?.id.rawValue }

    func others(than number: UInt64) -> [UInt64] { nodes.map(\.id.rawValue).filter { $0 != number } }

    func replica(_ number: UInt64) -> TestReplica { nodes[position(number)].replica }

    func applied(_ number: UInt64) -> [[UInt8]] { nodes[position(number)].machine.applied.map(\.payload) }

    mutating func propose(_ payload: [UInt8], at number: UInt64) -> LogIndex? {
        nodes[position(number)].replica.propose(payload)
    }

    mutating func crash(_ number: UInt64) { nodes[position(number)].crash() }

    /// Its links are new, and the others are told so.
    mutating func restart(_ number: UInt64) {
        nodes[position(number)].restart()
        for other in others(than: number) {
            nodes[position(other)].replica.report(NodeID(number), reachable: true)
        }
    }

    /// Time passes, and of what is said only what `arrives` is heard.
    mutating func settle(rounds: Int, where arrives: (Message) -> Bool) {
        for _ in 0..<rounds {
            collect()
            while !network.isEmpty {
                let message = network.removeFirst()
                if arrives(message) { deliver(message) }
                collect()
            }
            for node in nodes.indices where nodes[node].isUp { nodes[node].replica.tick() }
        }
    }

    /// What the nodes want to say now, taken off the network: it can be delivered later.
    mutating func takeMessages() -> [Message] {
        collect()
        defer { network = [] }
        return network
    }

    /// Makes the oldest write of a node durable, and all that follow.
    mutating func syncDisk(of number: UInt64) {
        let node = position(number)
        while nodes[node].sync(&rules) {}
    }
}

extension Message {
    var isAppend: Bool { if case .append = body { true } else { false } }

    /// Tells its receiver that `index` is committed.
    func reveals(_ index: LogIndex) -> Bool {
        switch body {
        case .append(let append): append.commit >= index
        case .heartbeat(let beat): beat.commit >= index
        default: false
        }
    }
}
