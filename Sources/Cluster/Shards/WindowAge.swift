/// How old the window of operation ids is at a serving owner (O10): what the log said when this owner
/// began to serve, and the time since on its raw clock. A wall clock has no say, since one that jumps
/// forward would drop client keys early. Time between owners is not counted: keys are then kept longer.
struct WindowAge: Equatable {
    private let ageMs: UInt64
    private let sinceNs: UInt64

    init(ageMs: UInt64, since now: Clocks) {
        self.ageMs = ageMs
        sinceNs = now.rawNs
    }

    func reached(_ now: Clocks) -> UInt64 {
        ageMs &+ (max(now.rawNs, sinceNs) - sinceNs) / 1_000_000
    }
}
