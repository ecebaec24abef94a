import Binary

/// What the caller of an operation gets.
public enum Reply: Sendable, Equatable {
    /// 200 with a JSON body.
    case json([UInt8])
    /// 204.
    case noContent
    /// 404 without a body: no such item, which is no error.
    case absent
    case refused(Refusal)
    /// To an edge that listens.
    case hearing(Hearing)

    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .json(let body):
            writer.write(UInt8(1))
            writer.writeBytes(body)
        case .noContent: writer.write(UInt8(2))
        case .absent: writer.write(UInt8(3))
        case .refused(let refusal):
            writer.write(UInt8(4))
            refusal.encode(into: &writer)
        case .hearing(let hearing):
            writer.write(UInt8(5))
            hearing.encode(into: &writer)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1: self = .json(try reader.readBytes())
        case 2: self = .noContent
        case 3: self = .absent
        case 4: self = .refused(try Refusal(from: &reader))
        case 5: self = .hearing(try Hearing(from: &reader))
        default: throw DecodingFailure("a reply is of an unknown kind")
        }
    }
}

/// Whether the operation took effect. Never `no` for one that still may.
public enum Applied: UInt8, Sendable, Equatable {
    case yes = 1
    case no = 2
    case unknown = 3

    public var name: String {
        switch self {
        case .yes: "yes"
        case .no: "no"
        case .unknown: "unknown"
        }
    }
}

/// A reply and where it stands in the shard's log.
public struct Answer: Sendable, Equatable {
    public var reply: Reply
    /// The entry of a write; for a read, the newest entry that touched the object.
    public var index: UInt64
    /// The entry's own epoch, if that need not be the one of the owner that answers.
    public var epoch: UInt64?
    /// The answer to an earlier try, given again.
    public var replayed: Bool
    public var applied: Applied

    public init(reply: Reply, index: UInt64, replayed: Bool = false, applied: Applied) {
        self.reply = reply
        self.index = index
        self.replayed = replayed
        self.applied = applied
    }

    /// `applied` follows from the reply: what was refused took no effect.
    init(_ reply: Reply, index: UInt64, replayed: Bool = false) {
        self.init(reply: reply, index: index, replayed: replayed, applied: .yes)
        if case .refused(let refusal) = reply {
            applied = refusal.code == Refusal.unknownCode ? .unknown : .no
        }
    }

    public func encode(into writer: inout ByteWriter) {
        reply.encode(into: &writer)
        writer.writeVariable(index)
        writer.writeOptional(epoch) { $0.writeVariable($1) }
        writer.write(replayed)
        writer.write(applied.rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        reply = try Reply(from: &reader)
        index = try reader.readVariable()
        epoch = try reader.readOptional { (reader) throws(DecodingFailure) in try reader.readVariable() }
        replayed = try reader.readBool()
        guard let applied = Applied(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an answer says neither yes, no nor unknown")
        }
        self.applied = applied
    }
}
