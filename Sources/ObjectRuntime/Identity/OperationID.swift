import Binary

/// One counter of an edge: its incarnation and the event loop that counts.
public struct EdgeStream: Hashable, Comparable, Sendable {
    public var incarnation: UInt64
    public var loop: UInt16

    public init(incarnation: UInt64, loop: UInt16) {
        self.incarnation = incarnation
        self.loop = loop
    }

    public static func < (left: EdgeStream, right: EdgeStream) -> Bool {
        (left.incarnation, left.loop) < (right.incarnation, right.loop)
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(incarnation)
        writer.writeVariable(UInt64(loop))
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        incarnation = try reader.readVariable()
        loop = UInt16(try reader.readCount(limit: Int(UInt16.max)))
    }
}

/// Names an operation, so that it takes effect once (O10). The two kinds live in separate name spaces.
public enum OperationID: Hashable, Sendable {
    /// Made by the edge that received the request.
    case edge(stream: EdgeStream, counter: UInt64)
    /// The client's own key, scoped by object and API key. The hash tells another request with the same key.
    case client(apiKey: String, key: String, requestHash: UInt64)

    static let textLimitBytes = 1024

    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .edge(let stream, let counter):
            writer.write(UInt8(1))
            stream.encode(into: &writer)
            writer.writeVariable(counter)
        case .client(let apiKey, let key, let requestHash):
            writer.write(UInt8(2))
            writer.writeString(apiKey)
            writer.writeString(key)
            writer.write(requestHash)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1:
            let stream = try EdgeStream(from: &reader)
            self = .edge(stream: stream, counter: try reader.readVariable())
        case 2:
            let apiKey = try reader.readString(limit: OperationID.textLimitBytes)
            let key = try reader.readString(limit: OperationID.textLimitBytes)
            self = .client(apiKey: apiKey, key: key, requestHash: try reader.readUInt64())
        default:
            throw DecodingFailure("an operation id is of an unknown kind")
        }
    }
}
