/// How messages fare between machines: delays, losses, copies, cuts. Knows nothing of what they say.
struct VirtualNetwork {
    /// What the weather is like. Drawn per run, worse for a while under faults.
    struct Quality: Equatable {
        var minimumDelayNs: UInt64 = 50_000
        var meanExtraDelayNs: UInt64 = 100_000
        var dropChance = 0.0
        var duplicateChance = 0.0
        /// Messages of one sender may overtake each other.
        var reorders = false
        /// Now and then a message takes so much longer.
        var stragglerChance = 0.0
        var stragglerDelayNs: UInt64 = 50_000_000
    }

    let machineCount: Int
    var quality = Quality()
    private var cuts: [Bool]
    private var lastArrivalNs: [UInt64]
    private var extraDelayNs: [UInt64]
    private var clogUntilNs: [UInt64]

    init(machineCount: Int) {
        self.machineCount = machineCount
        cuts = [Bool](repeating: false, count: machineCount * machineCount)
        lastArrivalNs = [UInt64](repeating: 0, count: machineCount * machineCount)
        extraDelayNs = [UInt64](repeating: 0, count: machineCount * machineCount)
        clogUntilNs = extraDelayNs
    }

    private func way(_ from: Int, _ to: Int) -> Int { from * machineCount + to }

    /// Whether messages from one machine reach the other.
    func reaches(_ from: Int, _ to: Int) -> Bool { from == to || !cuts[way(from, to)] }

    /// Whether a connection between them can live: it needs both ways.
    func connects(_ one: Int, _ other: Int) -> Bool { reaches(one, other) && reaches(other, one) }

    mutating func setCut(from: Int, to: Int, _ isCut: Bool) { cuts[way(from, to)] = isCut }

    mutating func setExtraDelay(from: Int, to: Int, ns: UInt64) { extraDelayNs[way(from, to)] = ns }

    /// Until then nothing arrives that is sent from now on, and then all of it at once.
    mutating func clog(from: Int, to: Int, untilNs: UInt64) { clogUntilNs[way(from, to)] = untilNs }

    mutating func healAll() {
        for position in cuts.indices {
            cuts[position] = false
            extraDelayNs[position] = 0
            clogUntilNs[position] = 0
        }
    }

    /// When the message arrives; nothing if it is lost, two times if it is copied.
    mutating func arrivals(from: Int, to: Int, nowNs: UInt64, _ random: inout SeededGenerator) -> [UInt64] {
        guard reaches(from, to) else { return [] }
        if random.chance(quality.dropChance) { return [] }
        var times = [arrival(from: from, to: to, nowNs: nowNs, &random)]
        if random.chance(quality.duplicateChance) {
            times.append(times[0] + quality.minimumDelayNs + random.exponential(meanNs: 5_000_000))
        }
        return times
    }

    private mutating func arrival(
        from: Int, to: Int, nowNs: UInt64, _ random: inout SeededGenerator
    ) -> UInt64 {
        let place = way(from, to)
        var time = nowNs + quality.minimumDelayNs + random.exponential(meanNs: quality.meanExtraDelayNs)
        time = max(time + extraDelayNs[place], clogUntilNs[place])
        if random.chance(quality.stragglerChance) {
            time += random.exponential(meanNs: quality.stragglerDelayNs)
        }
        if !quality.reorders {
            time = max(time, lastArrivalNs[place] + 1)
            lastArrivalNs[place] = time
        }
        return time
    }
}
