import Binary
import Cluster
import Raft

/// What a link says first. Everything that could make two processes talk past each other is settled
/// here, so that later frames need not repeat it.
struct PeerHello: Equatable {
    enum Role: UInt8 {
        /// One event loop of a node.
        case node = 1
        /// The parent of a node's process, with obituaries (O7).
        case parent = 2
    }

    static let magic: UInt32 = 0x4846_5031
    static let byteCount = 4 + 2 + 1 + 8 + 8 + 8

    var role: Role
    /// 0 while the sender belongs to no cluster.
    var clusterID: UInt64
    var nodeID: NodeID
    var nonce: UInt64

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.byteCount)
        writer.write(Self.magic)
        writer.write(PeerMessage.wireVersion)
        writer.write(role.rawValue)
        writer.write(clusterID)
        writer.write(nodeID.rawValue)
        writer.write(nonce)
        return writer.bytes
    }

    init(role: Role, clusterID: UInt64, nodeID: NodeID, nonce: UInt64) {
        self.role = role
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.nonce = nonce
    }

    init(from bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        guard try reader.readUInt32() == Self.magic else {
            throw DecodingFailure("not a Holdfast peer")
        }
        let version = try reader.readUInt16()
        guard version == PeerMessage.wireVersion else {
            throw DecodingFailure("wire version \(version); this node speaks \(PeerMessage.wireVersion)")
        }
        guard let role = Role(rawValue: try reader.readUInt8()) else { throw DecodingFailure("unknown role") }
        self.role = role
        clusterID = try reader.readUInt64()
        nodeID = NodeID(rawValue: try reader.readUInt64())
        nonce = try reader.readUInt64()
        try reader.finish()
    }
}

/// The answer to a hello: who is there, and whether the link is welcome.
struct PeerHelloAnswer: Equatable {
    enum Verdict: UInt8, Error {
        case welcome = 0
        case otherCluster = 1
        case olderProcess = 2
        /// The certificate is another node's.
        case otherNode = 3
        case removedNode = 4
    }

    static let byteCount = 4 + 1 + 8 + 8

    var verdict: Verdict
    var clusterID: UInt64
    var nodeID: NodeID

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.byteCount)
        writer.write(PeerHello.magic)
        writer.write(verdict.rawValue)
        writer.write(clusterID)
        writer.write(nodeID.rawValue)
        return writer.bytes
    }

    init(verdict: Verdict, clusterID: UInt64, nodeID: NodeID) {
        self.verdict = verdict
        self.clusterID = clusterID
        self.nodeID = nodeID
    }

    init(from bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        guard try reader.readUInt32() == PeerHello.magic, let verdict = Verdict(rawValue: try reader.readUInt8())
        else { throw DecodingFailure("not a Holdfast peer") }
        self.verdict = verdict
        clusterID = try reader.readUInt64()
        nodeID = NodeID(rawValue: try reader.readUInt64())
        try reader.finish()
    }
}

extension ClusterView {
    /// O9: only the newest registered process of a node may talk. One that is not registered yet is
    /// newer than all that are.
    func acceptsLink(from hello: PeerHello, with proof: PeerProof) -> PeerHelloAnswer.Verdict {
        let standing = accepts(hello.nodeID, with: proof)
        guard standing == .welcome, let state else { return standing }
        // A node without a cluster may ask to join.
        if hello.clusterID != 0, hello.clusterID != state.genesis.clusterID { return .otherCluster }
        guard hello.role == .node, let record = state.registry.record(of: hello.nodeID) else { return .welcome }
        let isOlder = record.older.contains { $0.nonce == hello.nonce }
        let isOver = state.registry.isBuried(node: hello.nodeID, nonce: hello.nonce)
        return isOlder || isOver ? .olderProcess : .welcome
    }
}
