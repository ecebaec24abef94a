import Storage

/// Counts the steps that one machine does with its disk, and ends the machine at one of them.
struct CrashWalk {
    /// What a disk does. A crash comes right after it; what was not durable then is gone.
    enum Step: Hashable {
        /// Records wait for the journal.
        case queued
        /// A sync is under way, of which so many writes, new segments and removals got through, in their order.
        case written(stepsKept: Int)
        /// The sync has returned; nobody knows yet.
        case synced
        /// The store carries out a transaction, a slice, or something with the file of a snapshot; no commit yet.
        case begun
        /// The store has committed; nobody knows yet.
        case committed
    }

    let machine: Int
    /// Counted from 0; nil: nothing happens.
    let fatalStep: Int?
    var isCounting = false
    private(set) var count = 0

    init(machine: Int, fatalStep: Int?) {
        self.machine = machine
        self.fatalStep = fatalStep
    }

    /// True at the step at which the machine dies.
    mutating func take(_ machine: Int) -> Bool {
        guard isCounting, machine == self.machine else { return false }
        defer { count += 1 }
        return count == fatalStep
    }
}

extension World {
    /// Whether the machine has died at this step. The caller does nothing more for the process.
    func dies(_ machine: Int, at step: CrashWalk.Step) -> Bool {
        guard crashWalk?.take(machine) == true else { return false }
        note("\(machines[machine].name) dies at a step of its disk: \(step)")
        let kept = if case .written(let count) = step { count } else { 0 }
        killWithParent(machine, crash: .cut(afterSteps: kept), restartAfterNs: 40_000_000)
        return true
    }
}
