import Cluster
import Placement
import Raft

/// Nodes that come into a cluster that works, and leave it for good.
extension World {
    static let departureRoundNs: UInt64 = 300_000_000

    /// A new machine, or one whose node was removed: a node that nobody knows yet.
    func addNode() {
        guard let machine = machines.indices.first(where: { !machines[$0].isInService }) else { return }
        note("\(machines[machine].name) is added")
        machines[machine].isInService = true
        planStart(machine, afterNs: 1_000_000)
    }

    /// Drained, and removed when it keeps nothing.
    func removeNode() {
        guard canSpareOne, !machines.contains(where: \.isLeaving) else { return }
        let machine = random.pick(machines.indices.filter { machines[$0].isInService })
        note("\(machines[machine].name) is to be removed")
        machines[machine].isLeaving = true
        schedule(.departure(machine: machine), afterNs: 0)
    }

    /// As an operator does it: asks again and again how far it is.
    func goOnLeaving(_ machine: Int) {
        let node = machines[machine].nodeID
        guard let state = newestView?.state, !state.registry.isRemoved(node) else { return retire(machine) }
        schedule(.departure(machine: machine), afterNs: World.departureRoundNs)
        guard let record = state.registry.record(of: node) else { return }
        if record.standing != .draining { return setStanding(.draining, of: node) }
        let keepsSomething = state.table.records.contains { $0.isMember(node) || $0.owner?.node == node }
        if !keepsSomething { proposeAsOperator(.removeNode(node)) }
    }

    /// The machine is switched off; the next node there is another one.
    private func retire(_ machine: Int) {
        guard newestView?.state != nil else {
            return schedule(.departure(machine: machine), afterNs: World.departureRoundNs)
        }
        note("\(machines[machine].name) is removed")
        machines[machine].isInService = false
        machines[machine].isLeaving = false
        machines[machine].hasParent = false
        machines[machine].unburied = []
        if let process = machines[machine].process { end(process, crash: .process) }
        giveNewDisk(machine)
    }

    func giveNewDisk(_ machine: Int) {
        safety.forgetDisk(of: machine)
        machines[machine].nodeID = NodeID(rawValue: random.next() | 1)
        machines[machine].lives += 1
        machines[machine].disk = MachineDisk(segmentBytes: plan.segmentBytes, seed: random.next())
        machines[machine].store = MachineStore()
        machines[machine].lostGroup = nil
    }
}
