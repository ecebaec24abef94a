import Cluster
import ObjectRuntime
import Placement
import Raft

/// What each kind of fault does to the world.
extension World {
    func inject(_ event: FaultEvent) {
        guard faults.isOn else { return }
        let misfortune = faults.next()
        schedule(.fault(.next), afterNs: faults.nextDelayNs())
        if let misfortune, plan.faults.happens(misfortune) { inject(misfortune) }
    }

    /// With chance of its own: it hits the same machines for as long, whatever happened before.
    private func inject(_ misfortune: Misfortune) {
        statistics.misfortunes += 1
        trace.mix(UInt64(misfortune.number))
        note("misfortune \(misfortune.number): \(misfortune.kind.rawValue)")
        let own = random
        random = misfortune.random
        inject(misfortune.kind)
        random = own
    }

    private func inject(_ kind: FaultInjector.Kind) {
        switch kind {
        case .kill, .killOwner, .killLeader, .killLeaderAndOwner, .killWithParent, .killOwnerWithParent,
            .restartAll, .shutDown, .loseLog, .damageStore, .wipeDisk:
            injectDeath(kind)
        case .pause, .pauseOwner, .suspend: injectStandstill(kind)
        case .isolate, .isolateOwner, .isolateLeader, .cutPair, .cutOneWay, .partialMesh, .cutOwnerFromLeader,
            .lateFence,
            .flapLinks, .slowLink, .clogLink:
            injectCut(kind)
        case .slowDisk, .stallDisk, .fullDisk, .slowTurns: injectSlowness(kind)
        case .jumpWall, .slewClock, .driftClock: injectClockFault(kind)
        case .changeLease: changeLease()
        case .planSplit, .planMerge, .drainNode, .orderMove: injectGrowth(kind)
        case .addNode: addNode()
        case .removeNode: removeNode()
        }
    }

    // MARK: - Whom it hits

    private var downCount: Int {
        machines.count { $0.isInService && ($0.process == nil || $0.standstill != nil) }
    }

    private func isUp(_ machine: Int) -> Bool {
        machines[machine].process != nil && machines[machine].standstill == nil
    }

    private func victim() -> Int? {
        guard downCount < faults.plan.downMax else { return nil }
        let machine = random.below(machines.count)
        return isUp(machine) ? machine : nil
    }

    private func ownerVictim() -> Int? {
        guard downCount < faults.plan.downMax,
            let owner = machineOfOwner(ofObject: random.below(plan.workload.hotObjects)),
            isUp(owner)
        else { return nil }
        return owner
    }

    /// The newest placement state that any process has.
    var newestView: ClusterView? {
        let views = machines.compactMap { $0.process?.view }
        return views.max { $0.index < $1.index }
    }

    func shard(ofObject object: Int) -> ShardID? {
        shard(named: workload.objects[object].name)
    }

    func objectID(named name: String) -> ObjectID? {
        newestView?.state.map {
            ObjectID(project: "p", objectClass: "c", id: name, hashKey: $0.genesis.hashKey)
        }
    }

    func shard(named name: String) -> ShardID? {
        guard let table = newestView?.state?.table, let id = objectID(named: name) else { return nil }
        return table.shard(forKey: id.key.rawValue).shard
    }

    func machineOfOwner(ofObject object: Int) -> Int? {
        guard let shard = shard(ofObject: object),
            let owner = newestView?.state?.table.record(of: shard)?.owner
        else { return nil }
        return machines.firstIndex { $0.nodeID == owner.node }
    }

    func machineOfPlacementLeader() -> Int? {
        guard let leader = newestView?.leader else { return nil }
        return machines.firstIndex { $0.nodeID == leader }
    }

    // MARK: - Deaths

    private func injectDeath(_ kind: FaultInjector.Kind) {
        switch kind {
        case .kill: if let victim = victim() { kill(victim) }
        case .killOwner: if let owner = ownerVictim() { kill(owner) }
        case .killLeader:
            if downCount < faults.plan.downMax, let leader = machineOfPlacementLeader() { kill(leader) }
        case .killLeaderAndOwner:
            guard downCount == 0, let owner = ownerVictim() else { return }
            kill(owner)
            if let leader = machineOfPlacementLeader(), leader != owner { kill(leader) }
        case .killWithParent: if let victim = victim() { cutPower(victim) }
        case .killOwnerWithParent: if let owner = ownerVictim() { cutPower(owner) }
        case .restartAll: restartAll()
        case .shutDown: if let victim = victim() { shutDown(victim) }
        case .loseLog: if let victim = victim() { loseLog(victim) }
        case .damageStore: damageStore(random.below(machines.count))
        case .wipeDisk: if let victim = victim() { wipeDisk(victim) }
        default: break
        }
    }

    private func cutPower(_ machine: Int) {
        killWithParent(
            machine, crash: random.chance(0.7) ? .power : .process,
            restartAfterNs: 200_000_000 + random.exponential(meanNs: 1_500_000_000))
    }

    func restartAll() {
        let isPowerCut = random.chance(0.5)
        for machine in machines.indices where machines[machine].isInService {
            if isPowerCut {
                killWithParent(
                    machine, crash: .power,
                    restartAfterNs: 50_000_000 + random.exponential(meanNs: 200_000_000))
            } else {
                kill(machine)
            }
        }
    }

    // MARK: - Standing still

    private func injectStandstill(_ kind: FaultInjector.Kind) {
        let chosen = kind == .pauseOwner ? ownerVictim() : victim()
        guard let machine = chosen else { return }
        standStill(machine, kind == .suspend ? .suspended : .paused)
        // Around the length of a lease, where it matters most, or any other.
        let leaseNs = plan.leaseDurationMs * 1_000_000
        let lastsNs =
            random.chance(0.6)
            ? leaseNs / 2 + random.below(2 * leaseNs) : random.exponential(meanNs: 400_000_000)
        schedule(.endOfFault(.standstill(machine: machine)), afterNs: lastsNs)
    }

    // MARK: - Cuts

    private func injectCut(_ kind: FaultInjector.Kind) {
        var ways: [(from: Int, to: Int)] = []
        let one = random.below(machines.count)
        let other = (one + 1 + random.below(machines.count - 1)) % machines.count
        switch kind {
        case .isolate: ways = waysAround(one)
        case .isolateOwner:
            ways = machineOfOwner(ofObject: random.below(plan.workload.hotObjects)).map(waysAround) ?? []
        case .isolateLeader: return isolateLeader()
        case .cutPair: ways = [(one, other), (other, one)]
        case .cutOneWay: ways = [(one, other)]
        case .partialMesh:
            for from in machines.indices {
                for to in machines.indices where from != to && random.chance(0.3) { ways.append((from, to)) }
            }
        case .cutOwnerFromLeader:
            guard let leader = machineOfPlacementLeader(), let owner = machineOfOwner(ofObject: 0),
                leader != owner
            else { return }
            ways = [(owner, leader), (leader, owner)]
        case .lateFence: return fenceLate()
        case .flapLinks: return flapLinks(one)
        case .slowLink: return slowDown(from: one, to: other)
        case .clogLink:
            return network.clog(from: one, to: other, untilNs: nowNs + random.exponential(meanNs: 1_000_000_000))
        default: return
        }
        for way in ways { network.setCut(from: way.from, to: way.to, true) }
        schedule(.endOfFault(.cuts(ways)), afterNs: 50_000_000 + random.exponential(meanNs: 1_500_000_000))
    }

    /// The failure table's "fence proposed by a leader that is cut off": the owner loses only the leader, which
    /// dies about when it gives the owner up, so that its successor finds the fence in its log.
    private func fenceLate() {
        guard let leader = machineOfPlacementLeader(), let owner = ownerVictim(), leader != owner else {
            return
        }
        for (from, to) in [(owner, leader), (leader, owner)] { network.setCut(from: from, to: to, true) }
        let leaseNs = plan.leaseDurationMs * 1_000_000
        schedule(
            .endOfFault(.lateFence(owner: owner, leader: leader)),
            afterNs: leaseNs * 3 / 4 + random.below(leaseNs * 2 / 5))
    }

    private func endLateFence(owner: Int, leader: Int) {
        for (from, to) in [(owner, leader), (leader, owner)] { network.setCut(from: from, to: to, false) }
        guard faults.isOn else { return }
        machines[owner].syncDelayNs = 60_000_000
        schedule(.endOfFault(.slowness(machine: owner)), afterNs: 1_000_000_000)
        if downCount < faults.plan.downMax { kill(leader) }
    }

    /// Long enough for another leader to be elected and to fence whom the old one may still grant leases.
    private func isolateLeader() {
        let ways = machineOfPlacementLeader().map(waysAround) ?? []
        for way in ways { network.setCut(from: way.from, to: way.to, true) }
        schedule(.endOfFault(.cuts(ways)), afterNs: plan.leaseDurationMs * 2_000_000 + 800_000_000)
    }

    func waysAround(_ machine: Int) -> [(from: Int, to: Int)] {
        machines.indices.filter { $0 != machine }.flatMap {
            [(from: machine, to: $0), (from: $0, to: machine)]
        }
    }

    private func flapLinks(_ machine: Int) {
        guard let process = machines[machine].process else { return }
        for other in machines.indices where other != machine {
            unlink(process, other)
            if let peer = machines[other].process { unlink(peer, machine) }
        }
    }

    private func slowDown(from: Int, to: Int) {
        network.setExtraDelay(from: from, to: to, ns: 5_000_000 + random.below(UInt64(400_000_000)))
        schedule(
            .endOfFault(.slowLink(from: from, to: to)), afterNs: random.exponential(meanNs: 1_500_000_000))
    }

    // MARK: - Slowness, clocks, settings

    private func injectSlowness(_ kind: FaultInjector.Kind) {
        let machine = random.below(machines.count)
        switch kind {
        case .slowDisk: machines[machine].syncDelayNs = random.pick([5_000_000, 50_000_000])
        case .stallDisk: machines[machine].syncDelayNs = 1_000_000_000
        case .slowTurns: machines[machine].turnDelayNs = random.pick([1_000_000, 20_000_000])
        case .fullDisk:
            guard downCount < faults.plan.downMax else { return }
            fillDisk(machine)
            schedule(
                .endOfFault(.fullDisk(machine: machine)),
                afterNs: 50_000_000 + random.exponential(meanNs: 1_000_000_000))
            return
        default: return
        }
        schedule(.endOfFault(.slowness(machine: machine)), afterNs: random.exponential(meanNs: 1_500_000_000))
    }

    private func injectClockFault(_ kind: FaultInjector.Kind) {
        let machine = random.below(machines.count)
        let clock = machines[machine].clock
        switch kind {
        case .jumpWall:
            machines[machine].clock.jumpWall(byMs: Int64(random.below(20_000_000)) - 10_000_000)
        case .slewClock:
            // A time daemon may slew CLOCK_BOOTTIME by a tenth; the raw clock is never slewed (O5).
            machines[machine].clock.setRates(
                bootPpm: random.pick([-100_000, 80_000, 100_000]), rawPpm: clock.rawPpm, trueNs: nowNs)
            schedule(
                .endOfFault(.clock(machine: machine)), afterNs: random.exponential(meanNs: 4_000_000_000))
        case .driftClock:
            let ppm = random.pick([-plan.driftMaxPpm, plan.driftMaxPpm])
            machines[machine].clock.setRates(bootPpm: ppm, rawPpm: ppm, trueNs: nowNs)
        default: break
        }
    }

    private func changeLease() {
        guard let process = machines[random.below(machines.count)].process else { return }
        let milliseconds: UInt64 = random.pick([300, 600, 1_200, 2_000])
        give(.propose(nextToken(), .setLeaseDuration(milliseconds: milliseconds)), to: process)
    }

    // MARK: - Ends

    func endFault(_ end: FaultEnd) {
        switch end {
        case .standstill(let machine): goOn(machine)
        case .cuts(let ways): for way in ways { network.setCut(from: way.from, to: way.to, false) }
        case .slowness(let machine):
            machines[machine].syncDelayNs = 0
            machines[machine].turnDelayNs = 0
        case .fullDisk(let machine): makeRoom(machine)
        case .slowLink(let from, let to): network.setExtraDelay(from: from, to: to, ns: 0)
        case .drain(let node): endDrain(of: node)
        case .lateFence(let owner, let leader): endLateFence(owner: owner, leader: leader)
        case .clock(let machine):
            let drift = plan.driftPpm[machine]
            machines[machine].clock.setRates(bootPpm: drift, rawPpm: drift, trueNs: nowNs)
        }
    }

    private func fillDisk(_ machine: Int) {
        machines[machine].disk.isFull = true
        machines[machine].store.isFull = true
    }

    /// A full disk has room again: what has waited is written.
    func makeRoom(_ machine: Int) {
        machines[machine].disk.isFull = false
        machines[machine].store.isFull = false
        if let process = machines[machine].process { beginSync(process) }
    }

    /// All faults are over: what is down comes back, what is cut is mended.
    func heal() {
        note("all faults are over")
        faults.isOn = false
        network.healAll()
        network.quality = VirtualNetwork.Quality()
        for machine in machines where machine.isInService && !machine.isLeaving {
            endDrain(of: machine.nodeID)
        }
        findDamage()
        for machine in machines.indices {
            goOn(machine)
            makeRoom(machine)
            for end in [FaultEnd.slowness(machine: machine), .clock(machine: machine)] { endFault(end) }
            if machines[machine].process == nil, machines[machine].isExpected {
                planStart(machine, afterNs: random.below(UInt64(200_000_000)))
            }
        }
    }
}
