import Binary
import Raft

/// What a cluster is born with. Written once, the same on every node, part of every snapshot.
public struct Genesis: Sendable, Equatable {
    public struct Member: Sendable, Equatable {
        public var node: NodeID
        public var name: String
        public var peerAddress: String
        public var clientURL: String

        public init(node: NodeID, name: String, peerAddress: String, clientURL: String) {
            self.node = node
            self.name = name
            self.peerAddress = peerAddress
            self.clientURL = clientURL
        }
    }

    public var clusterID: UInt64
    /// Secret key of the hash that maps object ids to keys.
    public var hashKey: SipHash
    /// The first members, in the order in which replicas are dealt out.
    public var members: [Member]
    public var shardCount: Int
    /// Wanted replicas per shard; with fewer members each shard has as many as there are.
    public var replicasPerShard: Int
    public var leaseDurationMs: UInt64
    /// The first key that signs access tokens.
    public var signingKey: [UInt8]

    public init(
        clusterID: UInt64, hashKey: SipHash, members: [Member], shardCount: Int = 64,
        replicasPerShard: Int = 3, leaseDurationMs: UInt64 = 2_000, signingKey: [UInt8]
    ) {
        self.clusterID = clusterID
        self.hashKey = hashKey
        self.members = members
        self.shardCount = shardCount
        self.replicasPerShard = replicasPerShard
        self.leaseDurationMs = leaseDurationMs
        self.signingKey = signingKey
    }

    /// What is wrong with these values, if anything: a message for whoever wrote them.
    public var fault: String? {
        if !(1...PlacementLimits.members).contains(members.count) {
            return "a cluster starts with 1 to \(PlacementLimits.members) members, not \(members.count)"
        }
        if Set(members.map(\.node)).count != members.count { return "two members have the same node id" }
        if Set(members.map(\.name)).count != members.count { return "two members have the same name" }
        if let fault = members.lazy.compactMap(\.fault).first { return fault }
        if !(1...PlacementLimits.shards).contains(shardCount) {
            return "a cluster has 1 to \(PlacementLimits.shards) shards, not \(shardCount)"
        }
        if !(1...PlacementLimits.members).contains(replicasPerShard) {
            return "a shard has 1 to \(PlacementLimits.members) replicas, not \(replicasPerShard)"
        }
        if !PlacementLimits.leaseDurationMs.contains(leaseDurationMs) {
            return "a lease lasts \(PlacementLimits.leaseDurationMs) ms, not \(leaseDurationMs)"
        }
        if signingKey.count < 16 || signingKey.count > PlacementLimits.keyMaterialBytes {
            return "the signing key needs at least 16 bytes"
        }
        return nil
    }

    /// Shards of even width without owners, their replicas dealt out round robin.
    func firstRecords() -> [ShardRecord] {
        let replicas = min(replicasPerShard, members.count)
        return (0..<shardCount).map { number in
            let start = UInt64(shardCount).dividingFullWidth((UInt64(number), 0)).quotient
            let nodes = (0..<replicas).map { members[(number + $0) % members.count].node }
            return ShardRecord(shard: ShardID(rawValue: UInt32(number)), start: start, replicas: nodes)
        }
    }
}

extension Genesis.Member {
    /// What is wrong with it, for people; nil if nothing is.
    public var fault: String? {
        if !isPlainName(name) {
            return "a node's name is 1 to \(PlacementLimits.nameBytes) letters, digits, '-', '_' or '.', "
                + "and starts with a letter or digit: \(name)"
        }
        if !isAddress(peerAddress) || !isAddress(clientURL) {
            return "the addresses of \(name) are empty or over \(PlacementLimits.addressBytes) bytes"
        }
        return nil
    }
}

extension Genesis: BinaryCoded {
    static let formatVersion: UInt8 = 1

    public func encode(into writer: inout ByteWriter) {
        writer.write(Self.formatVersion)
        writer.write(clusterID)
        writer.write(hashKey.key0)
        writer.write(hashKey.key1)
        writer.writeAll(members)
        writer.writeVariable(shardCount)
        writer.writeVariable(replicasPerShard)
        writer.writeVariable(leaseDurationMs)
        writer.writeBytes(signingKey)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        try reader.readVersion(Self.formatVersion, of: "the genesis record")
        clusterID = try reader.readUInt64()
        hashKey = SipHash(key0: try reader.readUInt64(), key1: try reader.readUInt64())
        members = try reader.readAll(limit: PlacementLimits.members)
        shardCount = try reader.readCount(limit: PlacementLimits.shards)
        replicasPerShard = try reader.readCount(limit: PlacementLimits.members)
        leaseDurationMs = try reader.readVariable()
        signingKey = try reader.readBytes(limit: PlacementLimits.keyMaterialBytes)
        if let fault { throw DecodingFailure(fault) }
    }
}

extension Genesis.Member: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.writeString(name)
        writer.writeString(peerAddress)
        writer.writeString(clientURL)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        node = NodeID(rawValue: try reader.readUInt64())
        name = try reader.readString(limit: PlacementLimits.decodedBytes)
        peerAddress = try reader.readString(limit: PlacementLimits.decodedBytes)
        clientURL = try reader.readString(limit: PlacementLimits.decodedBytes)
    }
}
