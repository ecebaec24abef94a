import Cluster
import Placement

/// At the end: what the disks hold is whole, the same everywhere, and no more than it should be.
extension World {
    func checkStorage() {
        guard failure == nil else { return }
        if let (machine, shard) = unexplainedDamages.first(where: { holdsLog(of: $1, at: $0) }) {
            fail(
                .correctness,
                "the store of \(machines[machine].name) has damage in shard \(shard), and nothing damaged it")
        }
        // A lost replica that was replaced elsewhere is erased after that.
        wait(atMostNs: World.healLimitNs, for: "damaged shards that are kept no more to be erased") {
            self.unexplainedDamages.isEmpty
        }
        compareDigests()
        wait(atMostNs: World.healLimitNs, for: "journals to need little") { self.machineWithLongJournal == nil }
    }

    /// Damage that no fault of this run accounts for any more: what it made has been replaced.
    private var unexplainedDamages: [(machine: Int, shard: ShardID)] {
        machines.indices.flatMap { machine in
            machines[machine].store.damagedShards.map { (machine, ShardID(rawValue: $0)) }
        }.filter { damages[$0.1.homeNumber] == nil }
    }

    private func holdsLog(of shard: ShardID, at machine: Int) -> Bool {
        inspections(of: shard).contains { $0.machine == machine && $0.shard.holdsLog }
    }

    /// Equal objects at the same index have the same digest.
    private func compareDigests() {
        for record in newestView?.state?.table.records ?? [] {
            var digests: [UInt64: (digest: UInt64, name: String)] = [:]
            for machine in machines {
                guard let head = machine.store.head(of: record.shard), record.isMember(machine.nodeID) else { continue }
                if let other = digests[head.index], other.digest != head.digest {
                    fail(
                        .correctness, "the stores of \(machine.name) and \(other.name) have shard "
                            + "\(record.shard.rawValue) at index \(head.index), and its digests differ")
                }
                digests[head.index] = (head.digest, machine.name)
            }
        }
    }

    /// Segments go when the journal moves on; here it is whether something still needs them.
    private var machineWithLongJournal: Int? {
        machines.indices.first { !machines[$0].disk.pressure(aboveBytes: plan.journalBytes).isEmpty }
    }
}
