import Binary
import Placement
import Raft

/// How a node without a cluster gets into one.
public enum Membership: Sendable, Equatable {
    /// Waits until so many nodes, itself included, are there, and makes the cluster of them.
    case bootstrap(initialNodes: Int, shards: Int, leaseDurationMs: UInt64)
    /// Asks any of these peer addresses until one answers with the genesis of its cluster; if a cluster is named,
    /// only of that one.
    case join([String], cluster: UInt64 = 0)
}

/// Collects the first members of a cluster.
///
/// The genesis record is made once, by the bootstrapping node, and written on every member before that
/// member takes part in anything; so all of them start from the same state.
struct Formation {
    let membership: Membership
    private var members: [Genesis.Member]
    private var askedAtMs: UInt64 = 0

    init(membership: Membership, identity: NodeIdentity) {
        self.membership = membership
        members = [
            Genesis.Member(
                node: identity.nodeID, name: identity.name, peerAddress: identity.peerAddress,
                clientURL: identity.clientURL)
        ]
    }

    /// Why this node itself cannot be a member, if it cannot.
    var ownFault: String? { members[0].fault }

    /// Somebody wants to belong to the cluster that this node is about to make. A request with an
    /// unusable name or address is left out: its node goes on asking, and its log says so.
    mutating func join(_ request: JoinRequest) {
        guard request.member.fault == nil, case .bootstrap(let initialNodes, _, _) = membership, members.count < initialNodes,
            !members.contains(where: { $0.node == request.node || $0.name == request.name })
        else { return }
        members.append(request.member)
    }

    /// The genesis, once everybody is there.
    func genesis(random: inout RandomSource) -> Genesis? {
        guard case .bootstrap(let initialNodes, let shards, let leaseDurationMs) = membership,
            members.count == initialNodes
        else { return nil }
        return Genesis(
            clusterID: random.next() | 1, hashKey: SipHash(key0: random.next(), key1: random.next()),
            members: members.sorted { $0.name < $1.name }, shardCount: shards,
            replicasPerShard: 3, leaseDurationMs: leaseDurationMs, signingKey: random.bytes(32))
    }

    /// Addresses to ask now, a few times a second.
    mutating func addressesToAsk(nowMs: UInt64) -> [String] {
        guard case .join(let addresses, _) = membership, nowMs >= askedAtMs + 200 || askedAtMs == 0 else { return [] }
        askedAtMs = max(nowMs, 1)
        return addresses
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): all randomness of a core comes from one seed. In
/// production the seed comes from the operating system's generator, and what must be secret is drawn
/// through a keyed hash.
struct RandomSource {
    private var state: UInt64
    private let key: SipHash

    init(seed: UInt64) {
        state = seed
        key = SipHash(key0: seed ^ 0x5BF0_3635, key1: seed &* 0xD605_BBB5_8C8A_BC03)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        while result.count < count {
            withUnsafeBytes(of: next().littleEndian) { result.append(contentsOf: $0) }
        }
        return Array(result.prefix(count))
    }
}

extension Genesis {
    /// Who votes in the placement group: 5 or 3 where there are enough, all of fewer.
    var firstVoters: [NodeID] {
        let count = members.count >= 5 ? 5 : min(members.count, 3)
        return members.prefix(count).map(\.node)
    }

    /// The first configuration of the placement group as `node` knows it: a node that joins later
    /// knows none, and waits for a snapshot before it takes part.
    func firstPlacement(at node: NodeID) -> InitialState {
        guard members.contains(where: { $0.node == node }) else { return .joining }
        let voters = firstVoters
        let learners = members.map(\.node).filter { !voters.contains($0) }
        return .newGroup(Configuration(voters: voters, learners: learners))
    }
}

extension JoinRequest {
    var member: Genesis.Member {
        Genesis.Member(node: node, name: name, peerAddress: peerAddress, clientURL: clientURL)
    }
}
