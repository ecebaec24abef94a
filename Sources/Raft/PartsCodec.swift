import Binary

/// Bytes of the parts of which messages, journal records and snapshots are made.
extension ByteReader {
    mutating func readIndex() throws(DecodingFailure) -> LogIndex { LogIndex(try readVariable()) }

    /// Entries that follow `previous`. Indexes are not sent, so they can have no gap.
    mutating func readEntries(after previous: Position) throws(DecodingFailure) -> [Entry] {
        let count = try readCount(limit: Message.maximumEntries)
        guard count <= remaining else { throw .truncated }
        guard previous.index.rawValue <= UInt64.max / 2 else {
            throw DecodingFailure("an index out of range")
        }
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        var last = previous
        for _ in 0..<count {
            let (term, overflows) = last.term.rawValue.addingReportingOverflow(try readVariable())
            guard !overflows else { throw DecodingFailure("a term out of range") }
            last = Position(term: Term(term), index: last.index.next)
            guard let kind = EntryKind(rawValue: try readUInt8()) else {
                throw DecodingFailure("an unknown kind of entry")
            }
            entries.append(Entry(term: last.term, index: last.index, kind: kind, payload: try readBytes()))
        }
        return entries
    }
}

extension ByteWriter {
    /// Terms never fall along a log, so each is sent as the step from the one before.
    mutating func writeEntries(_ entries: [Entry], after previous: Position) {
        writeVariable(entries.count)
        var term = previous.term
        for entry in entries {
            precondition(entry.term >= term, "I6: terms never fall along a log")
            writeVariable(entry.term.rawValue - term.rawValue)
            write(entry.kind.rawValue)
            writeBytes(entry.payload)
            term = entry.term
        }
    }
}

extension Position {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(term.rawValue)
        writer.writeVariable(index.rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(term: Term(try reader.readVariable()), index: try reader.readIndex())
    }
}

extension Candidate {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.writeVariable(incarnation)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(node: NodeID(try reader.readUInt64()), incarnation: try reader.readVariable())
    }
}

extension HardState {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(term.rawValue)
        writer.writeOptional(vote) { $1.encode(into: &$0) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(
            term: Term(try reader.readVariable()),
            vote: try reader.readOptional { (reader) throws(DecodingFailure) in try Candidate(from: &reader) }
        )
    }
}

extension Snapshot {
    public func encode(into writer: inout ByteWriter) {
        position.encode(into: &writer)
        configuration.encode(into: &writer)
        switch content {
        case .bytes(let data):
            writer.write(UInt8(0))
            writer.writeBytes(data)
        case .external(let totalBytes, let contentHash):
            writer.write(UInt8(1))
            writer.writeVariable(totalBytes)
            writer.write(contentHash)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let position = try Position(from: &reader)
        self.init(
            index: position.index, term: position.term, configuration: try Configuration(from: &reader),
            content: try Self.readContent(&reader))
    }

    private static func readContent(_ reader: inout ByteReader) throws(DecodingFailure) -> Content {
        switch try reader.readUInt8() {
        case 0: .bytes(try reader.readBytes())
        case 1: .external(totalBytes: try reader.readVariable(), contentHash: try reader.readUInt64())
        default: throw DecodingFailure("an unknown kind of snapshot")
        }
    }
}

extension Append {
    func encode(into writer: inout ByteWriter) {
        previous.encode(into: &writer)
        writer.writeVariable(commit.rawValue)
        writer.writeEntries(entries, after: previous)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let previous = try Position(from: &reader)
        self.init(
            previous: previous, commit: try reader.readIndex(),
            entries: try reader.readEntries(after: previous))
    }
}

extension PullAnswer {
    func encode(into writer: inout ByteWriter) {
        previous.encode(into: &writer)
        writer.writeVariable(commit.rawValue)
        last.encode(into: &writer)
        writer.writeEntries(entries, after: previous)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let previous = try Position(from: &reader)
        self.init(
            previous: previous, commit: try reader.readIndex(), last: try Position(from: &reader),
            entries: try reader.readEntries(after: previous))
    }
}

extension VoteRequest {
    func encode(into writer: inout ByteWriter) {
        last.encode(into: &writer)
        writer.write(isPreVote)
        switch reason {
        case .timeout: writer.write(UInt8(0))
        case .transfer: writer.write(UInt8(1))
        case .obituary(let leader, let term):
            writer.write(UInt8(2))
            writer.write(leader.rawValue)
            writer.writeVariable(term.rawValue)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let last = try Position(from: &reader)
        let isPreVote = try reader.readBool()
        let reason: CampaignReason
        switch try reader.readUInt8() {
        case 0: reason = .timeout
        case 1: reason = .transfer
        case 2:
            reason = .obituary(leader: NodeID(try reader.readUInt64()), term: Term(try reader.readVariable()))
        default: throw DecodingFailure("an unknown reason of a campaign")
        }
        self.init(last: last, isPreVote: isPreVote, reason: reason)
    }
}

extension SnapshotChunk {
    /// The form of 0.2.0, and for a piece of a file how many bytes it has.
    func encode(into writer: inout ByteWriter) {
        writer.write(contentHash)
        position.encode(into: &writer)
        configuration.encode(into: &writer)
        writer.writeVariable(offset)
        writer.writeVariable(totalBytes)
        if isExternal { writer.writeVariable(byteCount) }
        writer.writeBytes(data)
        writer.write(isPulled)
    }

    init(from reader: inout ByteReader, isExternal: Bool) throws(DecodingFailure) {
        self.init(
            contentHash: try reader.readUInt64(), position: try Position(from: &reader),
            configuration: try Configuration(from: &reader), offset: try reader.readVariable(),
            totalBytes: try reader.readVariable(),
            byteCount: isExternal ? try reader.readCount(limit: Message.maximumChunkBytes) : nil,
            data: try reader.readBytes(), isPulled: try reader.readBool(), isExternal: isExternal)
    }
}
