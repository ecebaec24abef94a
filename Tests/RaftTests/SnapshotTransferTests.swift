import Testing
@testable import Raft

/// A follower that is fed chunks in every unpleasant way.
@Suite struct SnapshotTransferTests {
    private let group = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])

    private var follower: AppointedReplica {
        AppointedReplica(id: NodeID(2), initial: .newGroup(group))
    }

    private func chunks(_ index: UInt64, data: [UInt8], size: Int = 4) -> [SnapshotChunk] {
        var settings = ReplicaSettings()
        settings.snapshotChunkBytes = size
        let snapshot = Snapshot(index: LogIndex(index), term: Term(1), configuration: group, data: data)
        var transfer = OutgoingTransfer(
            of: snapshot, contentHash: SnapshotChunk.hash(data), isPulled: false)
        var result: [SnapshotChunk] = []
        while transfer.canSend(settings) { result.append(transfer.nextChunk(settings)) }
        return result
    }

    private func give(_ chunk: SnapshotChunk, to replica: inout AppointedReplica, term: UInt64 = 1) {
        replica.step(
            Message(
                from: NodeID(1), to: NodeID(2), term: Term(term), incarnation: 1, body: .snapshotChunk(chunk))
        )
    }

    @Test func chunksInOrderMakeTheSnapshot() {
        var replica = follower
        for chunk in chunks(9, data: Array(0..<10)) { give(chunk, to: &replica) }
        let ready = replica.ready()
        #expect(ready.snapshot?.data == Array(0..<10))
        #expect(replica.commit == LogIndex(9))
    }

    @Test func chunksOutOfOrderAndTwiceMakeTheSameSnapshot() {
        var random = Generator(seed: 3)
        var replica = follower
        let all = chunks(9, data: Array(0..<40))
        for _ in 0..<200 { give(all.randomElement(using: &random)!, to: &replica) }
        #expect(replica.ready().snapshot?.data == Array(0..<40))
    }

    @Test func chunksOfTwoContentsNeverMix() {
        var replica = follower
        let old = chunks(9, data: [UInt8](repeating: 1, count: 8))
        let new = chunks(9, data: [UInt8](repeating: 2, count: 8))
        give(old[0], to: &replica)
        give(new[1], to: &replica)
        #expect(replica.ready().snapshot == nil)
        give(new[0], to: &replica)
        give(new[1], to: &replica)
        #expect(replica.ready().snapshot?.data == [UInt8](repeating: 2, count: 8))
    }

    @Test func aLateChunkOfAnOlderSnapshotDoesNotBeginAgain() {
        var replica = follower
        let old = chunks(5, data: [UInt8](repeating: 1, count: 8))
        let new = chunks(9, data: [UInt8](repeating: 2, count: 8))
        give(new[0], to: &replica)
        give(old[0], to: &replica)
        give(new[1], to: &replica)
        #expect(replica.ready().snapshot?.index == LogIndex(9))
    }

    @Test func bytesThatAreNotThoseThatWereSentAreFetchedAgain() {
        var replica = follower
        var all = chunks(9, data: Array(0..<8))
        all[1].data[0] ^= 1
        for chunk in all { give(chunk, to: &replica) }
        #expect(replica.ready().snapshot == nil)
        #expect(replica.counters.damagedSnapshots == 1)
        for chunk in chunks(9, data: Array(0..<8)) { give(chunk, to: &replica) }
        #expect(replica.ready().snapshot?.data == Array(0..<8))
    }

    @Test func aSnapshotNeverReplacesANewerState() {
        var replica = follower
        for chunk in chunks(9, data: [1]) { give(chunk, to: &replica) }
        _ = replica.ready()
        for chunk in chunks(5, data: [2]) { give(chunk, to: &replica) }
        let ready = replica.ready()
        #expect(ready.snapshot == nil)
        #expect(replica.commit == LogIndex(9))
        #expect(ready.messagesAfterPersist.count == 1)
    }

    @Test func theSenderGoesBackWhenTheReceiverHasForgotten() {
        var settings = ReplicaSettings()
        settings.snapshotChunkBytes = 2
        settings.snapshotWindowBytes = 4
        let snapshot = Snapshot(index: LogIndex(9), term: Term(1), configuration: group, data: Array(0..<8))
        var transfer = OutgoingTransfer(of: snapshot, contentHash: 1, isPulled: false)
        func burst() -> [UInt64] {
            var offsets: [UInt64] = []
            while transfer.canSend(settings) { offsets.append(transfer.nextChunk(settings).offset) }
            return offsets
        }
        #expect(burst() == [0, 2])
        let isPossible = (transfer.progressed(to: 4), transfer.progressed(to: 99))
        #expect(isPossible == (true, false))
        #expect(burst() == [4, 6])
        _ = transfer.progressed(to: 0)
        transfer.rewind()
        #expect(burst() == [0, 2])
    }

    /// Bug 29: compaction waits for a snapshot under way, so that its end still meets the log.
    @Test func compactionLeavesWhatASnapshotUnderWayNeeds() {
        var core = Replication(id: NodeID(1), initial: .newGroup(group), settings: ReplicaSettings())
        core.setHardState(HardState(term: Term(1), vote: Candidate(node: NodeID(1), incarnation: 1)))
        core.lead()
        for _ in 0..<20 { _ = core.appendOwn(.command, [1]) }
        core.advanceCommit(to: LogIndex(20))
        _ = core.ready()
        core.peers[0].becomeFedBySnapshot()
        core.provide(core.snapshot(at: LogIndex(12), content: .bytes([1]))!)
        _ = core.ready()
        core.compact(keepingBytes: 0, through: LogIndex(20))
        #expect(core.log.boundary.index == LogIndex(12))
    }
}
