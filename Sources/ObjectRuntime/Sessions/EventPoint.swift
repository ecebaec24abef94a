import Binary

/// Names an event of an object (O14): epoch and index of its entry, and its place among the entry's events.
///
/// For one object (epoch, index) never goes down, so points are ordered by index and ordinal; the epoch
/// tells a point of this history from one of a history that was given up.
public struct EventPoint: Hashable, Sendable, Comparable {
    public var epoch: UInt64
    public var index: UInt64
    public var ordinal: UInt32

    public init(epoch: UInt64, index: UInt64, ordinal: UInt32 = 0) {
        self.epoch = epoch
        self.index = index
        self.ordinal = ordinal
    }

    /// Behind every event of the entry.
    public static func end(epoch: UInt64, index: UInt64) -> EventPoint {
        EventPoint(epoch: epoch, index: index, ordinal: .max)
    }

    public static func < (left: EventPoint, right: EventPoint) -> Bool {
        (left.index, left.ordinal) < (right.index, right.ordinal)
    }

    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(epoch)
        writer.writeVariable(index)
        writer.writeVariable(UInt64(ordinal))
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        epoch = try reader.readVariable()
        index = try reader.readVariable()
        ordinal = UInt32(try reader.readCount(limit: Int(UInt32.max)))
    }
}
