import Cluster
import ObjectRuntime
import Placement

/// Objects that are written once, with items that live for a short time, and never touched again. Nobody but the
/// rounds of expiry can make them go.
extension World {
    static let mortalsMax = 40

    func startMortals() {
        if plan.mortalMeanNs > 0 { schedule(.mortal, afterNs: random.exponential(meanNs: plan.mortalMeanNs)) }
    }

    /// Somebody writes one more. What comes of it does not matter.
    func makeMortal() {
        guard isLoadOn, mortals.count < World.mortalsMax else { return }
        schedule(.mortal, afterNs: random.exponential(meanNs: plan.mortalMeanNs))
        guard let process = machines[random.below(machines.count)].process else { return }
        let name = "mortal\(mortals.count)"
        mortals.append(name)
        let token = nextToken()
        mortalRequests.insert(token)
        let write = ItemWrite(
            name: ItemName("breath"), value: Array("1".utf8),
            options: WriteOptions(ttlMs: 200 + UInt64(random.below(2_000))))
        let request = ClientRequest(
            project: "p", objectClass: "c", objectID: name, operation: .setItem(write), idempotency: nil)
        give(.request(token, request), to: process, loop: random.below(process.loops.count))
    }

    /// A mortal that some replica still has. Wall clocks that jump make some of them live for hours.
    var livingMortal: String? {
        guard !plan.faults.kinds.contains(.jumpWall), let state = newestView?.state else { return nil }
        return mortals.first { name in
            guard let id = objectID(named: name) else { return false }
            let shard = state.table.shard(forKey: id.key.rawValue).shard
            return machines.contains { machine in
                machine.process?.loops.contains { $0.holds(ItemName("breath"), of: id, in: shard) } ?? false
            }
        }
    }
}
