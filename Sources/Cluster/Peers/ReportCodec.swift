import Binary
import Placement
import Raft

/// The binary form of a node's report, for the node that was asked about the whole cluster.
extension NodeReport {
    func encode(into writer: inout ByteWriter) {
        writer.writeString(name)
        writer.writeString(role.rawValue)
        writer.writeVariable(term)
        writer.writeOptional(leaderName) { $0.writeString($1) }
        for figure in [incarnation, uptimeMs, leaseRemainingMs, placementIndex] { writer.writeVariable(figure) }
        writer.write(isReady)
        writer.write(isDraining)
        writer.writeArray(notReadyReasons) { $0.writeString($1) }
        writer.writeArray(placementProgress) { writer, progress in
            writer.write(progress.node.rawValue)
            writer.writeVariable(progress.index)
            writer.writeVariable(progress.leaseRemainingMs)
        }
        writer.writeArray(shards) { $1.encode(into: &$0) }
        writer.writeVariable(counters.eventGaps)
        writer.writeVariable(counters.droppedSockets)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init()
        name = try reader.readString(limit: 256)
        guard let role = Role(rawValue: try reader.readString(limit: 32)) else {
            throw DecodingFailure("unknown role in a report")
        }
        self.role = role
        term = try reader.readVariable()
        leaderName = try reader.readOptional { (reader: inout ByteReader) throws(DecodingFailure) in
            try reader.readString(limit: 256)
        }
        incarnation = try reader.readVariable()
        uptimeMs = try reader.readVariable()
        leaseRemainingMs = try reader.readVariable()
        placementIndex = try reader.readVariable()
        isReady = try reader.readBool()
        isDraining = try reader.readBool()
        notReadyReasons = try reader.readArray(limit: 64) { (reader: inout ByteReader) throws(DecodingFailure) in
            try reader.readString(limit: 1024)
        }
        placementProgress = try reader.readArray(limit: 1024) {
            (reader: inout ByteReader) throws(DecodingFailure) in
            (
                node: NodeID(rawValue: try reader.readUInt64()), index: try reader.readVariable(),
                leaseRemainingMs: try reader.readVariable()
            )
        }
        shards = try reader.readArray(limit: 1 << 16) { (reader: inout ByteReader) throws(DecodingFailure) in
            try ShardReport(from: &reader)
        }
        counters.eventGaps = try reader.readVariable()
        counters.droppedSockets = try reader.readVariable()
    }
}

extension ShardReport {
    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        writer.writeString(stage)
        writer.write(isServing)
        for figure in [epoch, lastIndex, commitIndex, storedIndex] { writer.writeVariable(figure) }
        for figure in [objects, coldObjects, loadedBytes, bytes, queued, sessions, listeners] {
            writer.writeVariable(figure)
        }
        writer.writeOptional(takeoverPauseMs) { $0.writeVariable($1) }
        writer.writeVariable(takeoverEpoch)
        writer.writeOptional(handOverMs) { $0.writeVariable($1) }
        writer.writeVariable(handOverEpoch)
        writer.writeArray(replicaLag) { writer, lag in
            writer.write(lag.node.rawValue)
            writer.writeVariable(lag.lag)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(shard: ShardID(rawValue: try reader.readUInt32()))
        stage = try reader.readString(limit: 32)
        isServing = try reader.readBool()
        epoch = try reader.readVariable()
        lastIndex = try reader.readVariable()
        commitIndex = try reader.readVariable()
        storedIndex = try reader.readVariable()
        objects = try reader.readCount()
        coldObjects = try reader.readCount()
        loadedBytes = try reader.readCount()
        bytes = try reader.readCount()
        queued = try reader.readCount()
        sessions = try reader.readCount()
        listeners = try reader.readCount()
        takeoverPauseMs = try reader.readOptional { (reader: inout ByteReader) throws(DecodingFailure) in
            try reader.readVariable()
        }
        takeoverEpoch = try reader.readVariable()
        handOverMs = try reader.readOptional { (reader: inout ByteReader) throws(DecodingFailure) in
            try reader.readVariable()
        }
        handOverEpoch = try reader.readVariable()
        replicaLag = try reader.readArray(limit: 64) { (reader: inout ByteReader) throws(DecodingFailure) in
            (node: NodeID(rawValue: try reader.readUInt64()), lag: try reader.readVariable())
        }
    }
}
