import Binary
import ObjectRuntime
import Placement
import Raft

@testable import Cluster
@testable import Simulation

/// One node of a `TestCluster`: both cores, and a disk that keeps what the test lets become durable.
final class TestNode {
    let number: Int
    var identity: NodeIdentity
    let settings: NodeSettings
    private(set) var core: NodeCore
    private(set) var loop: LoopCore
    /// Outlives crashes, as the disk does.
    let store = MachineStore()
    /// So many files of snapshots will be gone when they are read from.
    var snapshotsToLose = 0
    /// While true the disk reads nothing of a file of a snapshot; what was asked for waits.
    var holdsSnapshotReads = false
    /// The store finds a shard damaged when it is to split it.
    var isDamagedAtSplit = false
    private(set) var heldSnapshotReads: [StoreRequest] = []
    /// What a crash leaves.
    private(set) var disk: [LogRecord] = []
    private var unwritten: [(isNode: Bool, batch: PersistBatch)] = []
    /// While true nothing becomes durable.
    var holdsJournal = false
    var isUp = true
    /// While true the loop gets no input and no turn.
    var isLoopHung = false
    var answers: [UInt64: ClientAnswer] = [:]
    /// By socket number: what it was sent, in order, and how it was closed.
    var frames: [UInt64: [String]] = [:]
    var closings: [UInt64: SocketClosing] = [:]
    var proposals: [UInt64: Result<CommandResult, ProposalFailure>] = [:]
    var buried: [Obituary] = []
    var exit: ExitReason?
    var scrubbed: [ScrubOutcome] = []
    /// What this node's disk has lost, as its loop said.
    var lost: [LostShard] = []
    var view: ClusterView?
    var lease: Deadline?

    init(number: Int, membership: Membership, settings: NodeSettings, now: Clocks) {
        self.number = number
        self.settings = settings
        identity = TestNode.identity(number, nonce: UInt64(number) + 1000)
        let recovered = RecoveredReplicas(stored: (try? store.recover().stored) ?? [])
        (core, loop) = TestNode.cores(identity, membership, recovered, store, settings, now)
    }

    static func identity(_ number: Int, nonce: UInt64) -> NodeIdentity {
        NodeIdentity(
            nodeID: NodeID(rawValue: UInt64(number) + 1), name: "n\(number + 1)",
            peerAddress: "peer\(number + 1)",
            clientURL: "http://client\(number + 1)", nonce: nonce, version: "test")
    }

    private static func cores(
        _ identity: NodeIdentity, _ membership: Membership, _ recovered: RecoveredReplicas, _ store: MachineStore,
        _ settings: NodeSettings, _ now: Clocks
    ) -> (NodeCore, LoopCore) {
        let core = NodeCore(
            identity: identity, membership: membership, recovered: recovered.logs, settings: settings,
            seed: identity.nonce, now: now)
        let loop = LoopCore(
            loop: 0, identity: identity, recovered: recovered, settings: settings, seed: identity.nonce,
            store: MachineObjects(store))
        return (core, loop)
    }

    var nodeID: NodeID { identity.nodeID }

    /// The process dies; what was not durable is lost.
    func crash() {
        isUp = false
        unwritten = []
        store.crash(.process)
    }

    /// Carries out what the loop asks of the store, at once.
    func serve(_ requests: [StoreRequest], now: Clocks) {
        for request in requests {
            if case .readSnapshot(let shard, _) = request {
                if snapshotsToLose > 0 {
                    snapshotsToLose -= 1
                    store.ask(.releaseSnapshots(shard), from: 0)
                }
                if holdsSnapshotReads {
                    heldSnapshotReads.append(request)
                    continue
                }
            }
            if isDamagedAtSplit, case .split(_, let parent, _) = request {
                loop.step(.store(.damaged(parent.shard, "as this test wants it")), now: now)
                continue
            }
            store.ask(request, from: 0)
        }
        while isUp, store.wantsTurn {
            store.beginTurn(atMost: 100)
            for answer in store.finishTurn() { loop.step(.store(answer.result), now: now) }
        }
    }

    func serveHeldSnapshotReads(now: Clocks) {
        holdsSnapshotReads = false
        let held = heldSnapshotReads
        heldSnapshotReads = []
        serve(held, now: now)
    }

    /// The next process of the node, on what the disk holds.
    func restart(nonce: UInt64, now: Clocks, forgetting isForgotten: (LogRecord) -> Bool = { _ in false })
        throws
    {
        disk.removeAll(where: isForgotten)
        var logs = RecoveredLogs()
        for record in disk { try logs.visit(record) }
        let found = try store.recover()
        let recovered = RecoveredReplicas(logs: logs, stored: found.stored, damaged: found.damaged.sorted())
        identity = TestNode.identity(number, nonce: nonce)
        (core, loop) = TestNode.cores(identity, .join([]), recovered, store, settings, now)
        holdsJournal = false
        isUp = true
        exit = nil
        view = nil
        lease = nil
    }

    var unwrittenCount: Int { unwritten.count }

    func write(_ batch: PersistBatch?, isNode: Bool) {
        if let batch { unwritten.append((isNode, batch)) }
    }

    /// Lets the oldest batch become durable; false if there is none.
    func sync(now: Clocks) -> Bool {
        guard isUp, !unwritten.isEmpty else { return false }
        let (isNode, batch) = unwritten.removeFirst()
        disk += batch.records
        if isNode {
            core.step(.persisted(batch.id), now: now)
        } else {
            loop.step(.persisted(batch.id), now: now)
        }
        return true
    }
}
