import Binary

/// What the live segments hold and what of it is still needed. Pure; it is told of durable batches only, so
/// that nothing is given up for a record that a crash might take back.
///
/// The first batch of a segment begins with its *anchor*: a floor record and all state records. So reading
/// may begin at any anchored segment, and a segment is needed for its entries alone.
struct JournalLedger: Sendable {
    struct Segment: Sendable {
        let sequence: UInt64
        let bytes: Int
        /// Reading may begin here.
        fileprivate(set) var isAnchored: Bool
        fileprivate(set) var hasRecords = false
        /// The highest entry of each group that is here and was not replaced since.
        fileprivate var highest: [UInt64: UInt64] = [:]
    }

    fileprivate struct Group {
        var covered: UInt64 = 0
        /// The last entry that was appended.
        var last: UInt64 = 0
        /// `ended` first, the others by kind: the order in which they are carried over.
        var states: [JournalRecord] = []
    }

    /// Oldest first; the last one is written to.
    private(set) var segments: [Segment] = []
    private var groups: [UInt64: Group] = [:]

    var liveBytes: Int { segments.reduce(0) { $0 + $1.bytes } }

    /// Whether the next batch is the first one of its segment, and so begins with the anchor.
    var wantsAnchor: Bool { segments.last.map { !$0.hasRecords && $0.sequence > 1 } ?? false }

    /// The journal goes on in the segment with this header.
    mutating func begin(_ header: SegmentHeader) {
        segments.append(
            Segment(sequence: header.sequence, bytes: header.capacity, isAnchored: header.sequence == 1))
    }

    // MARK: Records

    /// Takes what has become durable in the last segment.
    mutating func note(_ records: some Sequence<JournalRecord>) {
        let place = segments.count - 1
        for record in records {
            if record.isFloor {
                if !segments[place].hasRecords { segments[place].isAnchored = true }
            } else if JournalKind.isEntry(record.kind) {
                noteEntry(record)
            } else {
                noteState(record)
            }
            segments[place].hasRecords = true
        }
    }

    private mutating func noteEntry(_ record: JournalRecord) {
        let last = groups[record.group, default: Group()].last
        groups[record.group, default: Group()].last = record.index
        segments[segments.count - 1].highest[record.group] = record.index
        guard record.index <= last else { return }
        // It replaces what was above: that is needed no more where it stands.
        let kept = record.index &- 1
        for place in segments.indices.dropLast() {
            guard let highest = segments[place].highest[record.group] else { continue }
            segments[place].highest[record.group] = min(highest, kept)
        }
    }

    private mutating func noteState(_ record: JournalRecord) {
        var group = groups[record.group] ?? Group()
        switch record.kind {
        case JournalKind.ended:
            forgetEntries(of: record.group)
            group = Group()
        case JournalKind.created:
            group.states.removeAll { $0.kind == JournalKind.ended || $0.kind == JournalKind.lost }
        case JournalKind.snapshot, JournalKind.checkpoint:
            group.states.removeAll { $0.kind == JournalKind.snapshot || $0.kind == JournalKind.checkpoint }
        default: break
        }
        // Nobody uses what is left of it (O9).
        if record.kind == JournalKind.lost { forgetEntries(of: record.group) }
        if JournalKind.replacesLog(record.kind, record.payload), record.index > group.covered {
            // Once: an anchor says it again behind entries that came since.
            forgetEntries(of: record.group)
        }
        if JournalKind.covers(record.kind) { group.covered = max(group.covered, record.index) }
        group.put(record)
        groups[record.group] = group
    }

    private mutating func forgetEntries(of group: UInt64) {
        for place in segments.indices { segments[place].highest[group] = nil }
    }

    // MARK: What is needed

    private func isNeeded(_ segment: Segment) -> Bool {
        #if PLANTED_BUGS
        let current = segments.last?.sequence ?? 0
        if PlantedBug.isActive(.dropSegmentTooEarly), segment.sequence + 2 < current { return false }
        #endif
        // The order does not matter: any entry that is not covered holds the segment.
        return segment.highest.contains { $0.value > groups[$0.key]?.covered ?? 0 }
    }

    /// The lowest segment that reading has to begin with once the last segment has its anchor. It is never
    /// above `limit`, what somebody else still wants to have.
    func floor(limit: UInt64 = .max) -> UInt64 {
        guard let current = segments.last else { return 1 }
        var floor = segments[0].sequence
        for segment in segments {
            if segment.sequence > limit { break }
            let isStart = segment.isAnchored || segment.sequence == current.sequence
            if isStart { floor = segment.sequence }
            if isNeeded(segment) { break }
        }
        return floor
    }

    /// What the first batch of the last segment begins with. By group, so that equal journals are equal.
    func anchor(limit: UInt64 = .max) -> [JournalRecord] {
        var records = [JournalRecord.floor(floor(limit: limit))]
        for key in groups.keys.sorted() { records += groups[key]?.states ?? [] }
        return records
    }

    /// Takes out the segments below `floor`, after the record that says so is durable.
    mutating func drop(below floor: UInt64) -> [Segment] {
        let count = segments.prefix { $0.sequence < floor }.count
        defer { segments.removeFirst(count) }
        return Array(segments[..<count])
    }

    /// The groups whose entries hold segments that would have to go for the journal to have no more than
    /// `bytes`, and none up to that of the sequence `through`, by number. A segment goes when the journal moves on.
    func pressure(aboveBytes bytes: Int, through: UInt64 = 0) -> [UInt64] {
        var excess = liveBytes - bytes
        var holding: Set<UInt64> = []
        for segment in segments.dropLast() where excess > 0 || segment.sequence <= through {
            for (group, highest) in segment.highest where highest > groups[group]?.covered ?? 0 {
                holding.insert(group)
            }
            excess -= segment.bytes
        }
        return holding.sorted()
    }

    /// For each group that still needs a segment, the oldest one that it needs.
    func oldestNeeded() -> [(group: UInt64, segment: UInt64)] {
        var oldest: [UInt64: UInt64] = [:]
        for segment in segments.reversed() {
            for (group, highest) in segment.highest where highest > groups[group]?.covered ?? 0 {
                oldest[group] = segment.sequence
            }
        }
        return oldest.sorted { $0.key < $1.key }.map { (group: $0.key, segment: $0.value) }
    }

    /// The index up to which each group that has records is covered, by group.
    func coverage() -> [(group: UInt64, covered: UInt64, last: UInt64)] {
        groups.sorted { $0.key < $1.key }.map { ($0.key, $0.value.covered, $0.value.last) }
    }
}

extension JournalLedger.Group {
    fileprivate mutating func put(_ record: JournalRecord) {
        states.removeAll { $0.kind == record.kind }
        // What was before `ended` is void, so it has to come before what is not.
        let order = Self.order(record.kind)
        let place = states.firstIndex { Self.order($0.kind) > order } ?? states.endIndex
        states.insert(record, at: place)
    }

    private static func order(_ kind: UInt8) -> Int { kind == JournalKind.ended ? -1 : Int(kind) }
}
