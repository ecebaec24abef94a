import Testing
@testable import Raft

/// Snapshots that are files: the core knows size and hash, the bytes pass it by.
@Suite struct FileSnapshotTests {
    private static let group = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])

    private var follower: AppointedReplica { AppointedReplica(id: NodeID(2), initial: .newGroup(Self.group)) }

    private static func chunk(
        _ hash: UInt64 = 7, index: UInt64 = 9, offset: UInt64, data: [UInt8], total: UInt64 = 4
    ) -> SnapshotChunk {
        SnapshotChunk(
            contentHash: hash, position: Position(term: Term(1), index: LogIndex(index)),
            configuration: group, offset: offset, totalBytes: total, data: data, isPulled: false,
            isExternal: true)
    }

    private func give(_ chunk: SnapshotChunk, to replica: inout AppointedReplica, term: UInt64 = 1) {
        replica.step(
            Message(
                from: NodeID(1), to: NodeID(2), term: Term(term), incarnation: 1, body: .snapshotChunk(chunk))
        )
    }

    private func progress(_ ready: Ready) -> [UInt64] {
        ready.messages.compactMap {
            if case .snapshotProgress(let progress) = $0.body { progress.offset } else { nil }
        }
    }

    // MARK: Receiving

    @Test func nothingIsInstalledBeforeTheFileIsStaged() {
        var replica = follower
        give(Self.chunk(offset: 0, data: [1, 2]), to: &replica)
        give(Self.chunk(offset: 2, data: [3, 4]), to: &replica)
        var ready = replica.ready()
        #expect(ready.snapshotParts.map(\.offset) == [0, 2])
        #expect(ready.snapshotParts.map(\.data) == [[1, 2], [3, 4]])
        #expect(ready.snapshotParts.map(\.isLast) == [false, true])
        #expect(progress(ready) == [])
        #expect(ready.snapshot == nil && replica.commit == .zero)
        for end in [2, 4] as [UInt64] { replica.snapshotPartWritten(contentHash: 7, through: end) }
        #expect(progress(replica.ready()) == [2, 4])
        replica.persisted(term: ready.mark!.term, index: ready.mark!.index)

        replica.snapshotStaged(contentHash: 7, isIntact: true)
        ready = replica.ready()
        #expect(ready.snapshot?.content == .external(totalBytes: 4, contentHash: 7))
        #expect(ready.snapshotDropped == [])
        #expect(replica.commit == LogIndex(9) && ready.needsPersistence)
        #expect(
            ready.messagesAfterPersist.map(\.body)
                == [.appendAccepted(AppendAccepted(match: LogIndex(9), commit: LogIndex(9)))])
        #expect(!ready.messages.contains { if case .appendAccepted = $0.body { true } else { false } })
    }

    @Test func chunksInAnyOrderAreHandedOutOnceAndInOrder() {
        var random = Generator(seed: 3)
        var replica = follower
        let all = (0..<10).map { Self.chunk(offset: $0 * 4, data: [UInt8](repeating: UInt8($0), count: 4), total: 40) }
        var file: [UInt8] = []
        for _ in 0..<400 {
            give(all.randomElement(using: &random)!, to: &replica)
            for part in replica.ready().snapshotParts {
                #expect(part.offset == UInt64(file.count))
                file += part.data
            }
        }
        #expect(file == all.flatMap(\.data))
    }

    /// Else a disk that is slower than the link would have the whole file wait in memory.
    @Test func theSenderHearsOfWhatIsWrittenOnly() {
        var replica = follower
        func givePart(_ offset: UInt64) -> Ready {
            give(Self.chunk(offset: offset, data: [1, 2], total: 8), to: &replica)
            return replica.ready()
        }
        #expect(progress(givePart(0)) == [] && progress(givePart(2)) == [])
        replica.snapshotPartWritten(contentHash: 7, through: 2)
        #expect(progress(replica.ready()) == [2])
        let repeated = givePart(2)
        #expect(progress(repeated) == [2] && repeated.snapshotParts.isEmpty, "sent again: still being written")
        replica.snapshotPartWritten(contentHash: 7, through: 4)
        #expect(progress(replica.ready()) == [4])
        // Of a former file with the same content.
        replica.snapshotPartWritten(contentHash: 7, through: 8)
        #expect(progress(replica.ready()) == [4])
    }

    @Test func aPartThatCannotBeWrittenBeginsTheFileAnew() {
        var replica = follower
        give(Self.chunk(offset: 0, data: [1, 2]), to: &replica)
        _ = replica.ready()
        replica.snapshotPartWritten(contentHash: 7, through: nil)
        let ready = replica.ready()
        #expect(progress(ready) == [0] && ready.snapshotDropped == [7] && replica.incomingSnapshot == nil)
        give(Self.chunk(offset: 2, data: [3, 4]), to: &replica)
        #expect(replica.ready().snapshotParts.isEmpty)
        give(Self.chunk(offset: 0, data: [1, 2]), to: &replica)
        #expect(replica.ready().snapshotParts.map(\.offset) == [0])
    }

    @Test func aDamagedFileIsFetchedFromItsBeginning() {
        var replica = follower
        give(Self.chunk(offset: 0, data: [1, 2, 3, 4]), to: &replica)
        _ = replica.ready()
        replica.snapshotStaged(contentHash: 7, isIntact: false)
        let ready = replica.ready()
        #expect(ready.snapshot == nil && ready.snapshotDropped == [7])
        #expect(progress(ready) == [0] && replica.counters.damagedSnapshots == 1)
        give(Self.chunk(offset: 0, data: [1, 2, 3, 4]), to: &replica)
        #expect(replica.ready().snapshotParts.count == 1)
        replica.snapshotStaged(contentHash: 7, isIntact: true)
        #expect(replica.ready().snapshot != nil)
    }

    @Test func aNewerSnapshotThrowsTheOlderAway() {
        var replica = follower
        give(Self.chunk(offset: 0, data: [1, 2, 3, 4]), to: &replica)
        _ = replica.ready()
        give(Self.chunk(8, index: 12, offset: 0, data: [5, 6]), to: &replica)
        #expect(replica.ready().snapshotDropped == [7])
        replica.snapshotStaged(contentHash: 7, isIntact: true)
        #expect(replica.ready().snapshot == nil)
        give(Self.chunk(offset: 0, data: [1, 2, 3, 4]), to: &replica)
        let ready = replica.ready()
        #expect(ready.snapshotParts.isEmpty && replica.incomingSnapshot?.contentHash == 8)
    }

    /// A late copy of a chunk of what is installed already does not disturb what is under way.
    @Test func aLateChunkOfAnInstalledSnapshotDisturbsNothing() {
        var replica = follower
        give(Self.chunk(offset: 0, data: [1, 2, 3, 4]), to: &replica)
        replica.snapshotStaged(contentHash: 7, isIntact: true)
        give(Self.chunk(8, index: 12, offset: 0, data: [5, 6]), to: &replica)
        _ = replica.ready()
        give(Self.chunk(offset: 0, data: [1, 2, 3, 4]), to: &replica)
        #expect(replica.ready().snapshotDropped == [])
        #expect(replica.incomingSnapshot?.offset == 2)
    }

    @Test func aHigherEpochThrowsAwayWhatWasBegun() {
        var replica = follower
        give(Self.chunk(offset: 0, data: [1, 2]), to: &replica)
        replica.step(Message(from: NodeID(3), to: NodeID(2), term: Term(2), incarnation: 1, body: .seal))
        let ready = replica.ready()
        #expect(ready.snapshotDropped == [7] && ready.snapshotParts.isEmpty)
        #expect(replica.incomingSnapshot == nil)
    }

    @Test func aRestartedReplicaGoesOnWhereItsFileEnds() {
        let state = InitialState(
            hardState: HardState(term: Term(1), vote: Candidate(node: NodeID(1), incarnation: 1)),
            snapshot: InitialState.newGroup(Self.group).snapshot)
        var replica = AppointedReplica(id: NodeID(2), initial: state)
        let isTaken = replica.resumeIncoming(
            contentHash: 7, position: Position(term: Term(1), index: LogIndex(9)), configuration: Self.group,
            totalBytes: 4, offset: 2)
        #expect(isTaken)
        give(Self.chunk(offset: 0, data: [1, 2]), to: &replica)
        give(Self.chunk(offset: 2, data: [3, 4]), to: &replica)
        let ready = replica.ready()
        #expect(progress(ready) == [2] && ready.snapshotParts.map(\.offset) == [2])
        replica.snapshotStaged(contentHash: 7, isIntact: true)
        #expect(replica.ready().snapshot != nil)
    }

    @Test func aFileOfWhatIsCommittedIsNotResumed() {
        let base = Snapshot(index: LogIndex(9), term: Term(1), configuration: Self.group)
        var replica = AppointedReplica(
            id: NodeID(2), initial: InitialState(hardState: HardState(term: Term(1)), snapshot: base))
        let isTaken = replica.resumeIncoming(
            contentHash: 7, position: base.position, configuration: Self.group, totalBytes: 4, offset: 2)
        #expect(!isTaken)
    }

    @Test func aChunkWithoutItsBytesIsRefused() {
        var replica = follower
        var chunk = Self.chunk(offset: 0, data: [])
        chunk.byteCount = 2
        give(chunk, to: &replica)
        #expect(replica.ready().snapshotParts.isEmpty && replica.counters.malformedAppends == 1)
    }

    // MARK: Sending

    /// A leader with 20 entries whose followers need a snapshot.
    private func leader(_ settings: ReplicaSettings = ReplicaSettings()) -> Replication {
        var core = Replication(id: NodeID(1), initial: .newGroup(Self.group), settings: settings)
        core.setHardState(HardState(term: Term(1), vote: Candidate(node: NodeID(1), incarnation: 1)))
        core.lead()
        for _ in 0..<20 { _ = core.appendOwn(.command, [1]) }
        core.advanceCommit(to: LogIndex(20))
        _ = core.ready()
        for position in core.peers.indices { core.peers[position].becomeFedBySnapshot() }
        return core
    }

    private func chunks(_ ready: Ready) -> [SnapshotChunk] {
        ready.messages.compactMap { if case .snapshotChunk(let chunk) = $0.body { chunk } else { nil } }
    }

    private func file(_ core: Replication, at index: UInt64, totalBytes: UInt64) -> Snapshot {
        core.snapshot(at: LogIndex(index), content: .external(totalBytes: totalBytes, contentHash: 7))!
    }

    @Test func theDriverIsAskedOnceAndAgainWhenItFailed() {
        var core = leader()
        core.wantSnapshot()
        #expect(core.ready().snapshotWanted)
        for _ in 0..<50 {
            core.tickPeers()
            #expect(!core.ready().snapshotWanted)
        }
        core.snapshotFailed()
        #expect(!core.ready().snapshotWanted)
        core.tickPeers()
        #expect(core.ready().snapshotWanted)
    }

    /// While the driver makes a file, the log keeps what follows it.
    @Test func compactionWaitsForAFileThatIsBeingMade() {
        var core = leader()
        core.wantSnapshot()
        _ = core.ready()
        core.compact(keepingBytes: 0, through: LogIndex(20))
        #expect(core.log.boundary.index == .zero)
        core.provide(file(core, at: 12, totalBytes: 8))
        core.compact(keepingBytes: 0, through: LogIndex(20))
        #expect(core.log.boundary.index == LogIndex(12))
    }

    @Test func theDriverFillsTheBytesIn() {
        var settings = ReplicaSettings()
        settings.snapshotChunkBytes = 3
        var core = leader(settings)
        core.provide(file(core, at: 20, totalBytes: 8))
        let messages = core.ready().messages.filter { $0.to == NodeID(2) }
        #expect(
            messages.map(\.missingBytes)
                == [
                    SnapshotRange(contentHash: 7, offset: 0, byteCount: 3),
                    SnapshotRange(contentHash: 7, offset: 3, byteCount: 3),
                    SnapshotRange(contentHash: 7, offset: 6, byteCount: 2),
                ])
        var last = messages[2]
        last.fill(with: [8, 9])
        #expect(last.missingBytes == nil)
        #expect(core.snapshots.filesInUse(core.peers) == [7])
    }

    @Test func noMoreIsSentThanTheBudgetAllows() {
        var settings = ReplicaSettings()
        settings.snapshotChunkBytes = 4
        settings.snapshotWindowBytes = 16
        settings.limitsSnapshotRate = true
        var core = leader(settings)
        core.provide(file(core, at: 20, totalBytes: 100))
        #expect(chunks(core.ready()).isEmpty && !core.hasReady)
        for budget in [3, 3, 9, 1000, -5] {
            core.snapshots.addBudget(bytes: budget, settings)
            let before = core.snapshots.budgetBytes
            let sent = chunks(core.ready()).reduce(0) { $0 + $1.byteCount }
            #expect(sent <= before && core.snapshots.budgetBytes == before - sent)
            #expect(!core.hasReady)
        }
        #expect(core.snapshots.budgetBytes < 16)
    }

    @Test func aFileThatIsGoneIsMadeAgain() {
        var core = leader()
        core.provide(file(core, at: 20, totalBytes: 8))
        _ = core.ready()
        core.withdrawSnapshot(7)
        #expect(core.snapshots.filesInUse(core.peers).isEmpty)
        core.tickPeers()
        #expect(core.ready().snapshotWanted)
    }

    /// A file that comes too late, because the log went on without waiting, is not offered.
    @Test func aFileBelowTheLogIsOfNoUse() {
        var settings = ReplicaSettings()
        settings.snapshotRetentionBytesMax = 1
        var core = leader(settings)
        core.wantSnapshot()
        _ = core.ready()
        let late = file(core, at: 5, totalBytes: 8)
        core.compact(keepingBytes: 0, through: LogIndex(20))
        core.provide(late)
        #expect(chunks(core.ready()).isEmpty && core.counters.uselessSnapshots == 1)
        core.tickPeers()
        #expect(core.ready().snapshotWanted)
    }
}
