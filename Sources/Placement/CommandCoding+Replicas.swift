import Binary
import Raft

/// Commands about replicas, nodes and the division of the key space.
extension Command {
    func encodeReplicas(into writer: inout ByteWriter) -> Bool {
        switch self {
        case .recordReplicas(let shard, let expected, let proposer, let index, let configuration):
            writer.write(Kind.recordReplicas.rawValue)
            writer.writeHolding(shard, expected, proposer)
            writer.writeVariable(index.rawValue)
            configuration.encode(into: &writer)
        case .reportLost(let shard, let since, let proposer):
            writer.write(Kind.reportLost.rawValue)
            writer.write(shard)
            writer.write(since)
            writer.write(proposer)
        case .setStanding(let node, let standing):
            writer.write(Kind.setStanding.rawValue)
            writer.write(node.rawValue)
            writer.write(standing.rawValue)
        case .removeNode(let node, let atMs):
            writer.write((atMs == 0 ? Kind.removeNode : .removeNodeAt).rawValue)
            writer.write(node.rawValue)
            if atMs > 0 { writer.write(atMs) }
        default:
            return false
        }
        return true
    }

    static func readReplicas(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure) -> Command {
        switch kind {
        case .recordReplicas:
            let (shard, expected, proposer) = try reader.readHolding()
            let index = LogIndex(rawValue: try reader.readVariable())
            return .recordReplicas(
                shard, expected: expected, proposer: proposer, index: index,
                configuration: try Configuration(from: &reader))
        case .reportLost:
            let shard = try ShardID(from: &reader)
            let since = try LogPoint(from: &reader)
            return .reportLost(shard, since: since, proposer: try NodeProcess(from: &reader))
        case .setStanding:
            let node = NodeID(rawValue: try reader.readUInt64())
            guard let standing = NodeStanding(rawValue: try reader.readUInt8()) else {
                throw DecodingFailure("an unknown standing of a node")
            }
            return .setStanding(node, standing)
        default:
            let node = NodeID(rawValue: try reader.readUInt64())
            guard kind == .removeNodeAt else { return .removeNode(node) }
            let atMs = try reader.readUInt64()
            guard atMs > 0 else { throw DecodingFailure("a node was removed at no time") }
            return .removeNode(node, atMs: atMs)
        }
    }

    func encodeDivision(into writer: inout ByteWriter) -> Bool {
        switch self {
        case .planSplit(let shard, let expected, let cut):
            writer.write(Kind.planSplit.rawValue)
            writer.write(shard)
            writer.writeVariable(expected.rawValue)
            writer.write(cut)
        case .split(let shard, let expected, let proposer, let cut, let child, let index):
            writer.write(Kind.split.rawValue)
            writer.writeHolding(shard, expected, proposer)
            writer.write(cut)
            writer.write(child)
            writer.writeVariable(index.rawValue)
        case .planMerge(let left, let expectedLeft, let right, let expectedRight):
            writer.write(Kind.planMerge.rawValue)
            writer.write(left)
            writer.writeVariable(expectedLeft.rawValue)
            writer.write(right)
            writer.writeVariable(expectedRight.rawValue)
        case .merge(let proposal):
            writer.write(Kind.merge.rawValue)
            writer.write(proposal)
        case .cancelPlan(let shard, let expected, let proposer, let plan):
            writer.write(Kind.cancelPlan.rawValue)
            writer.writeHolding(shard, expected, proposer)
            writer.write(plan)
        default:
            return false
        }
        return true
    }

    static func readDivision(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure) -> Command {
        switch kind {
        case .planSplit:
            let shard = try ShardID(from: &reader)
            let expected = Epoch(rawValue: try reader.readVariable())
            return .planSplit(shard, expected: expected, cut: try reader.readUInt64())
        case .split:
            let (shard, expected, proposer) = try reader.readHolding()
            let cut = try reader.readUInt64()
            let child = try ShardID(from: &reader)
            let index = LogIndex(rawValue: try reader.readVariable())
            return .split(
                shard, expected: expected, proposer: proposer, cut: cut, child: child, index: index)
        case .planMerge:
            let left = try ShardID(from: &reader)
            let expectedLeft = Epoch(rawValue: try reader.readVariable())
            let right = try ShardID(from: &reader)
            let expectedRight = Epoch(rawValue: try reader.readVariable())
            return .planMerge(
                left: left, expectedLeft: expectedLeft, right: right, expectedRight: expectedRight)
        case .merge:
            return .merge(try MergeProposal(from: &reader))
        default:
            let (shard, expected, proposer) = try reader.readHolding()
            return .cancelPlan(
                shard, expected: expected, proposer: proposer, plan: try ShardPlan(from: &reader))
        }
    }
}

extension MergeProposal: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(left)
        writer.writeVariable(expectedLeft.rawValue)
        writer.writeVariable(leftIndex.rawValue)
        writer.write(right)
        writer.writeVariable(expectedRight.rawValue)
        writer.writeVariable(rightIndex.rawValue)
        writer.write(proposer)
        writer.write(into)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        left = try ShardID(from: &reader)
        expectedLeft = Epoch(rawValue: try reader.readVariable())
        leftIndex = LogIndex(rawValue: try reader.readVariable())
        right = try ShardID(from: &reader)
        expectedRight = Epoch(rawValue: try reader.readVariable())
        rightIndex = LogIndex(rawValue: try reader.readVariable())
        proposer = try NodeProcess(from: &reader)
        into = try ShardID(from: &reader)
    }
}
