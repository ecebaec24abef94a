// LiveChecks: what a running cluster is checked with, from outside.
//
// `VerifyRun` makes a light load of its own through all nodes and checks what it is answered, a window at a time:
// `holdfast verify`. `DrillRun` has an owner killed under such a load and says what that cost: `holdfast drill`.
// Both speak through `HoldfastClient`, as programs do, and see nothing but answers and the admin API. The judgement
// is pure and stands in types of its own (`WindowCheck`, `OwnerBook`, `ClusterHealth`, `TakeoverWatch`, `Tally`); the
// checkers of histories are those of the simulator. The chaos runner shares its files of histories and its counts.
//
// A window ends when nothing is under way. Each item is read then, and what it shows is all that the next window needs
// to know of this one; so memory stays bounded however long a run lasts. An item with an open outcome, which may take
// effect at any later time, is left for a fresh one.

import NIOCore

/// Nanoseconds of a clock that no change of the wall clock moves.
func steadyNs() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

/// For what has to be tidied up whatever came out.
func caught<Value>(_ body: () async throws -> Value) async -> Result<Value, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
}

/// Sleeps until `ns` of `steadyNs`, or until `isOver`.
func sleep(untilNs ns: UInt64, unless isOver: @Sendable () -> Bool = { false }) async {
    while !isOver() {
        let now = steadyNs()
        guard now < ns else { return }
        try? await Task.sleep(nanoseconds: min(ns - now, 50_000_000))
    }
}
