import ObjectRuntime

/// I4 for one socket: from the moment at which it was connected, or from the point that it gave, every event
/// of its object comes once, in order, or a `gap` says which do not.
struct HearingCheck {
    /// Where in the object's list of events the next one may stand. Before the first one it is not known
    /// exactly: a socket may hear a little of what was before it.
    private var earliest = 0
    private var latest = Int.max
    /// The first one that it heard.
    private var first: Int?
    /// A resume came too late to be told the past: the very next frame has to say so.
    private var awaitsGap = false
    /// The socket has asked for a point that never was.
    private var isLost = false

    private(set) var isConnected = false

    /// From now on nothing is missed; `count` events are there.
    mutating func connected(count: Int) {
        isConnected = true
        latest = min(latest, count)
    }

    /// The past behind `place` was asked for. `isExact` if the object knew whom it told.
    mutating func resumed(behind place: Int, isExact: Bool) {
        if let first {
            awaitsGap = place < first
            return
        }
        latest = min(latest, place)
        if isExact { earliest = place }
    }

    /// Asked for the past behind a point of no history: it is told that there is a gap, and what then comes.
    mutating func resumedNowhere(count: Int) {
        isLost = true
        latest = count
        earliest = 0
    }

    mutating func hear(_ point: EventPoint, _ frame: [UInt8], _ ledger: EventLedger, _ object: Int) -> String? {
        let place = ledger.place(behind: point, of: object) - 1
        let events = ledger.events(of: object)
        guard place >= 0, events[place].point == point else { return "an event that was never committed" }
        guard events[place].isTold(by: frame) else { return "an event with another content than was committed" }
        guard isConnected else { return "an event before it was connected" }
        if awaitsGap { return "an event, having missed others before its late resume, and no gap" }
        if place < earliest { return "an event that it had heard, or had not asked for" }
        if place > latest { return "an event, having missed \(place - latest) before it" }
        if first == nil { first = place }
        isLost = false
        earliest = place + 1
        latest = place + 1
        return nil
    }

    mutating func gap(
        from: EventPoint, to: EventPoint, _ ledger: EventLedger, _ object: Int
    ) -> String? {
        awaitsGap = false
        let events = ledger.events(of: object)
        if isLost {
            latest = max(latest, events.count)
            return nil
        }
        let next = ledger.place(behind: .end(epoch: to.epoch, index: to.index), of: object)
        guard next > latest || first == nil else { return nil }
        if next > latest, events[latest].point < from { return "a gap that does not cover what is missing" }
        earliest = max(earliest, next)
        latest = max(latest, next)
        return nil
    }

    /// How many events are still to come.
    func lacks(of count: Int) -> Int { max(0, count - latest) }
}

/// Messages of others: each at most once, in the order of their sender's socket.
struct MessageCheck {
    private var newest: [UInt64: UInt64] = [:]

    mutating func hear(from sender: UInt64, number: UInt64) -> String? {
        guard number > newest[sender] ?? 0 else {
            return "message \(number) of socket \(sender) after \(newest[sender] ?? 0)"
        }
        newest[sender] = number
        return nil
    }
}
