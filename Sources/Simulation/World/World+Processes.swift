import Cluster
import ObjectRuntime
import Placement
import Raft
import Storage

/// How processes begin and end, stand still and go on, and what their parents say about it (O7).
extension World {
    func start(_ machine: Int) {
        machines[machine].isStartPlanned = false
        guard machines[machine].process == nil, machines[machine].isExpected else { return }
        machines[machine].hasParent = true
        machines[machine].generation += 1
        let recovered: RecoveredReplicas
        do {
            let found = try machines[machine].store.recover()
            let logs = try machines[machine].disk.recover(lostGroup: machines[machine].lostGroup)
            recovered = RecoveredReplicas(logs: logs, stored: found.stored, damaged: found.damaged)
            noticeLosses(machine, Set(found.damaged))
        } catch {
            return fail(.correctness, "O12: \(machines[machine].name) cannot read its own journal: \(error)")
        }
        let process = makeProcess(machine, recovered)
        machines[machine].process = process
        statistics.starts += 1
        note("\(process.identity.name) starts as run \(process.generation)")
        safety.restart(machine: machine, with: recovered.logs)
        for core in 0..<process.coreCount {
            let delayNs = random.below(plan.settings.tickMs * 1_000_000)
            schedule(.tick(machine: machine, generation: process.generation, core: core), afterNs: delayNs)
        }
        schedule(
            .linkRound(machine: machine, generation: process.generation),
            afterNs: 1_000_000 + random.below(UInt64(10_000_000)))
    }

    private func makeProcess(_ machine: Int, _ recovered: RecoveredReplicas) -> RunningProcess {
        let host = machines[machine]
        let identity = NodeIdentity(
            nodeID: host.nodeID, name: host.name, peerAddress: host.address,
            clientURL: "http://\(host.name)", nonce: random.next() | 1, version: "simulated")
        var settings = plan.settings
        settings.loops = host.loops
        let clocks = clocks(machine)
        let membership: Membership =
            machine == 0 && host.lives == 1
            ? .bootstrap(
                initialNodes: plan.founders ?? plan.machines, shards: plan.shards, leaseDurationMs: plan.leaseDurationMs)
            : .join(machines.filter { $0.isInService && $0.address != host.address }.map(\.address))
        let node = NodeCore(
            identity: identity, membership: membership, recovered: recovered.logs, settings: settings,
            seed: random.next(), now: clocks)
        let loops = (0..<host.loops).map { loop in
            LoopCore(
                loop: loop, identity: identity, recovered: recovered, settings: settings, seed: random.next(),
                store: MachineObjects(host.store))
        }
        return RunningProcess(
            machine: machine, generation: host.generation, identity: identity, node: node, loops: loops,
            machineCount: machines.count)
    }

    /// The process asks to end (O6, or a finished shutdown).
    func exit(_ process: RunningProcess, _ reason: ExitReason) {
        note("\(process.identity.name) exits: \(reason)")
        if case .refused(let text) = reason { statistics.refusals.append(text) }
        end(process, crash: .process)
    }

    /// The process is gone. Its parent, if there is one, knows for certain, and starts the next.
    func end(_ process: RunningProcess, crash: MemoryJournal.Crash) {
        let machine = process.machine
        guard isAlive(process) else { return }
        statistics.storage.add(process)
        machines[machine].process = nil
        if machines[machine].standstill == .suspended { machines[machine].clock.wake(trueNs: nowNs) }
        machines[machine].standstill = nil
        machines[machine].deferred = []
        machines[machine].disk.crash(crash, &random)
        machines[machine].store.crash(crash)
        if machines[machine].hasParent {
            machines[machine].unburied.append(
                Obituary(node: process.identity.nodeID, nonce: process.identity.nonce))
            planStart(machine, afterNs: 20_000_000 + random.exponential(meanNs: plan.restartMeanNs))
            speakForDead(machine, afterNs: 300_000 + random.exponential(meanNs: 2_000_000))
        }
        for other in machines.indices where machines[machine].hasParent && network.connects(machine, other) {
            guard let peer = machines[other].process, peer.links[machine] == process.generation else {
                continue
            }
            unlink(peer, machine)
        }
        for owed in process.owed { connectionLost(owed) }
        process.owed = []
        loseSockets(of: process, hasParent: machines[machine].hasParent)
    }

    func planStart(_ machine: Int, afterNs delayNs: UInt64) {
        guard !machines[machine].isStartPlanned, machines[machine].isExpected else { return }
        machines[machine].isStartPlanned = true
        schedule(.start(machine: machine), afterNs: delayNs)
    }

    func kill(_ machine: Int) {
        guard let process = machines[machine].process else { return }
        note("\(process.identity.name) is killed")
        end(process, crash: .process)
    }

    /// Parent and child die together: nobody tells, nobody restarts, until somebody comes along.
    func killWithParent(_ machine: Int, crash: MemoryJournal.Crash, restartAfterNs: UInt64) {
        note("\(machines[machine].name) dies with its parent (\(crash))")
        machines[machine].hasParent = false
        machines[machine].unburied = []
        if let process = machines[machine].process {
            end(process, crash: crash)
        }
        if crash != .process { machines[machine].clock.reboot(trueNs: nowNs) }
        machines[machine].isStartPlanned = false
        planStart(machine, afterNs: restartAfterNs)
    }

    func shutDown(_ machine: Int) {
        guard let process = machines[machine].process, !process.isDraining else { return }
        note("\(process.identity.name) is asked to shut down")
        process.isDraining = true
        sendAway(process)
        give(.shutdown, to: process)
    }

    // MARK: - Standing still

    func standStill(_ machine: Int, _ kind: Machine.Standstill) {
        guard machines[machine].process != nil, machines[machine].standstill == nil else { return }
        note("\(machines[machine].name) is \(kind)")
        machines[machine].standstill = kind
        machines[machine].stoodStillSinceNs = nowNs
        if kind == .suspended { machines[machine].clock.suspend(trueNs: nowNs) }
    }

    func goOn(_ machine: Int) {
        guard let kind = machines[machine].standstill else { return }
        note("\(machines[machine].name) goes on")
        machines[machine].standstill = nil
        if kind == .suspended { machines[machine].clock.wake(trueNs: nowNs) }
        let deferred = machines[machine].deferred
        machines[machine].deferred = []
        for event in deferred { schedule(event, afterNs: random.below(UInt64(50_000))) }
        guard let process = machines[machine].process else { return }
        process.pausedNs += nowNs - machines[machine].stoodStillSinceNs
        beginSync(process)
        beginStoring(process)
    }

    // MARK: - Parents

    private func speakForDead(_ machine: Int, afterNs delayNs: UInt64) {
        guard let obituary = machines[machine].unburied.last else { return }
        for other in machines.indices {
            schedule(.obituary(obituary, to: other), afterNs: delayNs + random.below(UInt64(1_000_000)))
        }
    }

    /// Every parent repeats what it knows, to every node, until it is told that the cluster knows (O7).
    func parentRound() {
        schedule(.parentRound, afterNs: 150_000_000)
        for machine in machines.indices where machines[machine].hasParent {
            guard machines[machine].standstill != .suspended else { continue }
            for obituary in machines[machine].unburied {
                for other in machines.indices where network.reaches(machine, other) {
                    schedule(
                        .obituary(obituary, to: other), afterNs: 100_000 + random.below(UInt64(3_000_000)))
                }
            }
        }
    }

    func deliver(_ obituary: Obituary, to machine: Int) {
        guard let author = machines.firstIndex(where: { $0.nodeID == obituary.node }),
            machines[author].hasParent, network.reaches(author, machine),
            let process = machines[machine].process
        else { return }
        trace.mix(obituary.nonce)
        give(.obituary(obituary), to: process)
    }

    func confirmBurial(_ obituary: Obituary, from machine: Int) {
        guard let author = machines.firstIndex(where: { $0.nodeID == obituary.node }),
            network.reaches(machine, author)
        else { return }
        schedule(.buried(obituary, parentOf: author), afterNs: 100_000)
    }
}
