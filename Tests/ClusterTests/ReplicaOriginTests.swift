import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// What a replica begins with, put together of the log in the journal and the state in the store.
struct ReplicaOriginTests {
    private static let shard = ShardID(rawValue: 0)
    private static let group = GroupID.shard(shard)
    private static let configuration = Configuration(voters: (1...3).map { NodeID(rawValue: $0) })

    private static func position(_ index: UInt64, term: UInt64 = 1) -> Position {
        Position(term: Term(rawValue: term), index: LogIndex(rawValue: index))
    }

    private static func entry(_ index: UInt64, term: UInt64 = 1) -> LogRecord {
        .entry(
            Entry(
                term: Term(rawValue: term), index: LogIndex(rawValue: index), kind: .barrier, payload: []),
            group: group)
    }

    private static func stored(
        _ position: Position, of shard: ShardID = shard, range: ClosedRange<UInt64> = 0...UInt64.max
    ) -> StoredReplica {
        var state = ShardState(range: range, source: MemoryObjectSource())
        guard let checkpoint = state.beginCheckpoint() else { preconditionFailure("none is under way") }
        let head = ReplicaHead(configuration: configuration, state: checkpoint.head())
        return StoredReplica(
            shard: shard, position: position, range: range, objectCount: 0, payload: head.encode())
    }

    private static func logs(_ records: [LogRecord]) throws -> RecoveredLogs {
        var logs = RecoveredLogs()
        for record in records { try logs.visit(record) }
        try logs.finish()
        return logs
    }

    /// What a loop writes when it starts with this disk and learns of the table.
    private static func firstRecords(
        _ records: [LogRecord], stored: [StoredReplica], damaged: [ShardID] = []
    ) throws -> [LogRecord] {
        let recovered = RecoveredReplicas(logs: try logs(records), stored: stored, damaged: damaged)
        let loop = LoopCore(
            loop: 0, identity: TestNode.identity(0, nonce: 1001), recovered: recovered, settings: NodeSettings(),
            seed: 1, store: MemoryObjectSource())
        var table = TestTable()
        table.give(to: 2)
        let now = Clocks(bootNs: 1, rawNs: 1, wallMs: 1)
        loop.step(.view(table.view(at: 1)), now: now)
        return loop.flush(now: now).persist?.records ?? []
    }

    /// Its node's table is older than its disk, so it does not know its range: to erase any would be to erase others.
    @Test func aReplicaThatNeverHadAnythingIsEndedWithoutAnErasureO9() throws {
        var table = TestTable()
        table.give(to: 2)
        let parent = table.record
        let child = ShardID(home: 0, serial: 1)
        let disk = [
            LogRecord.created(
                Configuration(voters: []), at: LogPoint(epoch: parent.epoch, index: LogIndex(rawValue: 2)),
                group: .shard(child))
        ]
        let loop = LoopCore(
            loop: 0, identity: TestNode.identity(0, nonce: 1001),
            recovered: RecoveredReplicas(logs: try Self.logs(disk), stored: [], damaged: []), settings: NodeSettings(),
            seed: 1, store: MemoryObjectSource())
        let now = Clocks(bootNs: 1, rawNs: 1, wallMs: 1)
        var requests: [StoreRequest] = []
        func show() {
            loop.step(.view(table.view(at: 1)), now: now)
            while let batch = take(loop.flush(now: now)) { loop.step(.persisted(batch.id), now: now) }
        }
        func take(_ effects: LoopEffects) -> PersistBatch? {
            requests += effects.store
            return effects.persist
        }
        show()
        #expect(loop.replicas[child] != nil)
        let owner = table.process(2)
        table.apply(.planSplit(parent.shard, expected: parent.epoch, cut: 1 << 63))
        table.apply(
            .split(
                parent.shard, expected: parent.epoch, proposer: owner, cut: 1 << 63, child: child,
                index: LogIndex(rawValue: 3)))
        let epoch = try #require(table.state.table.record(of: child)).epoch
        table.apply(
            .recordReplicas(
                child, expected: epoch, proposer: owner, index: LogIndex(rawValue: 9),
                configuration: Configuration(voters: [2, 3].map { NodeID(rawValue: $0) })))
        #expect(table.state.table.record(of: child)?.replicas.count == 2)
        show()
        #expect(loop.replicas[child] == nil)
        for case .erase(_, let shard, let range) in requests { Issue.record("shard \(shard) erases \(range)") }
    }

    /// A table from before the split does not know which keys the child has; the store does. A new replica of the child
    /// has to wait until they are gone, or it is erased in their place.
    @Test func aNewReplicaWaitsUntilTheLostOneIsErasedO9O13() throws {
        var table = TestTable()
        table.give(to: 2)
        let (parent, owner) = (table.record, table.process(2))
        let (child, cut) = (ShardID(home: 0, serial: 1), UInt64(1) << 63)
        let since = LogPoint(epoch: parent.epoch.next, index: LogIndex(rawValue: 3))
        let disk = [LogRecord.created(Self.configuration, at: since, group: .shard(child))]
        let damaged = Self.stored(Self.position(3), of: child, range: cut...UInt64.max)
        let loop = LoopCore(
            loop: 0, identity: TestNode.identity(0, nonce: 1001),
            recovered: RecoveredReplicas(logs: try Self.logs(disk), stored: [damaged], damaged: [child]),
            settings: NodeSettings(), seed: 1, store: MemoryObjectSource())
        let now = Clocks(bootNs: 1, rawNs: 1, wallMs: 1)
        var requests: [StoreRequest] = []
        func settle() {
            var effects = loop.flush(now: now)
            requests += effects.store
            while let batch = effects.persist {
                loop.step(.persisted(batch.id), now: now)
                effects = loop.flush(now: now)
                requests += effects.store
            }
        }
        func show() {
            loop.step(.view(table.view(at: 1)), now: now)
            settle()
        }
        show()
        #expect(loop.replicas[child]?.raft.holdsLog == false)

        table.apply(.planSplit(parent.shard, expected: parent.epoch, cut: cut))
        table.apply(
            .split(
                parent.shard, expected: parent.epoch, proposer: owner, cut: cut, child: child,
                index: LogIndex(rawValue: 3)))
        let epoch = try #require(table.state.table.record(of: child)).epoch
        for (index, voters) in [(9, [2, 3]), (10, [1, 2, 3])] {
            table.apply(
                .recordReplicas(
                    child, expected: epoch, proposer: owner, index: LogIndex(rawValue: UInt64(index)),
                    configuration: Configuration(voters: voters.map { NodeID(rawValue: UInt64($0)) })))
        }
        show()
        guard case .erase(let job, child, let range) = try #require(requests.last) else {
            Issue.record("nothing is erased: \(requests)")
            return
        }
        #expect(range == cut...UInt64.max)
        show()
        #expect(loop.replicas[child] == nil, "its keys are still on the disk")
        loop.step(.store(.done(job)), now: now)
        settle()
        #expect(loop.replicas[child]?.raft.holdsLog == true)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var entries: [(index: UInt64, term: UInt64)]
        var stored: (index: UInt64, term: UInt64)
        var coversAnew: Bool
        var testDescription: String { what }
    }

    static let cases = [
        Case(what: "in the middle of the log", entries: [(1, 1), (2, 1), (3, 1)], stored: (2, 1), coversAnew: false),
        Case(what: "at its end", entries: [(1, 1), (2, 1)], stored: (2, 1), coversAnew: false),
        Case(what: "beyond a log that ends early", entries: [(1, 1), (2, 1)], stored: (9, 1), coversAnew: true),
        Case(what: "of another log", entries: [(1, 1), (2, 1), (3, 1)], stored: (2, 2), coversAnew: true),
        Case(what: "beyond an empty log", entries: [], stored: (4, 1), coversAnew: true),
    ]

    /// The store's state may be ahead of the journal. Whatever it has, the journal can be read back once the log
    /// goes on (O12).
    @Test(arguments: cases) func aLogGoesOnBehindTheStoredStateAndCanBeReadBack(_ given: Case) throws {
        let disk =
            [LogRecord.created(Self.configuration, group: Self.group)]
            + given.entries.map { Self.entry($0.index, term: $0.term) }
        let base = Self.position(given.stored.index, term: given.stored.term)
        let written = try Self.firstRecords(disk, stored: [Self.stored(base)])
        #expect(written.contains { $0.replacesLog } == given.coversAnew)

        var next = disk + written
        let last = given.coversAnew ? given.stored.index : max(given.stored.index, given.entries.last?.index ?? 0)
        next.append(Self.entry(last + 1, term: 3))
        let log = try #require(try Self.logs(next).shardLog(Self.shard))
        #expect(log.entries.last?.index.rawValue == last + 1)
        #expect(log.covered.index.rawValue == given.stored.index, "else an idle shard holds the journal for ever")
    }

    @Test func whatTheJournalKnowsToBeCoveredIsNotSaidAgain() throws {
        let disk: [LogRecord] = [
            .created(Self.configuration, group: Self.group), Self.entry(1), Self.entry(2),
            .covered(Self.position(2), group: Self.group),
        ]
        let written = try Self.firstRecords(disk, stored: [Self.stored(Self.position(2))])
        #expect(!written.contains { $0.kind == LogRecord.coveredKind })
    }

    /// A split has made it, and the process died before the journal said so: what follows must be found again.
    @Test func aReplicaThatOnlyTheStoreKnowsIsMadeKnownToTheJournalO13() throws {
        let written = try Self.firstRecords([], stored: [Self.stored(Self.position(7))])
        let log = try #require(try Self.logs(written + [Self.entry(8)]).shardLog(Self.shard))
        #expect(log.created == Self.configuration && log.covered == Self.position(7) && log.entries.count == 1)
    }

    /// The store has objects of an index that the journal does not know of; entries from the beginning must not be
    /// applied to them.
    @Test func aDamagedStateThatTheJournalDoesNotKnowOfIsALossO9() throws {
        let disk = [LogRecord.created(Self.configuration, group: Self.group), Self.entry(1)]
        let written = try Self.firstRecords(disk, stored: [], damaged: [Self.shard])
        #expect(written.map(\.kind) == [LogRecord.lostKind])
        #expect(try Self.firstRecords(disk, stored: []).contains { $0.kind == LogRecord.lostKind } == false)
    }

    /// Each disk has had the logs of the genesis since the genesis was on it.
    @Test func aLogOfTheGenesisThatIsNotThereIsALossO2O9() throws {
        #expect(try Self.firstRecords([], stored: []).map(\.kind) == [LogRecord.lostKind])
        let gone = [LogRecord.created(Self.configuration, group: Self.group), .ended(group: Self.group)]
        #expect(try Self.firstRecords(gone, stored: []).isEmpty, "it has been and gone, and the table is older")
    }

    /// What a former process has ended was sealed further than an older table says. A table that has this process is
    /// newer than that.
    @Test func anOldTableBeginsNoReplicaO9I6() throws {
        var table = TestTable()
        table.give(to: 2)
        for (index, voters) in [(5, [2, 3]), (9, [1, 2, 3])] {
            table.apply(
                .recordReplicas(
                    Self.shard, expected: table.record.epoch, proposer: table.process(2),
                    index: LogIndex(rawValue: UInt64(index)),
                    configuration: Configuration(voters: voters.map { NodeID(rawValue: UInt64($0)) })))
        }
        #expect(table.record.replicas.count == 3)
        let disk = [LogRecord.created(Self.configuration, group: Self.group), .ended(group: Self.group)]
        let loop = LoopCore(
            loop: 0, identity: TestNode.identity(0, nonce: 2001),
            recovered: RecoveredReplicas(logs: try Self.logs(disk), stored: [], damaged: []), settings: NodeSettings(),
            seed: 1, store: MemoryObjectSource())
        let now = Clocks(bootNs: 1, rawNs: 1, wallMs: 1)
        loop.step(.view(table.view(at: 1, isRegistered: false)), now: now)
        #expect(loop.flush(now: now).persist == nil && loop.replicas[Self.shard] == nil)
        table.register(1, nonce: 2001)
        loop.step(.view(table.view(at: 1)), now: now)
        #expect(loop.flush(now: now).persist?.records.map(\.kind).first == LogRecord.createdKind)
        #expect(loop.replicas[Self.shard] != nil)
    }
}
