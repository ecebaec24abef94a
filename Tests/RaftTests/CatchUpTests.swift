import Testing
@testable import Raft

/// Bug 29: a follower that was fed a snapshot finds the entries after it, however fast the log is compacted.
@Suite struct CatchUpTests {
    /// The leader appends and compacts at every turn, faster than a snapshot is sent. One snapshot must do.
    @Test(arguments: [false, true])
    func oneSnapshotIsEnoughUnderLoad(isFile: Bool) {
        let group = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var settings = ReplicaSettings()
        settings.messageBytesMax = 200
        settings.inFlightMessagesMax = 2
        settings.snapshotChunkBytes = 64
        settings.snapshotWindowBytes = 64
        var rules = Invariants()
        var nodes = (1...3 as ClosedRange<UInt64>).map { number in
            TestNode(id: NodeID(number), initial: .newGroup(group), usesFiles: isFile) { id, state in
                .appointed(AppointedReplica(id: id, initial: state, settings: settings))
            }
        }
        nodes[0].replica.change({ _ in }, { _ = $0.appoint(term: Term(1), incarnation: 1) })
        /// Each node handles what it got in the turn before; node 3 gets nothing before `since`.
        func turn(_ number: Int, hearsAll: Bool) {
            for position in nodes.indices {
                nodes[position].pump(&rules)
                if nodes[position].files.hasWork { nodes[position].work() }
                nodes[position].pump(&rules)
            }
            for message in nodes.indices.flatMap({ nodes[$0].takeOutbox() }) where hearsAll || message.to != NodeID(3) {
                nodes[Int(message.to.rawValue) - 1].replica.step(message)
            }
            nodes[0].replica.tick()
            if nodes[0].replica.serves, number < 400 { _ = nodes[0].replica.propose([UInt8(number % 251)]) }
            nodes[0].compact(keepingBytes: 0, through: nodes[0].replica.applied)
        }
        for number in 0..<100 {
            nodes[0].replica.report(NodeID(3), reachable: false)
            turn(number, hearsAll: false)
        }
        #expect(nodes[0].replica.firstIndex > LogIndex(50))
        nodes[0].replica.report(NodeID(3), reachable: true)
        for number in 100..<600 { turn(number, hearsAll: true) }
        #expect(nodes[2].replica.commit == nodes[0].replica.commit)
        #expect(nodes[2].replica.counters.snapshotsInstalled == 1)
        #expect(nodes[0].replica.counters.snapshotsSent == 1)
        #expect(rules.violations == [])
    }
}
