import Cluster
import ObjectRuntime
import Placement
import Raft

/// A replica that has lost something for good. By the shard's home: what is damaged may become another shard's.
struct Damage {
    var machine: Int
    /// The machine's node knows of it.
    var isNoticed = false
}

/// A shard, by its home, has its replicas again; the machine's disk may keep what was damaged for as long as it is down,
/// or full, and find it once more at its next start.
struct ReplacedDamage: Hashable {
    var home: UInt16
    var machine: Int
}

/// Disks that lose what they had (O9): a log, an object of the store, or everything. The world sees to it that at most
/// one replica of a shard is concerned at a time; more than that no cluster is built to bear.
extension World {
    /// Damage to one log: the machine comes back without it.
    func loseLog(_ machine: Int) {
        guard let records = newestView?.state?.table.records else { return }
        let shard = random.pick(records).shard
        guard machines[machine].lostGroup == nil, mayLose(shard, at: machine) else { return }
        loseLog(of: shard, machine: machine)
    }

    func loseLog(of shard: ShardID, machine: Int) {
        note("\(machines[machine].name) loses its log of shard \(shard)")
        damages[shard.homeNumber] = Damage(machine: machine)
        machines[machine].lostGroup = GroupID.shard(shard)
        killWithParent(
            machine, crash: .process, restartAfterNs: 100_000_000 + random.exponential(meanNs: 300_000_000))
        safety.loseLog(.shard(shard), machine: machine)
    }

    /// A bit of some object flips. It is found when the object is read, or at the next start; or never, if the object
    /// is written anew.
    func damageStore(_ machine: Int) {
        guard let shards = newestView?.state?.table.records.map(\.shard) else { return }
        let shard = random.pick(shards)
        guard mayLose(shard, at: machine), machines[machine].store.damage(shard, using: &random) else { return }
        note("a bit flips in shard \(shard) at \(machines[machine].name)")
        damages[shard.homeNumber] = Damage(machine: machine)
    }

    /// The machine gets a new disk: another node, under the same name and address.
    func wipeDisk(_ machine: Int) {
        let node = machines[machine].nodeID
        guard isWhole, placementBears(lossOf: node), let records = newestView?.state?.table.records else { return }
        note("\(machines[machine].name) gets an empty disk")
        killWithParent(
            machine, crash: .power, restartAfterNs: 200_000_000 + random.exponential(meanNs: 500_000_000))
        for record in records where record.isMember(node) {
            damages[record.shard.homeNumber] = Damage(machine: machine, isNoticed: true)
        }
        giveNewDisk(machine)
        statistics.storage.wipes += 1
    }

    /// After the faults: what nobody has read is found by a new start, so that it is replaced.
    func findDamage() {
        settleDamages()
        for home in damages.keys.sorted() {
            guard let damage = damages[home], !damage.isNoticed else { continue }
            kill(damage.machine)
        }
    }

    // MARK: - What may still be lost

    private func mayLose(_ shard: ShardID, at machine: Int) -> Bool {
        settleDamages()
        guard damages[shard.homeNumber] == nil, let record = newestView?.state?.table.record(of: shard) else {
            return false
        }
        return record.isMember(machines[machine].nodeID) && isWhole(record)
    }

    /// No change of the placement group is under way, and its other voters are up and a majority.
    private func placementBears(lossOf node: NodeID) -> Bool {
        let configurations = machines.compactMap { machine in
            machine.process?.node.placementConfiguration.map { (node: machine.nodeID, configuration: $0) }
        }
        guard let present = configurations.first(where: { $0.configuration.isVoter($0.node) })?.configuration else {
            return false
        }
        let others = present.voters.filter { $0 != node }
        let isAgreed = others.allSatisfy { other in
            configurations.contains { $0.node == other && $0.configuration == present }
        }
        return isAgreed && !present.isJoint && others.count > present.voters.count / 2
    }

    /// Every shard has all its replicas, at machines as they are now, and none of them is on its way.
    var isWhole: Bool {
        settleDamages()
        guard damages.isEmpty, let state = newestView?.state else { return false }
        return state.table.records.allSatisfy(isWhole)
    }

    private func isWhole(_ record: ShardRecord) -> Bool {
        let set = record.replicaSet
        guard record.lost.isEmpty, !set.isJoint, set.learners.isEmpty,
            set.voters.count == min(3, plan.machines)
        else { return false }
        let replicas = inspections(of: record.shard).filter { $0.shard.holdsLog }
        return set.voters.allSatisfy { node in
            replicas.contains { machines[$0.machine].nodeID == node && $0.shard.commit > .zero }
        }
    }

    /// What was replaced, or written over before anybody saw it, is whole again.
    private func settleDamages() {
        guard let records = newestView?.state?.table.records else { return }
        for home in damages.keys.sorted() {
            guard let damage = damages[home] else { continue }
            let isOver =
                damage.isNoticed
                ? records.allSatisfy { $0.shard.homeNumber != home || isWhole($0) }
                : machines[damage.machine].lostGroup?.shard?.homeNumber != home
                    && !machines[damage.machine].store.damagedShards.contains {
                        ShardID(rawValue: $0).homeNumber == home
                    }
            guard isOver else { continue }
            if damage.isNoticed { replacedDamages.insert(ReplacedDamage(home: home, machine: damage.machine)) }
            damages[home] = nil
        }
        replacedDamages = replacedDamages.filter { !isGone($0) }
    }

    /// The machine has a whole replica of the shard again: if that is lost, something has damaged it.
    private func isGone(_ replaced: ReplacedDamage) -> Bool {
        let machine = machines[replaced.machine]
        let homes = machine.store.damagedShards.map { ShardID(rawValue: $0).homeNumber }
        guard machine.lostGroup?.shard?.homeNumber != replaced.home, !homes.contains(replaced.home) else { return false }
        let shards = newestView?.state?.table.records.map(\.shard).filter { $0.homeNumber == replaced.home } ?? []
        return shards.contains { shard in
            inspections(of: shard).contains { $0.machine == replaced.machine && $0.shard.holdsLog }
        }
    }

    // MARK: - What is found

    func noticeLoss(of shard: ShardID, _ machine: Int) {
        statistics.storage.losses += 1
        if damages[shard.homeNumber]?.machine == machine {
            damages[shard.homeNumber]?.isNoticed = true
        } else if !replacedDamages.contains(ReplacedDamage(home: shard.homeNumber, machine: machine)) {
            fail(.correctness, "O9: \(machines[machine].name) has lost shard \(shard), and nothing damaged it")
        }
    }

    /// At a start. A log that was lost is remembered from now on by the disk itself.
    func noticeLosses(_ machine: Int, _ damaged: Set<ShardID>) {
        for shard in damaged.sorted() where damages[shard.homeNumber]?.isNoticed != true {
            noticeLoss(of: shard, machine)
        }
        guard let shard = machines[machine].lostGroup?.shard else { return }
        if damages[shard.homeNumber]?.isNoticed != true { noticeLoss(of: shard, machine) }
        forgetRecordedLoss(machine)
    }

    /// Also after each sync: a disk that was full at the start takes the record later.
    func forgetRecordedLoss(_ machine: Int) {
        if machines[machine].disk.isWritten { machines[machine].lostGroup = nil }
    }
}
