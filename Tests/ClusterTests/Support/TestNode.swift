import Binary
import ObjectRuntime
import Placement
import Raft

@testable import Cluster

/// One node of a `TestCluster`: both cores, and a disk that keeps what the test lets become durable.
final class TestNode {
    let number: Int
    var identity: NodeIdentity
    let settings: NodeSettings
    private(set) var core: NodeCore
    private(set) var loop: LoopCore
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
    var view: ClusterView?
    var lease: Deadline?

    init(number: Int, membership: Membership, settings: NodeSettings, now: Clocks) {
        self.number = number
        self.settings = settings
        identity = TestNode.identity(number, nonce: UInt64(number) + 1000)
        (core, loop) = TestNode.cores(identity, membership, RecoveredLogs(), settings, now)
    }

    static func identity(_ number: Int, nonce: UInt64) -> NodeIdentity {
        NodeIdentity(
            nodeID: NodeID(rawValue: UInt64(number) + 1), name: "n\(number + 1)",
            peerAddress: "peer\(number + 1)",
            clientURL: "http://client\(number + 1)", nonce: nonce, version: "test")
    }

    private static func cores(
        _ identity: NodeIdentity, _ membership: Membership, _ recovered: RecoveredLogs,
        _ settings: NodeSettings, _ now: Clocks
    ) -> (NodeCore, LoopCore) {
        let core = NodeCore(
            identity: identity, membership: membership, recovered: recovered, settings: settings,
            seed: identity.nonce, now: now)
        let loop = LoopCore(
            loop: 0, identity: identity, recovered: recovered, settings: settings, seed: identity.nonce,
            cold: MemoryColdObjects())
        return (core, loop)
    }

    var nodeID: NodeID { identity.nodeID }

    /// The process dies; what was not durable is lost.
    func crash() {
        isUp = false
        unwritten = []
    }

    /// The next process of the node, on what the disk holds.
    func restart(nonce: UInt64, now: Clocks, forgetting isForgotten: (LogRecord) -> Bool = { _ in false })
        throws
    {
        disk.removeAll(where: isForgotten)
        var recovered = RecoveredLogs()
        for record in disk { try recovered.visit(record) }
        identity = TestNode.identity(number, nonce: nonce)
        (core, loop) = TestNode.cores(identity, .join([]), recovered, settings, now)
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
