import Binary

/// Which socket stands behind a connection id (O15): the edge process that holds it, and a number that this
/// process never uses again. A resume gives the connection another attachment, by a log entry; whatever
/// still comes from the one before is stale and does nothing.
public struct Attachment: Hashable, Sendable {
    public var incarnation: UInt64
    public var number: UInt64

    public init(incarnation: UInt64, number: UInt64) {
        self.incarnation = incarnation
        self.number = number
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(incarnation)
        writer.writeVariable(number)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        incarnation = try reader.readVariable()
        number = try reader.readVariable()
    }
}

/// What a client joined with.
public struct Presence: Sendable, Equatable {
    public var joinedAt: UInt64
    public var payload: SocketPayload

    public init(joinedAt: UInt64, payload: SocketPayload) {
        self.joinedAt = joinedAt
        self.payload = payload
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(joinedAt)
        payload.encode(into: &writer)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        joinedAt = try reader.readVariable()
        payload = try SocketPayload(from: &reader)
    }
}

/// A connection that the object remembers: it has joined, or it was resumed, so that what comes late from
/// its earlier socket is known to be stale. All others are known to their edges alone.
public struct SessionRecord: Sendable, Equatable {
    public var connection: ConnectionID
    public var attachment: Attachment
    /// Nil while it is connected without having joined.
    public var presence: Presence?

    public init(connection: ConnectionID, attachment: Attachment, presence: Presence? = nil) {
        self.connection = connection
        self.attachment = attachment
        self.presence = presence
    }

    func encode(into writer: inout ByteWriter) {
        connection.encode(into: &writer)
        attachment.encode(into: &writer)
        writer.writeOptional(presence) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        connection = try ConnectionID(from: &reader)
        attachment = try Attachment(from: &reader)
        presence = try reader.readOptional { (reader) throws(DecodingFailure) in try Presence(from: &reader) }
    }
}

extension SocketPayload {
    public func encode(into writer: inout ByteWriter) {
        writer.writeOptional(keyVersion) { $0.writeVariable(UInt64($1)) }
        writer.writeBytes(json)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        keyVersion = try reader.readOptional { (reader) throws(DecodingFailure) in
            UInt32(try reader.readCount(limit: Int(UInt32.max)))
        }
        json = try reader.readBytes()
        guard !json.isEmpty else { throw DecodingFailure("a payload is empty") }
    }
}

extension ObjectState {
    func session(_ connection: ConnectionID) -> SessionRecord? {
        let (position, isFound) = search(connection)
        return isFound ? sessions[position] : nil
    }

    private func search(_ connection: ConnectionID) -> (position: Int, isFound: Bool) {
        var low = 0
        var high = sessions.count
        while low < high {
            let middle = (low + high) / 2
            if sessions[middle].connection < connection { low = middle + 1 } else { high = middle }
        }
        return (low, low < sessions.count && sessions[low].connection == connection)
    }

    /// Puts or (with nil) removes a session, and returns what was there.
    mutating func replace(_ connection: ConnectionID, with record: SessionRecord?) -> SessionRecord? {
        let (position, isFound) = search(connection)
        let previous = isFound ? sessions[position] : nil
        sessionBytes += UInt32(record?.heapBytes ?? 0)
        sessionBytes -= UInt32(previous?.heapBytes ?? 0)
        switch (record, isFound) {
        case (let record?, true): sessions[position] = record
        case (let record?, false): sessions.insert(record, at: position)
        case (nil, true): sessions.remove(at: position)
        case (nil, false): break
        }
        return previous
    }
}
