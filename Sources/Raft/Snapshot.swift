/// The state machine at `index`, and the configuration in force there. Replaces the log up to it.
public struct Snapshot: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
        /// The state itself. It passes through the core.
        case bytes([UInt8])
        /// A file of the driver's, known here by its size and hash only: its bytes pass by the core.
        case external(totalBytes: UInt64, contentHash: UInt64)
    }

    public var index: LogIndex
    public var term: Term
    public var configuration: Configuration
    public var content: Content

    public init(index: LogIndex, term: Term, configuration: Configuration, content: Content) {
        self.index = index
        self.term = term
        self.configuration = configuration
        self.content = content
    }

    public init(index: LogIndex, term: Term, configuration: Configuration, data: [UInt8] = []) {
        self.init(index: index, term: term, configuration: configuration, content: .bytes(data))
    }

    public var position: Position { Position(term: term, index: index) }

    /// The bytes of the state; none if they are elsewhere.
    public var data: [UInt8] {
        switch content {
        case .bytes(let data): data
        case .external: []
        }
    }

    public var totalBytes: UInt64 {
        switch content {
        case .bytes(let data): UInt64(data.count)
        case .external(let totalBytes, _): totalBytes
        }
    }

    /// The hash by which the driver knows the file; nil if the bytes are here.
    public var externalHash: UInt64? {
        switch content {
        case .bytes: nil
        case .external(_, let contentHash): contentHash
        }
    }
}

/// A part of a snapshot that arrived, for the driver to write to the file `contentHash` at `offset`. Parts of
/// one file come in order and without a gap. The one at offset 0 begins it anew.
public struct SnapshotPart: Sendable, Equatable {
    public var contentHash: UInt64
    public var position: Position
    public var configuration: Configuration
    public var totalBytes: UInt64
    public var offset: UInt64
    public var data: [UInt8]

    public init(
        contentHash: UInt64, position: Position, configuration: Configuration, totalBytes: UInt64,
        offset: UInt64, data: [UInt8]
    ) {
        self.contentHash = contentHash
        self.position = position
        self.configuration = configuration
        self.totalBytes = totalBytes
        self.offset = offset
        self.data = data
    }

    /// The file is whole: verify it, make it durable, and call `snapshotStaged`.
    public var isLast: Bool { end == totalBytes }

    /// The offset behind its last byte.
    public var end: UInt64 { offset + UInt64(data.count) }
}

/// Bytes of a file that a message lacks.
public struct SnapshotRange: Sendable, Hashable {
    public var contentHash: UInt64
    public var offset: UInt64
    public var byteCount: Int
}

extension SnapshotChunk {
    /// Where in the file its bytes are.
    public var range: SnapshotRange {
        SnapshotRange(contentHash: contentHash, offset: offset, byteCount: byteCount)
    }
}

extension Message {
    /// What the driver reads from its file and fills in before this message leaves; nil if nothing is
    /// missing. A message whose bytes cannot be read is dropped: it counts as lost.
    public var missingBytes: SnapshotRange? {
        guard case .snapshotChunk(let chunk) = body, chunk.isExternal, chunk.data.count != chunk.byteCount
        else { return nil }
        return chunk.range
    }

    /// Fills in what `missingBytes` asked for.
    public mutating func fill(with data: [UInt8]) {
        guard case .snapshotChunk(var chunk) = body else {
            preconditionFailure("only a part of a snapshot lacks bytes")
        }
        precondition(data.count == chunk.byteCount, "a part of a snapshot is filled in whole")
        chunk.data = data
        body = .snapshotChunk(chunk)
    }
}
