import Binary

/// How many sockets an edge has on an object, and how many it would have. The owner grants seats, so that
/// all nodes together stay within `Limits.socketsPerObject`.
public struct SeatRequest: Sendable, Equatable {
    /// Rises with everything that the feed says about its sockets: copies of older words are known for such.
    public var revision: UInt64
    /// Sockets that are connected. They keep their seats, whatever the limit is.
    public var held: UInt64
    /// Those, and the ones that wait.
    public var wanted: UInt64

    public init(revision: UInt64 = 0, held: UInt64 = 0, wanted: UInt64 = 0) {
        self.revision = revision
        self.held = held
        self.wanted = wanted
    }

    /// What is granted while feeds of other nodes have `others` seats.
    public func granted(others: UInt64, limit: UInt64) -> UInt64 {
        let taken = held + others
        let free = taken < limit ? limit - taken : 0
        return held + min(free, wanted > held ? wanted - held : 0)
    }

    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(revision)
        writer.writeVariable(held)
        writer.writeVariable(wanted)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        revision = try reader.readVariable()
        held = UInt64(try reader.readCount(limit: SeatRequest.countMax))
        wanted = UInt64(try reader.readCount(limit: SeatRequest.countMax))
    }

    /// More sockets than any node holds; sums of such numbers never overflow.
    public static let countMax = 1 << 32
}
