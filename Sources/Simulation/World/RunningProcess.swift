import Cluster
import Placement
import Raft

/// One process of a node: its cores, what waits for them, and what it owes to clients.
final class RunningProcess {
    /// How far a core is with its turn.
    enum Turn {
        case idle, scheduled, stepped
    }

    /// A client's request that this edge has taken and not answered.
    struct Owed {
        var token: RequestToken
        var client: Int
        var attempt: UInt64
        var takenNs: UInt64
    }

    let machine: Int
    /// Counts the processes of a machine, so that what belonged to an earlier one is not taken for its own.
    let generation: UInt64
    let identity: NodeIdentity
    let node: NodeCore
    let loops: [LoopCore]
    var nodeInbox: [NodeInput] = []
    var loopInboxes: [[LoopInput]]
    /// By core: the node's own first, then the loops.
    var turns: [Turn]
    var owed: [Owed] = []
    /// Sockets that this process holds, by number.
    var sockets: [UInt64: VirtualSocket] = [:]
    /// By machine: the generation of the process that this one has a link to.
    var links: [UInt64?]
    /// Who was there when the link began: a machine whose disk was wiped is another node.
    var linkedNodes: [NodeID?]
    var view: ClusterView?
    var isDraining = false
    /// It was told that its journal is long.
    var isPressed = false
    /// By loop: something other than time has passed since the monitor looked.
    var isNews: [Bool]
    /// How long this process has stood still until now, for deadlines that cannot run meanwhile.
    var pausedNs: UInt64 = 0

    init(
        machine: Int, generation: UInt64, identity: NodeIdentity, node: NodeCore, loops: [LoopCore],
        machineCount: Int
    ) {
        self.machine = machine
        self.generation = generation
        self.identity = identity
        self.node = node
        self.loops = loops
        loopInboxes = [[LoopInput]](repeating: [], count: loops.count)
        isNews = [Bool](repeating: true, count: loops.count)
        turns = [Turn](repeating: .idle, count: loops.count + 1)
        links = [UInt64?](repeating: nil, count: machineCount)
        linkedNodes = [NodeID?](repeating: nil, count: machineCount)
    }

    var coreCount: Int { loops.count + 1 }

    func hasInput(core: Int) -> Bool {
        core == 0 ? !nodeInbox.isEmpty : !loopInboxes[core - 1].isEmpty
    }

    func settle(_ token: RequestToken) -> Owed? {
        guard let place = owed.firstIndex(where: { $0.token == token }) else { return nil }
        return owed.remove(at: place)
    }
}

/// One machine: its disk and clocks outlive its processes, and so does the parent of a process (O7).
struct Machine {
    enum Standstill {
        /// SIGSTOP: no step of the process; the clocks, the parent and the kernel go on.
        case paused
        /// The whole machine sleeps, one of its clocks too.
        case suspended
    }

    /// Of the disk: an empty disk is another node under the same name (O9).
    var nodeID: NodeID
    let name: String
    let address: String
    let loops: Int
    var clock: MachineClock
    var disk: MachineDisk
    var store = MachineStore()
    /// Disks that this machine has had.
    var lives = 1
    var process: RunningProcess?
    var generation: UInt64 = 0
    var standstill: Standstill?
    var stoodStillSinceNs: UInt64 = 0
    /// Events of the process that came due while it stood still.
    var deferred: [WorldEvent] = []
    /// False while the machine is off or its parent process is dead: nobody restarts or buries.
    var hasParent = true
    /// Deaths that the parent knows of and the cluster has not confirmed.
    var unburied: [Obituary] = []
    var isStartPlanned = false
    /// Part of the cluster, or wanted there; otherwise a place where a node can be added.
    var isInService = true
    /// It stays off while the others must come right without it.
    var isAway = false
    /// It is expected to run once the faults are over.
    var isExpected: Bool { isInService && !isAway }
    /// It is to be removed, once it keeps nothing.
    var isLeaving = false
    /// The log that this disk has lost and does not remember to have lost.
    var lostGroup: GroupID?

    // Slowness, in force until the fault ends.
    var turnDelayNs: UInt64 = 0
    var syncDelayNs: UInt64 = 0
}

/// What can come due in the world.
enum WorldEvent {
    case turn(machine: Int, generation: UInt64, core: Int)
    case flush(machine: Int, generation: UInt64, core: Int)
    case tick(machine: Int, generation: UInt64, core: Int)
    case arrival(Envelope)
    case synced(machine: Int, generation: UInt64)
    case stored(machine: Int, generation: UInt64)
    case linkRound(machine: Int, generation: UInt64)
    case start(machine: Int)
    case parentRound
    case obituary(Obituary, to: Int)
    case buried(Obituary, parentOf: Int)
    case client(Int, ClientEvent)
    case talker(Int, TalkerEvent)
    case fault(FaultEvent)
    case endOfFault(FaultEnd)
    case mortal
    case audit
    case departure(machine: Int)
}

/// A message on its way between two processes, by machine and generation. An object, so that events stay
/// small.
final class Envelope {
    let from: Int
    let to: Int
    /// `nil`: whoever listens at the address.
    let toGeneration: UInt64?
    let message: PeerMessage

    init(from: Int, to: Int, toGeneration: UInt64?, message: PeerMessage) {
        self.from = from
        self.to = to
        self.toGeneration = toGeneration
        self.message = message
    }
}
