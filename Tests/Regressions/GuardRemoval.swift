#if PLANTED_BUGS
import Binary
import Glibc

/// Leaves out the guard that `HOLDFAST_WITHOUT` names, as `scripts/regressions-can-fail` asks for it: one of
/// `RemovedGuard`, or one of the planted bugs, where that is the same mistake.
enum GuardRemoval {
    static let isDone: Bool = {
        guard let text = getenv("HOLDFAST_WITHOUT") else { return true }
        let name = String(cString: text)
        RemovedGuard.active = RemovedGuard(rawValue: name)
        PlantedBug.active = PlantedBug(rawValue: name)
        precondition(RemovedGuard.active != nil || PlantedBug.active != nil, "no guard is called \(name)")
        return true
    }()
}
#endif

/// Each suite calls it before its tests. Does nothing in a normal build.
func prepareRegression() {
    #if PLANTED_BUGS
    _ = GuardRemoval.isDone
    #endif
}
