import Cluster
import Placement
import Raft

/// A cluster and its surroundings: machines, network, clients, misfortunes, in virtual time.
///
/// One queue holds everything that will happen; `run` takes events in order and lets them cause others.
/// Nothing here reads a clock or a random number but the world's own.
final class World {
    let plan: Swarm
    var random: SeededGenerator
    var nowNs: UInt64 = 1_000_000_000
    var queue = EventQueue<WorldEvent>()
    var machines: [Machine] = []
    var network: VirtualNetwork
    var trace = TraceHash()
    var safety: SafetyMonitor
    var clients: [VirtualClient] = []
    var workload: Workload
    var history = History()
    var answerOrder: AnswerOrder
    var faults: FaultInjector
    var talkers: [Talker] = []
    /// Every socket there ever was, by number.
    var socketsByNumber: [UInt64: VirtualSocket] = [:]
    var ledger: EventLedger
    var presence: PresenceJudge
    /// Lists of presence that were asked for, and what came.
    var listAnswers: [RequestToken: [UInt8]?] = [:]
    /// Objects that are to die by themselves, and the requests that made them.
    var mortals: [String] = []
    var mortalRequests: Set<RequestToken> = []
    var statistics = WorldStatistics()
    /// Replicas whose log or state was damaged, by home: at most one of each, until it has been replaced.
    var damages: [UInt16: Damage] = [:]
    var replacedDamages: Set<ReplacedDamage> = []
    /// Clients go on asking.
    var isLoadOn = false
    /// Counts the steps of one machine's disk, and ends it at one of them.
    var crashWalk: CrashWalk?
    /// The first thing that went wrong; the run ends there.
    var failure: Failure?
    /// A line per event, for a person.
    var narrate: ((String) -> Void)?
    /// When every shard was served for the first time.
    var formedNs: UInt64 = 0
    private var tokens: UInt64 = 0

    init(plan: Swarm) {
        self.plan = plan
        random = SeededGenerator(seed: plan.seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x00C0_FFEE &+ plan.luck)
        network = VirtualNetwork(machineCount: plan.machines)
        network.quality = plan.network
        safety = SafetyMonitor(machineCount: plan.machines)
        workload = Workload(plan: plan.workload, random: random.split())
        answerOrder = AnswerOrder(objectCount: workload.objects.count)
        faults = FaultInjector(plan: plan.faults, seed: plan.seed)
        presence = PresenceJudge(driftMaxPpm: plan.driftMaxPpm.magnitude)
        ledger = EventLedger(names: plan.sockets.objectNames(hotObjects: plan.workload.hotObjects))
        for number in 0..<plan.machines {
            machines.append(makeMachine(number))
            machines[number].isInService = number < plan.founders ?? plan.machines
        }
        makeTalkers()
        clients = (0..<plan.workload.clients).map { VirtualClient(number: $0, home: $0 % plan.machines) }
    }

    private func makeTalkers() {
        for number in 0..<plan.sockets.talkers {
            let isHot = random.chance(plan.sockets.hotShare)
            let hot = plan.workload.hotObjects
            let object = isHot ? random.below(hot) : hot + random.below(plan.sockets.rooms)
            talkers.append(Talker(number: number, object: object, keyID: "key\(number % 2)"))
        }
    }

    private func makeMachine(_ number: Int) -> Machine {
        let drift = plan.driftPpm[number]
        return Machine(
            nodeID: NodeID(rawValue: random.next() | 1), name: "n\(number + 1)",
            address: "m\(number + 1):7101",
            loops: plan.loops[number],
            clock: MachineClock(
                trueNs: nowNs, bootPpm: drift, rawPpm: drift,
                startNs: 10_000_000_000 + random.below(UInt64(1) << 40)),
            disk: MachineDisk(segmentBytes: plan.segmentBytes, seed: random.next()))
    }

    func nextToken() -> RequestToken {
        tokens += 1
        return RequestToken(rawValue: tokens)
    }

    func schedule(_ event: WorldEvent, afterNs delayNs: UInt64) {
        queue.add(event, atNs: nowNs + delayNs)
    }

    /// Handles events until `limitNs`, a failure, or until `isDone` says so (asked after each event).
    func run(untilNs limitNs: UInt64, isDone: () -> Bool = { false }) {
        while failure == nil, !isDone(), let dueNs = queue.nextTimeNs, dueNs <= limitNs,
            let next = queue.next()
        {
            nowNs = next.timeNs
            statistics.events += 1
            trace.mix(nowNs)
            handle(next.event)
        }
        if failure == nil, !isDone() { nowNs = max(nowNs, limitNs) }
    }

    func fail(_ kind: Failure.Kind, _ message: String) {
        if failure == nil { failure = Failure(kind: kind, message: message, atNs: nowNs) }
    }

    func note(_ text: @autoclosure () -> String) {
        if let narrate { narrate("\(nowNs / 1000) µs  " + text()) }
    }

    func process(_ machine: Int, _ generation: UInt64) -> RunningProcess? {
        guard let process = machines[machine].process, process.generation == generation else { return nil }
        return process
    }

    func clocks(_ machine: Int) -> Clocks { machines[machine].clock.now(trueNs: nowNs) }

    private func handle(_ event: WorldEvent) {
        switch event {
        case .turn(let machine, let generation, let core):
            guard let process = runnable(event, machine, generation) else { return }
            turn(process, core: core)
        case .flush(let machine, let generation, let core):
            guard let process = runnable(event, machine, generation) else { return }
            flush(process, core: core)
        case .tick(let machine, let generation, let core):
            guard let process = runnable(event, machine, generation) else { return }
            tick(process, core: core)
        case .arrival(let envelope): arrive(envelope)
        case .synced(let machine, let generation): synced(machine, generation)
        case .stored(let machine, let generation): stored(machine, generation)
        case .linkRound(let machine, let generation): linkRound(machine, generation)
        case .start(let machine): start(machine)
        case .parentRound: parentRound()
        case .obituary(let obituary, let machine): deliver(obituary, to: machine)
        case .buried(let obituary, let machine):
            machines[machine].unburied.removeAll { $0 == obituary }
        case .client(let client, let event): handle(event, client: client)
        case .talker(let talker, let event): handle(event, talker: talker)
        case .fault(let fault): inject(fault)
        case .endOfFault(let end): endFault(end)
        case .mortal: makeMortal()
        case .audit: audit()
        case .departure(let machine): goOnLeaving(machine)
        }
    }

    /// The process an event is for, unless it is gone, or stands still: then the event waits.
    private func runnable(_ event: WorldEvent, _ machine: Int, _ generation: UInt64) -> RunningProcess? {
        guard let process = process(machine, generation) else { return nil }
        guard machines[machine].standstill == nil else {
            machines[machine].deferred.append(event)
            return nil
        }
        return process
    }
}

/// What went wrong, and whether something bad happened or something good did not.
public struct Failure: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Something that must never happen has happened.
        case correctness
        /// Something that must happen has not, although all faults were over.
        case liveness
        /// The process that ran the world has died: a precondition of the cores was broken.
        case crash
    }

    public var kind: Kind
    public var message: String
    public var atNs: UInt64

    public init(kind: Kind, message: String, atNs: UInt64) {
        self.kind = kind
        self.message = message
        self.atNs = atNs
    }
}
