import Cluster
import Placement
import Raft

/// A run from beginning to end: form the cluster, load and faults, then peace, in which everything must
/// come right within a bound.
extension World {
    static let formLimitNs: UInt64 = 20_000_000_000
    static let healLimitNs: UInt64 = 30_000_000_000

    /// Starts all machines and waits until every shard has a serving owner.
    func form() {
        for machine in machines.indices where machines[machine].isInService {
            schedule(.start(machine: machine), afterNs: random.below(UInt64(300_000_000)))
        }
        schedule(.parentRound, afterNs: 100_000_000)
        schedule(.audit, afterNs: 500_000_000)
        let limitNs = nowNs + World.formLimitNs
        while failure == nil, !isServedEverywhere, nowNs < limitNs { run(untilNs: nowNs + 20_000_000) }
        guard !isServedEverywhere else { return }
        // In the worst weather elections may fail for ever.
        network.quality = VirtualNetwork.Quality()
        wait(atMostNs: World.formLimitNs, for: "the cluster to form") { self.isServedEverywhere }
        network.quality = plan.network
    }

    func startLoad() {
        isLoadOn = true
        for client in clients.indices {
            schedule(.client(client, .begin), afterNs: random.below(UInt64(100_000_000)))
        }
        startTalkers()
        startMortals()
        setReplacement()
    }

    func startFaults() {
        faults.isOn = true
        schedule(.fault(.next), afterNs: faults.nextDelayNs())
    }

    /// The whole run. The first failure ends it.
    func runAll() {
        form()
        guard failure == nil else { return }
        formedNs = nowNs
        startLoad()
        startFaults()
        run(untilNs: nowNs + plan.safetyNs)
        if failure == nil { healCore() }
        heal()
        conclude()
    }

    /// After the faults: everything is served again, every open operation ends, probes are answered,
    /// replicas are equal, and the history has an explanation.
    func conclude() {
        run(untilNs: nowNs + 500_000_000)
        wait(atMostNs: World.healLimitNs, for: "every shard to be served") { self.isServedEverywhere }
        isLoadOn = false
        wait(atMostNs: World.healLimitNs, for: "clients to end") {
            self.clients.allSatisfy { $0.current == nil }
        }
        // Whose node goes comes back elsewhere.
        wait(atMostNs: World.healLimitNs, for: "nodes to be removed") { !self.machines.contains(where: \.isLeaving) }
        settleTalkers()
        probe()
        checkSockets()
        wait(atMostNs: World.healLimitNs, for: "replicas to be replaced") { self.isWhole }
        wait(atMostNs: World.healLimitNs, for: "replicas to be equal") { self.unequalShard == nil }
        if failure == nil { compareReplicas() }
        wait(atMostNs: World.healLimitNs, for: "replicas that nobody wants to end") { !self.hasUnlistedReplica }
        wait(atMostNs: 2 * World.healLimitNs, for: "mortals to be gone") { self.livingMortal == nil }
        checkStorage()
        if failure == nil { checkHistory() }
        countStorage()
    }

    private func countStorage() {
        for machine in machines {
            if let process = machine.process { statistics.storage.add(process) }
            statistics.storage.add(machine.store.statistics)
            statistics.storage.droppedSegments += machine.disk.droppedSegments
        }
    }

    func wait(atMostNs limitNs: UInt64, for what: String, until isDone: @escaping () -> Bool) {
        guard failure == nil else { return }
        let endNs = nowNs + limitNs
        while failure == nil, !isDone() {
            guard nowNs < endNs else {
                return fail(
                    .liveness, "waited \(limitNs / 1_000_000_000) s in vain for \(what): \(situation)")
            }
            run(untilNs: nowNs + 20_000_000)
        }
    }

    // MARK: - Looking

    func inspections(of shard: ShardID) -> [(machine: Int, shard: ShardInspection)] {
        machines.indices.compactMap { machine in
            guard let process = machines[machine].process else { return nil }
            let loop = homeLoop(of: shard, loops: process.loops.count)
            return process.loops[loop].inspect(shard, now: clocks(machine)).map { (machine, $0) }
        }
    }

    /// A replica of a shard that the table gives to others, or does not have any more: it only takes room.
    private var hasUnlistedReplica: Bool {
        guard let table = newestView?.state?.table else { return true }
        return machines.indices.contains { machine in
            let replicas = machines[machine].process?.loops.flatMap { $0.inspect(now: clocks(machine)) } ?? []
            return replicas.contains { table.record(of: $0.shard)?.isMember(machines[machine].nodeID) != true }
        }
    }

    var isServedEverywhere: Bool {
        guard machines.allSatisfy({ !$0.isExpected || $0.process?.view?.process != nil }),
            let table = newestView?.state?.table
        else { return false }
        return table.records.allSatisfy { record in
            inspections(of: record.shard).contains { $0.shard.isServing && $0.shard.epoch == record.epoch }
        }
    }

    /// Replicas that still hold the shard's log.
    private func sound(_ shard: ShardID) -> [(machine: Int, shard: ShardInspection)] {
        inspections(of: shard).filter { replica in
            replica.shard.holdsLog
                && newestView?.state?.table.record(of: shard)?.isMember(machines[replica.machine].nodeID) ?? false
        }
    }

    private var unequalShard: ShardID? {
        newestView?.state?.table.records.map(\.shard).first { shard in
            let replicas = sound(shard)
            guard let first = replicas.first?.shard else { return true }
            return replicas.contains {
                $0.shard.appliedThrough != first.appliedThrough
                    || $0.shard.lastIndex != $0.shard.appliedThrough
            }
        }
    }

    /// I2: the same entries make the same state at every replica.
    private func compareReplicas() {
        for record in newestView?.state?.table.records ?? [] {
            let states = sound(record.shard).compactMap { replica -> [UInt8]? in
                guard let process = machines[replica.machine].process else { return nil }
                return process.loops[homeLoop(of: record.shard, loops: process.loops.count)]
                    .snapshotBytes(of: record.shard)
            }
            guard let first = states.first, states.contains(where: { $0 != first }) else { continue }
            let other = states.first { $0 != first } ?? []
            let place = zip(first, other).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            fail(
                .correctness,
                "replicas of shard \(record.shard.rawValue) hold different states: \(states.map(\.count)) bytes, "
                    + "first difference at \(place ?? min(first.count, other.count)): \(situation)")
        }
    }

    /// What a person wants to know of a cluster that does not get on.
    var situation: String {
        var lines: [String] = []
        for machine in machines {
            guard let process = machine.process else {
                lines.append("\(machine.name) down")
                continue
            }
            let view = process.view
            lines.append(
                "\(machine.name) run \(process.generation) incarnation "
                    + "\(view?.process?.incarnation.rawValue ?? 0) table \(view?.index.rawValue ?? 0) "
                    + "leader \(view?.leader.map(nodeName) ?? "none") owes \(process.owed.count), "
                    + "placement: \(process.node.placementSituation)")
        }
        for node in newestView?.state?.registry.nodes ?? [] {
            let runs = node.live.map { String($0.incarnation.rawValue) }
            lines.append("registry: \(node.name) \(node.standing) newest \(node.incarnation.rawValue) live \(runs)")
        }
        for record in newestView?.state?.table.records ?? [] {
            let replicas = inspections(of: record.shard).map { replica in
                let shard = replica.shard
                return
                    "\(machines[replica.machine].name): \(shard.stage) epoch \(shard.epoch.rawValue) sealed "
                    + "\(shard.sealedTerm.rawValue) commit \(shard.commit.rawValue) last \(shard.lastIndex.rawValue)"
                    + " applied \(shard.appliedThrough.rawValue)" + (shard.isServing ? " serving" : "")
                    + (shard.holdsLog ? "" : " without log")
                    + pendingWork(of: record.shard, replica.machine).map { " \($0)" }.joined()
            }
            lines.append(
                "shard \(record.shard.rawValue) epoch \(record.epoch.rawValue) owner "
                    + "\(record.owner.map { nodeName($0.node) } ?? "none") \(describe(record)) ["
                    + replicas.joined(separator: "; ") + "]")
        }
        return lines.joined(separator: "\n  ")
            + (statistics.refusals.first.map { "\n  refused: \($0)" } ?? "")
    }

    private func pendingWork(of shard: ShardID, _ machine: Int) -> [String] {
        guard let process = machines[machine].process else { return [] }
        return process.loops[homeLoop(of: shard, loops: process.loops.count)].pendingWork(of: shard)
    }

    func describe(_ record: ShardRecord) -> String {
        let set = record.replicaSet
        let groups = [
            ("voters", set.voters), ("outgoing", set.outgoing), ("learners", set.learners),
            ("lost", record.lost.map(\.node)),
        ]
        let texts = groups.filter { !$0.1.isEmpty }.map { "\($0.0) \($0.1.map(nodeName).joined(separator: " "))" }
        return texts.joined(separator: ", ") + (record.plan.map { ", plan \($0)" } ?? "")
    }

    func nodeName(_ node: NodeID) -> String {
        machines.first { $0.nodeID == node }?.name ?? "?"
    }

    // MARK: - Final questions

    /// One client writes to every hot object and reads every item; all of it must be answered.
    private func probe() {
        guard failure == nil else { return }
        var script: [Workload.Step] = []
        for object in 0..<plan.workload.hotObjects {
            script.append(Workload.Step(object: object, item: "counter", call: .increment(by: 1)))
        }
        for object in workload.objects.indices {
            for item in workload.allItems(of: object) {
                script.append(Workload.Step(object: object, item: item, call: .read))
            }
        }
        let prober = clients.count
        var client = VirtualClient(number: prober, home: 0)
        client.isPersistent = true
        client.script = script
        clients.append(client)
        schedule(.client(prober, .begin), afterNs: 0)
        wait(atMostNs: World.healLimitNs, for: "the probes to be answered") {
            self.clients[prober].script?.isEmpty == true && self.clients[prober].current == nil
        }
    }

    private func checkHistory() {
        let report = LinearizabilityChecker().check(history)
        if let violation = report.violations.first {
            fail(.correctness, "I3: \(violation.object)/\(violation.item): \(violation.message)")
        } else if let item = report.undecided.first {
            fail(.correctness, "I3: the history of \(item) could not be decided")
        }
        guard failure == nil, let prober = clients.indices.last else { return }
        let final = history.operations.filter { $0.process == prober && $0.call == .read }
        let shown = final.compactMap { operation -> (object: String, item: String, shows: Observation)? in
            guard case .answered(let observation, _) = operation.outcome else { return nil }
            return (operation.object, operation.item, observation)
        }
        let complaints = ExactlyOnce.check(history, final: shown)
        if let complaint = complaints.first {
            fail(.correctness, "I2: \(complaint.object)/\(complaint.item): \(complaint.message)")
        }
    }

    /// O11: an edge that runs answers what it has taken within the deadline.
    func audit() {
        schedule(.audit, afterNs: 500_000_000)
        // By the slowest clock.
        let slowest = 1_000_000 - 3 * plan.driftMaxPpm.magnitude
        let limitNs = (plan.settings.requestDeadlineMs * 1_000_000 / slowest + 1_500) * 1_000_000
        for machine in machines.indices where machines[machine].standstill == nil {
            guard let process = machines[machine].process, machines[machine].turnDelayNs == 0 else {
                continue
            }
            for owed in process.owed where nowNs > owed.takenNs + limitNs + process.pausedNs {
                fail(
                    .liveness,
                    "O11: \(process.identity.name) has owed an answer for \((nowNs - owed.takenNs) / 1_000_000) ms"
                )
            }
        }
    }
}
