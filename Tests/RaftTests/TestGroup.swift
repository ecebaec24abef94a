@testable import Raft

/// A shard's log on a network that loses nothing unless told to: for tests that name their steps.
struct TestGroup {
    var nodes: [TestNode] = []
    var rules = Invariants()
    var network: [Message] = []
    /// Nodes that hear nothing.
    var deaf: Set<NodeID> = []
    var epoch = Term.zero
    private let isElected: Bool

    init(
        _ initial: InitialState, on members: ClosedRange<UInt64>, joining: ClosedRange<UInt64>? = nil,
        isElected: Bool = false
    ) {
        self.isElected = isElected
        for number in members { add(NodeID(number), initial) }
        for number in joining ?? 0...0 where number > 0 { add(NodeID(number), .joining) }
    }

    mutating func add(_ id: NodeID, _ initial: InitialState) {
        nodes.removeAll { $0.id == id }
        let isElected = isElected
        nodes.append(
            TestNode(id: id, initial: initial) { id, state in
                isElected
                    ? .elected(ElectedReplica(id: id, initial: state, seed: 5))
                    : .appointed(AppointedReplica(id: id, initial: state))
            })
        nodes.sort { $0.id < $1.id }
    }

    subscript(_ number: UInt64) -> AppointedReplica {
        get { nodes[position(number)].replica.asAppointed! }
        set { nodes[position(number)].replica = .appointed(newValue) }
    }

    func position(_ number: UInt64) -> Int { nodes.firstIndex { $0.id == NodeID(number) }! }

    /// The next epoch, with this owner.
    mutating func appoint(_ number: UInt64, asking: [UInt64] = []) {
        epoch = epoch.next
        self[number].appoint(
            term: epoch, incarnation: nodes[position(number)].incarnation, asking: asking.map { NodeID($0) })
        for node in nodes.indices where nodes[node].isUp && nodes[node].id != NodeID(number) {
            nodes[node].replica.change({ _ in }, { $0.observe(term: epoch) })
        }
    }

    mutating func collect() {
        for node in nodes.indices where nodes[node].isUp {
            nodes[node].pump(&rules)
            network += nodes[node].takeOutbox()
        }
    }

    mutating func deliver(_ message: Message) {
        guard !deaf.contains(message.to), let node = nodes.firstIndex(where: { $0.id == message.to }),
            nodes[node].isUp
        else { return }
        nodes[node].replica.step(message)
    }

    /// Delivers at most so many messages; how many there were.
    @discardableResult
    mutating func deliver(atMost count: Int = 10_000) -> Int {
        collect()
        var delivered = 0
        while delivered < count, !network.isEmpty {
            deliver(network.removeFirst())
            delivered += 1
            collect()
        }
        return delivered
    }

    mutating func settle(rounds: Int = 12) {
        for _ in 0..<rounds {
            deliver()
            for node in nodes.indices where nodes[node].isUp { nodes[node].replica.tick() }
        }
        deliver()
    }

    /// Nil if the change could not begin.
    @discardableResult
    mutating func change(_ owner: UInt64, voters: [UInt64], learners: [UInt64] = []) -> LogIndex? {
        nodes[position(owner)].replica.proposeConfiguration(
            Configuration(voters: voters.map { NodeID($0) }, learners: learners.map { NodeID($0) }))
    }

    mutating func compact(_ number: UInt64) {
        nodes[position(number)].compact(keepingBytes: 0, through: self[number].applied)
    }
}
