import HoldfastClient

/// An event as a subscriber got it, or as the writer's answer names it.
struct SeenWrite: Hashable {
    var position: EventPosition
    var value: Int
}

/// What one subscriber has seen of the object's item, and how long it saw nothing.
struct EventLog {
    private(set) var writes: [SeenWrite] = []
    private(set) var gaps: [String] = []
    /// How many events had been seen when the subscriber was told that some may be missing: by a gap, or because the
    /// cluster had forgotten its connection.
    private(set) var breaks: [Int] = []
    private(set) var longestSilenceNs: UInt64 = 0
    private var lastNs: UInt64 = 0

    mutating func note(_ write: SeenWrite, atNs now: UInt64) {
        writes.append(write)
        if lastNs > 0 { longestSilenceNs = max(longestSilenceNs, now - lastNs) }
        lastNs = now
    }

    mutating func note(gap: String) {
        gaps.append(gap)
        noteBreak()
    }

    mutating func noteBreak() { breaks.append(writes.count) }

    /// From here on silence is measured anew; the one that lasts now counts from now.
    mutating func restartSilence(atNs now: UInt64) {
        longestSilenceNs = 0
        lastNs = now
    }
}

/// What is wrong with what the subscribers saw, held against what the writer was told.
struct EventAudit {
    private(set) var expected = 0
    private(set) var missed = 0
    private(set) var repeated = 0
    private(set) var outOfOrder = 0
    /// Events of writes that nobody made, or at another place than the answer said.
    private(set) var foreign = 0
    private(set) var gaps = 0
    private(set) var examples: [String] = []

    var isClean: Bool { missed + repeated + outOfOrder + foreign + gaps == 0 }

    /// Every acknowledged write's event exactly once, at the place that the answer named, in rising order.
    /// A write whose outcome stayed unknown may have an event or none.
    /// A latecomer is owed what comes after the first that it heard of.
    mutating func check(
        _ log: EventLog, of subscriber: String, isLate: Bool = false, acknowledged: [SeenWrite], unknown: Set<Int>
    ) {
        guard isLate else { return check(log, of: subscriber, owed: acknowledged, acknowledged, unknown) }
        guard let first = log.writes.first else { return fault(\.missed, "\(subscriber) heard nothing") }
        let owed = acknowledged.filter { $0.position >= first.position }
        check(log, of: subscriber, owed: owed, acknowledged, unknown)
    }

    private mutating func check(
        _ log: EventLog, of subscriber: String, owed: [SeenWrite], _ acknowledged: [SeenWrite], _ unknown: Set<Int>
    ) {
        expected += owed.count
        let places = Dictionary(acknowledged.map { ($0.value, $0.position) }, uniquingKeysWith: { first, _ in first })
        var seen: Set<Int> = []
        var last: EventPosition?
        for write in log.writes {
            if !seen.insert(write.value).inserted {
                fault(\.repeated, "\(subscriber) saw \(write.value) twice, at \(write.position) again")
            }
            if let last, !(last < write.position && last.epoch <= write.position.epoch) {
                fault(\.outOfOrder, "\(subscriber) saw \(write.position) behind \(last)")
            }
            last = write.position
            if places[write.value] != write.position, !(places[write.value] == nil && unknown.contains(write.value)) {
                let told = places[write.value].map { "the answer said \($0)" } ?? "nobody was told of it"
                fault(\.foreign, "\(subscriber) saw \(write.value) at \(write.position), \(told)")
            }
        }
        for write in owed where !seen.contains(write.value) {
            fault(\.missed, "\(subscriber) missed \(write.value) at \(write.position)")
        }
        for gap in log.gaps { fault(\.gaps, "\(subscriber) was told of a gap: \(gap)") }
    }

    private mutating func fault(_ count: WritableKeyPath<EventAudit, Int>, _ text: String) {
        self[keyPath: count] += 1
        if examples.count < 20 { examples.append(text) }
    }
}
