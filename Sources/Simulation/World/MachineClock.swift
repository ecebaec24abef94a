import Cluster

/// The clocks of one machine, as functions of true time. Both monotonic clocks run at rates of their
/// own; the slewed one may be far off for a while, the raw one only as far as its oscillator drifts (O5).
struct MachineClock {
    private var baseTrueNs: UInt64
    private var baseBootNs: UInt64
    private var baseRawNs: UInt64
    private var baseSteadyNs: UInt64
    /// Parts per million above or below true time.
    private(set) var bootPpm: Int64
    private(set) var rawPpm: Int64
    private var wallOffsetMs: Int64
    private var isSuspended = false

    init(trueNs: UInt64, bootPpm: Int64, rawPpm: Int64, startNs: UInt64) {
        baseTrueNs = trueNs
        baseBootNs = startNs
        baseRawNs = startNs
        baseSteadyNs = startNs
        self.bootPpm = bootPpm
        self.rawPpm = rawPpm
        wallOffsetMs = 0
    }

    func now(trueNs: UInt64) -> Clocks {
        let passed = Int64(trueNs - baseTrueNs)
        let wallMs = Int64(MachineClock.epochMs + trueNs / 1_000_000) + wallOffsetMs
        let steadyNs = UInt64(passed * (1_000_000 + rawPpm) / 1_000_000)
        // How long a machine has slept is told by a clock that nobody slews.
        let bootPpm = isSuspended ? rawPpm : bootPpm
        return Clocks(
            bootNs: baseBootNs + UInt64(passed * (1_000_000 + bootPpm) / 1_000_000),
            rawNs: isSuspended ? baseRawNs : baseRawNs + steadyNs, steadyNs: baseSteadyNs + steadyNs,
            wallMs: UInt64(max(0, wallMs)))
    }

    /// Wall time at the beginning of a simulation: some Tuesday in 2026.
    private static let epochMs: UInt64 = 1_772_000_000_000

    mutating func setRates(bootPpm: Int64, rawPpm: Int64, trueNs: UInt64) {
        rebase(trueNs)
        self.bootPpm = bootPpm
        self.rawPpm = rawPpm
    }

    mutating func jumpWall(byMs offset: Int64) {
        wallOffsetMs += offset
    }

    /// CLOCK_MONOTONIC_RAW stands still while the machine sleeps, CLOCK_BOOTTIME goes on.
    mutating func suspend(trueNs: UInt64) {
        rebase(trueNs)
        isSuspended = true
    }

    mutating func wake(trueNs: UInt64) {
        rebase(trueNs)
        isSuspended = false
    }

    /// After power loss both clocks begin near zero again.
    mutating func reboot(trueNs: UInt64) {
        baseTrueNs = trueNs
        baseBootNs = 3_000_000_000
        baseRawNs = 3_000_000_000
        baseSteadyNs = 3_000_000_000
        isSuspended = false
    }

    private mutating func rebase(_ trueNs: UInt64) {
        let clocks = now(trueNs: trueNs)
        baseTrueNs = trueNs
        baseBootNs = clocks.bootNs
        baseRawNs = clocks.rawNs
        baseSteadyNs = clocks.steadyNs
    }
}
