@testable import Raft

/// Either kind of replica, so that one cluster can drive both.
enum TestReplica {
    case elected(ElectedReplica)
    case appointed(AppointedReplica)

    mutating func step(_ message: Message) {
        change({ $0.step(message) }, { $0.step(message) })
    }

    mutating func tick() {
        change({ $0.tick() }, { $0.tick() })
    }

    mutating func ready() -> Ready {
        change({ $0.ready() }, { $0.ready() })
    }

    mutating func persisted(_ mark: Position) {
        change(
            { $0.persisted(term: mark.term, index: mark.index) },
            { $0.persisted(term: mark.term, index: mark.index) })
    }

    mutating func provideSnapshot(_ snapshot: Snapshot) {
        change({ $0.provideSnapshot(snapshot) }, { $0.provideSnapshot(snapshot) })
    }

    mutating func snapshotFailed() {
        change({ $0.snapshotFailed() }, { $0.snapshotFailed() })
    }

    mutating func compact(keepingBytes: Int, through index: LogIndex) {
        change(
            { $0.compact(keepingBytes: keepingBytes, through: index) },
            { $0.compact(keepingBytes: keepingBytes, through: index) })
    }

    mutating func report(_ peer: NodeID, reachable: Bool) {
        change(
            { reachable ? $0.reportReachable(peer) : $0.reportUnreachable(peer) },
            { reachable ? $0.reportReachable(peer) : $0.reportUnreachable(peer) })
    }

    /// Nil if this replica does not lead.
    mutating func propose(_ payload: [UInt8]) -> LogIndex? {
        change({ $0.propose(payload) }, { $0.isLeading ? $0.propose(payload) : nil })
    }

    mutating func proposeConfiguration(_ target: Configuration) -> LogIndex? {
        change({ $0.proposeConfiguration(target) }, { $0.proposeConfiguration(target) })
    }

    mutating func snapshotPartWritten(contentHash: UInt64, through offset: UInt64?) {
        change(
            { $0.snapshotPartWritten(contentHash: contentHash, through: offset) },
            { $0.snapshotPartWritten(contentHash: contentHash, through: offset) })
    }

    mutating func snapshotStaged(contentHash: UInt64, isIntact: Bool) {
        change(
            { $0.snapshotStaged(contentHash: contentHash, isIntact: isIntact) },
            { $0.snapshotStaged(contentHash: contentHash, isIntact: isIntact) })
    }

    mutating func resume(_ part: SnapshotPart) -> Bool {
        change(
            {
                $0.resumeIncoming(
                    contentHash: part.contentHash, position: part.position,
                    configuration: part.configuration, totalBytes: part.totalBytes, offset: part.offset)
            },
            {
                $0.resumeIncoming(
                    contentHash: part.contentHash, position: part.position,
                    configuration: part.configuration, totalBytes: part.totalBytes, offset: part.offset)
            })
    }

    mutating func addSnapshotBudget(bytes: Int) {
        change({ $0.addSnapshotBudget(bytes: bytes) }, { $0.addSnapshotBudget(bytes: bytes) })
    }

    func makeSnapshot(at index: LogIndex, content: Snapshot.Content) -> Snapshot? {
        read({ $0.makeSnapshot(at: index, content: content) }, { $0.makeSnapshot(at: index, content: content) })
    }

    var filesInUse: [UInt64] { read(\.snapshotFilesInUse, \.snapshotFilesInUse) }
    var incomingFile: UInt64? {
        read({ $0.incomingSnapshot?.contentHash }, { $0.incomingSnapshot?.contentHash })
    }

    func makeSnapshot(at index: LogIndex, data: [UInt8]) -> Snapshot? {
        read({ $0.makeSnapshot(at: index, data: data) }, { $0.makeSnapshot(at: index, data: data) })
    }

    func term(at index: LogIndex) -> Term? { read({ $0.term(at: index) }, { $0.term(at: index) }) }
    var hasReady: Bool { read(\.hasReady, \.hasReady) }
    var hardState: HardState { read(\.hardState, \.hardState) }
    var commit: LogIndex { read(\.commit, \.commit) }
    var applied: LogIndex { read(\.applied, \.applied) }
    var lastIndex: LogIndex { read(\.lastIndex, \.lastIndex) }
    var firstIndex: LogIndex { read(\.firstIndex, \.firstIndex) }
    var lastTerm: Term { read(\.lastTerm, \.lastTerm) }
    var configuration: Configuration { read(\.configuration, \.configuration) }
    var configurationIndex: LogIndex { read(\.configurationIndex, \.configurationIndex) }

    /// All that may still be in force, as far as this replica knows.
    var configurationsInForce: [Configuration] {
        read(
            { $0.core.configurations.inForce(from: $0.commit) },
            { $0.core.configurations.inForce(from: $0.commit) })
    }

    var counters: ReplicaCounters { read(\.counters, \.counters) }

    /// Leads its term: appends entries of its own.
    var leads: Bool {
        read({ $0.isLeader }, { $0.stage == .establishing || $0.stage == .leading })
    }

    /// Serves: may answer for the group.
    var serves: Bool { read({ $0.isLeader && $0.isOwnTermCommitted }, { $0.isLeading }) }

    var standing: String { read({ "\($0.role)" }, { "\($0.stage)" }) }

    mutating func change<Result>(
        _ elected: (inout ElectedReplica) -> Result, _ appointed: (inout AppointedReplica) -> Result
    ) -> Result {
        switch self {
        case .elected(var replica):
            let result = elected(&replica)
            self = .elected(replica)
            return result
        case .appointed(var replica):
            let result = appointed(&replica)
            self = .appointed(replica)
            return result
        }
    }

    func read<Result>(_ elected: (ElectedReplica) -> Result, _ appointed: (AppointedReplica) -> Result)
        -> Result
    {
        switch self {
        case .elected(let replica): elected(replica)
        case .appointed(let replica): appointed(replica)
        }
    }

    var asElected: ElectedReplica? { read({ $0 }, { _ in nil }) }
    var asAppointed: AppointedReplica? { read({ _ in nil }, { $0 }) }
}
