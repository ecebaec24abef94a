import HoldfastClient

/// Every acknowledged write is heard once by every subscriber, at the place that its answer named, and places rise.
/// What lies where a subscriber was told that something may be missing may be missing.
enum EventStreamCheck {
    static func check(_ transcript: Transcript) -> CheckVerdict {
        let places = Dictionary(
            transcript.acknowledged.map { ($0.value, $0.position) }, uniquingKeysWith: { first, _ in first })
        let unknown = Set(transcript.unknown)
        var faults: [String] = []
        for hearing in transcript.hearings {
            faults += order(hearing)
            faults += foreign(hearing, places, unknown)
            faults += missed(hearing, transcript.acknowledged)
        }
        let heard = transcript.hearings.reduce(0) { $0 + $1.writes.count }
        let breaks = transcript.hearings.reduce(0) { $0 + $1.breaks.count }
        return CheckVerdict(
            "events", faults: faults,
            detail: "\(heard) events at \(transcript.hearings.count) subscribers, \(breaks) told gaps")
    }

    private static func order(_ hearing: Hearing) -> [String] {
        var faults: [String] = []
        var seen: Set<Int> = []
        for (before, write) in zip([nil] + hearing.writes.map(Optional.init), hearing.writes) {
            if !seen.insert(write.value).inserted { faults.append("\(hearing.name) heard \(write.value) twice") }
            if let before, before.position >= write.position {
                faults.append("\(hearing.name) heard \(write.position) behind \(before.position)")
            }
        }
        return faults
    }

    private static func foreign(
        _ hearing: Hearing, _ places: [Int: EventPosition], _ unknown: Set<Int>
    ) -> [String] {
        hearing.writes.compactMap { write in
            if let place = places[write.value] {
                return place == write.position
                    ? nil : "\(hearing.name) heard \(write.value) at \(write.position), its answer said \(place)"
            }
            return unknown.contains(write.value) ? nil : "\(hearing.name) heard \(write.value), which nobody wrote"
        }
    }

    private static func missed(_ hearing: Hearing, _ acknowledged: [SeenWrite]) -> [String] {
        let seen = Set(hearing.writes.map(\.value))
        return acknowledged.compactMap { write in
            seen.contains(write.value) || isExcused(write.position, hearing)
                ? nil : "\(hearing.name) missed \(write.value) at \(write.position)"
        }
    }

    /// It lies between the last event before a break and the first behind it.
    private static func isExcused(_ position: EventPosition, _ hearing: Hearing) -> Bool {
        hearing.breaks.contains { count in
            let before = count > 0 ? hearing.writes[min(count, hearing.writes.count) - 1].position : nil
            let after = count < hearing.writes.count ? hearing.writes[count].position : nil
            return (before.map { $0 < position } ?? true) && (after.map { position < $0 } ?? true)
        }
    }
}
