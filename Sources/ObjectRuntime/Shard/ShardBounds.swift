import Binary

/// What a shard is responsible for, and since when: changed by entries of its own log only (O13).
public struct ShardBounds: Sendable, Equatable {
    /// Keys of the objects.
    public var range: ClosedRange<UInt64>
    /// For which merge the shard is frozen: the id of the shard that is to come.
    public var frozenBy: UInt32?
    /// The newest split, until the next: whoever owns the shard makes sure that the table has it.
    public var newestSplit: ShardSplit?

    public static let everything = ShardBounds(range: 0...UInt64.max)

    init(range: ClosedRange<UInt64>) {
        self.range = range
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(range.lowerBound)
        writer.write(range.upperBound)
        writer.writeOptional(frozenBy) { $0.write($1) }
        writer.writeOptional(newestSplit) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let (lower, upper) = (try reader.readUInt64(), try reader.readUInt64())
        guard lower <= upper else { throw DecodingFailure("a range of keys is empty") }
        range = lower...upper
        frozenBy = try reader.readOptional { (reader) throws(DecodingFailure) in try reader.readUInt32() }
        newestSplit = try reader.readOptional { (reader) throws(DecodingFailure) in try ShardSplit(from: &reader) }
    }
}

/// Keys of `range`, the upper part of the shard, belong to the shard `child` since the entry of `index`.
public struct ShardSplit: Sendable, Equatable {
    public var range: ClosedRange<UInt64>
    public var child: UInt32
    public var index: UInt64
    public var epoch: UInt64

    public var cut: UInt64 { range.lowerBound }

    func encode(into writer: inout ByteWriter) {
        writer.write(range.lowerBound)
        writer.write(range.upperBound)
        writer.write(child)
        writer.writeVariable(index)
        writer.writeVariable(epoch)
    }
}

extension ShardSplit {
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let (lower, upper) = (try reader.readUInt64(), try reader.readUInt64())
        guard lower <= upper else { throw DecodingFailure("a range of keys is empty") }
        range = lower...upper
        child = try reader.readUInt32()
        index = try reader.readVariable()
        epoch = try reader.readVariable()
    }
}
