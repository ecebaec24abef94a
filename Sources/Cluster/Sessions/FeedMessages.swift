import Binary
import ObjectRuntime
import Placement
import Raft

/// Events of one object on their way from its owner to a feed (O14).
public struct EventPush: Sendable {
    public var shard: ShardID
    public var feed: FeedAddress
    /// Of the owner that sends it.
    public var epoch: Epoch
    /// What the feed has been told before: one that lacks any of it asks again.
    public var previous: EventPoint
    public var through: EventPoint
    public var events: [FeedEvent]

    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        feed.encode(into: &writer)
        writer.writeVariable(epoch.rawValue)
        previous.encode(into: &writer)
        through.encode(into: &writer)
        writer.writeArray(events) { $1.encode(into: &$0) }
    }
}

extension EventPush {
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = ShardID(rawValue: try reader.readUInt32())
        feed = try FeedAddress(from: &reader)
        epoch = Epoch(rawValue: try reader.readVariable())
        previous = try EventPoint(from: &reader)
        through = try EventPoint(from: &reader)
        events = try reader.readArray { (reader) throws(DecodingFailure) in try FeedEvent(from: &reader) }
    }
}

/// A message of one client to all others, on its way from the object's owner to a feed. Not stored.
public struct MessagePush: Sendable {
    public var shard: ShardID
    public var feed: FeedAddress
    /// The edge that took the message, and its number there. They rise, so a copy is known for one.
    public var stream: EdgeStream
    public var counter: UInt64
    /// The connection that sent it, which does not hear it.
    public var sender: ConnectionID?
    public var frame: [UInt8]

    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        feed.encode(into: &writer)
        writer.writeVariable(stream.incarnation)
        writer.write(stream.loop)
        writer.writeVariable(counter)
        writer.writeOptional(sender) { $1.encode(into: &$0) }
        writer.writeBytes(frame)
    }
}

extension MessagePush {
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = ShardID(rawValue: try reader.readUInt32())
        feed = try FeedAddress(from: &reader)
        stream = EdgeStream(incarnation: try reader.readVariable(), loop: try reader.readUInt16())
        counter = try reader.readVariable()
        sender = try reader.readOptional { (reader) throws(DecodingFailure) in try ConnectionID(from: &reader) }
        frame = try reader.readBytes()
    }
}

/// A feed is over: nobody at that edge listens to the object any more.
public struct FeedEnd: Sendable {
    public var shard: ShardID
    /// Nil from an edge that does not even know any more what the feed was of.
    public var object: ObjectID?
    public var feed: FeedAddress

    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        writer.writeOptional(object) { $1.encode(into: &$0) }
        feed.encode(into: &writer)
    }
}

extension FeedEnd {
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = ShardID(rawValue: try reader.readUInt32())
        object = try reader.readOptional { (reader) throws(DecodingFailure) in try ObjectID(from: &reader) }
        feed = try FeedAddress(from: &reader)
    }
}

/// A feed is for fewer sockets than it has seats: the others may be given to other nodes.
public struct FeedSeats: Sendable {
    public var shard: ShardID
    public var object: ObjectID
    public var feed: FeedAddress
    public var seats: SeatRequest

    func encode(into writer: inout ByteWriter) {
        writer.write(shard.rawValue)
        object.encode(into: &writer)
        feed.encode(into: &writer)
        seats.encode(into: &writer)
    }
}

extension FeedSeats {
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = ShardID(rawValue: try reader.readUInt32())
        object = try ObjectID(from: &reader)
        feed = try FeedAddress(from: &reader)
        seats = try SeatRequest(from: &reader)
    }
}
