import Cluster
import Placement

/// At the end: what the disks hold is whole, the same everywhere, and no more than it should be.
extension World {
    func checkStorage() {
        guard failure == nil else { return }
        // A lost replica that was replaced elsewhere is erased after that.
        wait(atMostNs: World.healLimitNs, for: "damage to leave the stores, which nobody made or nobody erased") {
            self.machines.allSatisfy { machine in
                machine.store.damagedShards.allSatisfy { self.damages[ShardID(rawValue: $0).homeNumber] != nil }
            }
        }
        compareDigests()
        wait(atMostNs: World.healLimitNs, for: "journals to need little") { self.machineWithLongJournal == nil }
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
