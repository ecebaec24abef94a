import Binary
import Placement
import Raft

/// What one replica found when it looked at all that it has stored of a shard, as of one index of its log.
public struct ScrubReport: Sendable, Equatable {
    public var shard: ShardID
    /// The scrub's entry names it.
    public var id: UInt64
    public var index: UInt64
    public var objectCount: UInt64
    public var digest: UInt64
    /// Every checksum is right, and count and digest are those of the head.
    public var isSound: Bool

    public init(shard: ShardID, id: UInt64, index: UInt64, objectCount: UInt64, digest: UInt64, isSound: Bool) {
        self.shard = shard
        self.id = id
        self.index = index
        self.objectCount = objectCount
        self.digest = digest
        self.isSound = isSound
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        for figure in [id, index, objectCount, digest] { writer.write(figure) }
        writer.write(isSound)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            shard: ShardID(rawValue: try reader.readUInt32()), id: try reader.readUInt64(),
            index: try reader.readUInt64(), objectCount: try reader.readUInt64(), digest: try reader.readUInt64(),
            isSound: try reader.readBool())
    }

    /// Equal objects at an equal index have an equal digest at every replica.
    func agrees(with other: ScrubReport) -> Bool {
        isSound && other.isSound && objectCount == other.objectCount && digest == other.digest
    }
}

/// The owner tells a replica that a majority has something else than it has (O9).
public struct ScrubVerdict: Sendable, Equatable {
    public var shard: ShardID
    public var epoch: Epoch
    public var id: UInt64

    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        writer.writeVariable(epoch.rawValue)
        writer.write(id)
    }

    init(shard: ShardID, epoch: Epoch, id: UInt64) {
        self.shard = shard
        self.epoch = epoch
        self.id = id
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            shard: ShardID(rawValue: try reader.readUInt32()), epoch: Epoch(rawValue: try reader.readVariable()),
            id: try reader.readUInt64())
    }
}

/// How a scrub of a shard ended.
public struct ScrubOutcome: Sendable, Equatable {
    public enum Result: String, Sendable, CaseIterable {
        /// All replicas have the same.
        case sound
        /// A majority has the same, and the others were told that they are lost.
        case repaired
        /// No majority has the same: nothing was decided. An alarm.
        case undecided
        /// Too few replicas reported in time; it is tried again.
        case incomplete
    }

    public var shard: ShardID
    public var result: Result
    /// The nodes that differ from the majority, or all that reported if there is none.
    public var nodes: [NodeID]
}

/// Compares what the replicas of a shard found. Pure.
struct ScrubJudgement {
    var result: ScrubOutcome.Result
    var differing: [NodeID]

    /// `voters` is the configuration at the scrub's index, `reports` what came of it.
    init(voters: [NodeID], reports: [NodeID: ScrubReport]) {
        let heard = voters.filter { reports[$0] != nil }
        let needed = voters.count / 2 + 1
        let leader = heard.first { node in
            guard let report = reports[node] else { return false }
            return heard.count { reports[$0]?.agrees(with: report) == true } >= needed
        }
        guard let leader, let right = reports[leader] else {
            let isAgreed = heard.allSatisfy { node in
                heard.first.flatMap { reports[$0] }.map { reports[node]?.agrees(with: $0) == true } ?? true
            }
            (result, differing) = isAgreed ? (.incomplete, []) : (.undecided, heard)
            return
        }
        differing = heard.filter { reports[$0]?.agrees(with: right) != true }
        result = differing.isEmpty ? (heard.count == voters.count ? .sound : .incomplete) : .repaired
    }
}
