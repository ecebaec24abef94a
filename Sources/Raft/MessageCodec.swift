import Binary

/// Bytes of messages. An entry's index and, mostly, its term follow from the entry before it, so an
/// entry costs three bytes beside its payload. The link that carries messages bounds their size and
/// names the version of the wire protocol; the version byte here is for this format alone.
extension Message {
    /// What 0.2.0 knows.
    static let version: UInt8 = 1
    /// Of messages that came later: pieces of files, and word of a file that is being made.
    static let fileVersion: UInt8 = 2
    static let maximumEntries = 65_536
    static let maximumChunkBytes = 64 << 20

    private enum Tag: UInt8 {
        case append = 1, appendAccepted, appendRejected, heartbeat, heartbeatAnswer, voteRequest, voteAnswer
        case timeoutNow, snapshotChunk, snapshotProgress
        case seal, sealAnswer, sealRefusal, pull, pullAnswer, pullConflict
        case pullPending
    }

    /// The lowest version that has it: old nodes go on understanding all that they knew.
    private var neededVersion: UInt8 {
        switch body {
        case .snapshotChunk(let chunk): chunk.isExternal ? Self.fileVersion : Self.version
        case .pullPending: Self.fileVersion
        default: Self.version
        }
    }

    public func encode(into writer: inout ByteWriter) {
        writer.write(neededVersion)
        writer.write(tag.rawValue)
        writer.write(from.rawValue)
        writer.write(to.rawValue)
        writer.writeVariable(term.rawValue)
        writer.writeVariable(incarnation)
        encodeBody(into: &writer)
    }

    private var tag: Tag {
        switch body {
        case .append: .append
        case .appendAccepted: .appendAccepted
        case .appendRejected: .appendRejected
        case .heartbeat: .heartbeat
        case .heartbeatAnswer: .heartbeatAnswer
        case .voteRequest: .voteRequest
        case .voteAnswer: .voteAnswer
        case .timeoutNow: .timeoutNow
        case .snapshotChunk: .snapshotChunk
        case .snapshotProgress: .snapshotProgress
        case .seal: .seal
        case .sealAnswer: .sealAnswer
        case .sealRefusal: .sealRefusal
        case .pull: .pull
        case .pullAnswer: .pullAnswer
        case .pullConflict: .pullConflict
        case .pullPending: .pullPending
        }
    }

    private func encodeBody(into writer: inout ByteWriter) {
        switch body {
        case .append(let append): append.encode(into: &writer)
        case .appendAccepted(let answer):
            writer.writeVariable(answer.match.rawValue)
            writer.writeVariable(answer.commit.rawValue)
        case .appendRejected(let answer):
            writer.writeVariable(answer.previous.rawValue)
            answer.hint.encode(into: &writer)
            writer.write(answer.needsSnapshot)
        case .heartbeat(let beat):
            writer.writeVariable(beat.commit.rawValue)
            writer.writeVariable(beat.round)
        case .heartbeatAnswer(let answer): writer.writeVariable(answer.round)
        case .voteRequest(let request): request.encode(into: &writer)
        case .voteAnswer(let answer):
            writer.write(answer.isPreVote)
            writer.writeVariable(answer.requestTerm.rawValue)
            writer.write(answer.granted)
        case .timeoutNow, .seal, .pullPending: break
        case .snapshotChunk(let chunk): chunk.encode(into: &writer)
        case .snapshotProgress(let progress):
            writer.write(progress.contentHash)
            writer.writeVariable(progress.offset)
        case .sealAnswer(let position), .pullConflict(let position): position.encode(into: &writer)
        case .pull(let pull):
            pull.previous.encode(into: &writer)
            writer.write(pull.needsSnapshot)
        case .sealRefusal(let owner): writer.writeOptional(owner) { $1.encode(into: &$0) }
        case .pullAnswer(let answer): answer.encode(into: &writer)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let version = try reader.readUInt8()
        guard version == Self.version || version == Self.fileVersion else {
            throw DecodingFailure("a message of another version")
        }
        guard let tag = Tag(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown kind of message")
        }
        self.init(
            from: NodeID(try reader.readUInt64()), to: NodeID(try reader.readUInt64()),
            term: Term(try reader.readVariable()), incarnation: try reader.readVariable(),
            body: try Self.readBody(tag, version, &reader))
    }

    private static func readBody(
        _ tag: Tag, _ version: UInt8, _ reader: inout ByteReader
    ) throws(DecodingFailure) -> Body {
        switch tag {
        case .append: .append(try Append(from: &reader))
        case .appendAccepted:
            .appendAccepted(AppendAccepted(match: try reader.readIndex(), commit: try reader.readIndex()))
        case .appendRejected:
            .appendRejected(
                AppendRejected(
                    previous: try reader.readIndex(), hint: try Position(from: &reader),
                    needsSnapshot: try reader.readBool()))
        case .heartbeat:
            .heartbeat(Heartbeat(commit: try reader.readIndex(), round: try reader.readVariable()))
        case .heartbeatAnswer: .heartbeatAnswer(HeartbeatAnswer(round: try reader.readVariable()))
        case .voteRequest: .voteRequest(try VoteRequest(from: &reader))
        case .voteAnswer:
            .voteAnswer(
                VoteAnswer(
                    isPreVote: try reader.readBool(), requestTerm: Term(try reader.readVariable()),
                    granted: try reader.readBool()))
        case .timeoutNow: .timeoutNow
        case .snapshotChunk: .snapshotChunk(try SnapshotChunk(from: &reader, isExternal: version == fileVersion))
        case .snapshotProgress:
            .snapshotProgress(
                SnapshotProgress(contentHash: try reader.readUInt64(), offset: try reader.readVariable()))
        case .seal: .seal
        case .sealAnswer: .sealAnswer(try Position(from: &reader))
        case .sealRefusal:
            .sealRefusal(
                try reader.readOptional { (reader) throws(DecodingFailure) in try Candidate(from: &reader) })
        case .pull:
            .pull(Pull(previous: try Position(from: &reader), needsSnapshot: try reader.readBool()))
        case .pullAnswer: .pullAnswer(try PullAnswer(from: &reader))
        case .pullConflict: .pullConflict(try Position(from: &reader))
        case .pullPending: .pullPending
        }
    }
}
