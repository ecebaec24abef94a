import Binary

/// An operation on its way to the object's owner.
public struct Request: Sendable, Equatable {
    public var object: ObjectID
    public var operation: Operation
    public var id: OperationID?
    /// The edge's lowest counter for this shard that is not settled (O10).
    public var settledBelow: UInt64
    /// An earlier try may have taken effect.
    public var isRetry: Bool
    /// The commit index that the edge knew before the first try.
    public var knownIndex: UInt64

    public init(
        object: ObjectID, operation: Operation, id: OperationID? = nil, settledBelow: UInt64 = 0,
        isRetry: Bool = false, knownIndex: UInt64 = 0
    ) {
        self.object = object
        self.operation = operation
        self.id = id
        self.settledBelow = settledBelow
        self.isRetry = isRetry
        self.knownIndex = knownIndex
    }

    private static let version: UInt8 = 1

    public func encode(into writer: inout ByteWriter) {
        writer.write(Request.version)
        object.encode(into: &writer)
        writer.writeOptional(id) { $1.encode(into: &$0) }
        writer.writeVariable(settledBelow)
        writer.write(isRetry)
        writer.writeVariable(knownIndex)
        operation.encode(into: &writer)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        guard try reader.readUInt8() == Request.version else {
            throw DecodingFailure("a request of an unknown version")
        }
        object = try ObjectID(from: &reader)
        id = try reader.readOptional { (reader) throws(DecodingFailure) in try OperationID(from: &reader) }
        settledBelow = try reader.readVariable()
        isRetry = try reader.readBool()
        knownIndex = try reader.readVariable()
        operation = try Operation(from: &reader)
    }
}
