import Binary
import Testing
@testable import Raft

@Suite struct MessageCodecTests {
    static let configuration = Configuration(
        voters: [NodeID(1), NodeID(.max)], outgoing: [NodeID(3)], learners: [NodeID(4)])

    static let entries = [
        Entry(term: Term(3), index: LogIndex(8), kind: .barrier, payload: []),
        Entry(term: Term(3), index: LogIndex(9), kind: .command, payload: Array(0...200)),
        Entry(term: Term(.max), index: LogIndex(10), kind: .configuration, payload: configuration.encoded),
    ]

    static let at = Position(term: Term(2), index: LogIndex(7))

    static let bodies: [Message.Body] = [
        .append(Append(previous: at, commit: LogIndex(300), entries: entries)),
        .append(Append(previous: .zero, commit: .zero, entries: [])),
        .appendAccepted(AppendAccepted(match: LogIndex(.max), commit: LogIndex(5))),
        .appendRejected(AppendRejected(previous: LogIndex(9), hint: at, needsSnapshot: true)),
        .heartbeat(Heartbeat(commit: LogIndex(4), round: 77)), .heartbeatAnswer(HeartbeatAnswer(round: 77)),
        .voteRequest(VoteRequest(last: at, isPreVote: true, reason: .timeout)),
        .voteRequest(VoteRequest(last: at, isPreVote: false, reason: .transfer)),
        .voteRequest(
            VoteRequest(last: at, isPreVote: false, reason: .obituary(leader: NodeID(5), term: Term(8)))),
        .voteAnswer(VoteAnswer(isPreVote: true, requestTerm: Term(6), granted: false)), .timeoutNow,
        .snapshotChunk(
            SnapshotChunk(
                contentHash: 3, position: at, configuration: configuration, offset: 20, totalBytes: 40,
                data: [1, 2, 3], isPulled: true)),
        .snapshotProgress(SnapshotProgress(contentHash: 3, offset: 23)), .seal, .sealAnswer(at),
        .sealRefusal(nil), .sealRefusal(Candidate(node: NodeID(9), incarnation: 4)),
        .pull(Pull(previous: at, needsSnapshot: true)),
        .pullAnswer(PullAnswer(previous: at, commit: LogIndex(1), last: at, entries: entries)),
        .pullConflict(at), .pullPending,
        .snapshotChunk(
            SnapshotChunk(
                contentHash: 3, position: at, configuration: configuration, offset: 20, totalBytes: 40,
                data: [1, 2, 3], isPulled: false, isExternal: true)),
        .snapshotChunk(
            SnapshotChunk(
                contentHash: 3, position: at, configuration: configuration, offset: 20, totalBytes: 40,
                byteCount: 3, data: [], isPulled: false, isExternal: true)),
    ]

    static let messages = bodies.map {
        Message(from: NodeID(1), to: NodeID(2), term: Term(99), incarnation: 12, body: $0)
    }

    private func encode(_ message: Message) -> [UInt8] {
        var writer = ByteWriter()
        message.encode(into: &writer)
        return writer.bytes
    }

    private func decode(_ bytes: [UInt8]) throws(DecodingFailure) -> Message {
        var reader = ByteReader(bytes)
        let message = try Message(from: &reader)
        try reader.finish()
        return message
    }

    @Test(arguments: messages)
    func comesBackAsItWas(message: Message) throws {
        #expect(try decode(encode(message)) == message)
    }

    @Test(arguments: messages)
    func everyTruncationIsRefused(message: Message) {
        let bytes = encode(message)
        for length in 0..<bytes.count {
            #expect(throws: DecodingFailure.self) { try decode(Array(bytes[..<length])) }
        }
    }

    @Test(arguments: messages)
    func flippedBytesNeverTrap(message: Message) {
        let bytes = encode(message)
        for position in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[position] ^= 1 << bit
                _ = try? decode(flipped)
            }
        }
    }

    @Test func randomBytesNeverTrap() {
        var random = Generator(seed: 5)
        for _ in 0..<20_000 {
            var bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            if bytes.count > 2 {
                bytes[0] = UInt8.random(in: 1...2, using: &random)
                bytes[1] = UInt8.random(in: 0...18, using: &random)
            }
            _ = try? decode(bytes)
        }
    }

    /// What flipped bytes decode to is still refused, not trapped on, by replicas of both kinds.
    @Test func replicasSurviveFlippedMessages() {
        var random = Generator(seed: 6)
        let group = InitialState.newGroup(Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)]))
        for round in 0..<300 {
            var elected = ElectedReplica(id: NodeID(2), initial: group, seed: 1)
            var appointed = AppointedReplica(id: NodeID(2), initial: group)
            if round % 2 == 0 { appointed.appoint(term: Term(99), incarnation: 12) }
            for _ in 0..<40 {
                var bytes = encode(Self.messages.randomElement(using: &random)!)
                let position = Int.random(in: 18..<bytes.count, using: &random)
                bytes[position] = UInt8.random(in: 0...255, using: &random)
                guard let message = try? decode(bytes) else { continue }
                elected.step(message)
                appointed.step(message)
                elected.tick()
                appointed.tick()
                settle(&elected)
                settle(&appointed)
            }
        }
    }

    private func settle(_ replica: inout ElectedReplica) {
        let ready = replica.ready()
        if let mark = ready.mark { replica.persisted(term: mark.term, index: mark.index) }
    }

    private func settle(_ replica: inout AppointedReplica) {
        let ready = replica.ready()
        if let mark = ready.mark { replica.persisted(term: mark.term, index: mark.index) }
    }

    /// 0.2.0 refuses what it does not know by its version, and goes on understanding all the rest.
    @Test(arguments: messages)
    func onlyFilesNeedTheNewVersion(message: Message) {
        let isNew =
            switch message.body {
            case .snapshotChunk(let chunk): chunk.isExternal
            case .pullPending: true
            default: false
            }
        #expect(encode(message)[0] == (isNew ? 2 : 1))
    }

    @Test func storedPartsComeBackAsTheyWere() throws {
        let state = HardState(term: Term(7), vote: Candidate(node: NodeID(3), incarnation: 9))
        let snapshot = Snapshot(
            index: LogIndex(3), term: Term(2), configuration: Self.configuration, data: [1, 2, 3])
        var writer = ByteWriter()
        state.encode(into: &writer)
        snapshot.encode(into: &writer)
        let file = Snapshot(
            index: LogIndex(3), term: Term(2), configuration: Self.configuration,
            content: .external(totalBytes: .max, contentHash: 9))
        file.encode(into: &writer)
        var reader = ByteReader(writer.bytes)
        let (readState, readSnapshot) = (try HardState(from: &reader), try Snapshot(from: &reader))
        let readFile = try Snapshot(from: &reader)
        try reader.finish()
        #expect(readFile == file)
        #expect(readState == state)
        #expect(readSnapshot == snapshot)
        for length in 0..<writer.count {
            let bytes = Array(writer.bytes[..<length])
            #expect(throws: DecodingFailure.self) {
                var short = ByteReader(bytes)
                _ = try HardState(from: &short)
                _ = try Snapshot(from: &short)
                _ = try Snapshot(from: &short)
            }
        }
    }

    @Test func aConfigurationWithoutVotersIsNone() {
        #expect(Configuration(decoding: Configuration(voters: []).encoded) == nil)
        #expect(Configuration(decoding: [1, 2, 3]) == nil)
        #expect(Configuration(decoding: Self.configuration.encoded) == Self.configuration)
    }
}
