import Binary
import Raft

/// A wish that a shard be kept by other nodes. The owner is asked; its log decides (O9).
public struct ReplicaRequest: Sendable, Hashable {
    public let shard: ShardID
    /// The epoch at which the wish was made; it is void at any other.
    public let epoch: Epoch
    /// The configuration for which it was made. For any other it is void: late word of a node that is not to be a
    /// replica any more would take it out again.
    public let basis: LogPoint
    /// The wanted voters, sorted. Those that are new become learners first.
    public let target: [NodeID]

    public init(shard: ShardID, epoch: Epoch, basis: LogPoint, target: [NodeID]) {
        self.shard = shard
        self.epoch = epoch
        self.basis = basis
        self.target = target.sorted()
    }
}

extension ReplicaRequest: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(shard)
        writer.writeVariable(epoch.rawValue)
        writer.write(basis)
        writer.writeArray(target) { $0.write($1.rawValue) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = try ShardID(from: &reader)
        epoch = Epoch(rawValue: try reader.readVariable())
        basis = try LogPoint(from: &reader)
        target = try reader.readNodes(limit: PlacementLimits.members)
        guard !target.isEmpty, isStrictlyRising(target, by: <) else {
            throw DecodingFailure("the wanted replicas of a shard are out of order")
        }
    }
}
