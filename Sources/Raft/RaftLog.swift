import Binary

/// The part of a log that is in memory: entries above a boundary. What lies at or below the boundary
/// lives in a snapshot; of it only the last term and index are known.
///
/// Appending, reading a term and cutting the tail cost no more than what they touch; dropping the front
/// moves a head and gives the room back once half of the array is unused.
struct RaftLog: Sendable {
    /// The last position below the entries held here.
    private(set) var boundary: Position
    private var storage: [Entry]
    private var head = 0
    /// About how many bytes the entries take.
    private(set) var bytes = 0

    init(boundary: Position, entries: [Entry] = []) {
        self.boundary = boundary
        storage = []
        storage.reserveCapacity(entries.count)
        for entry in entries { append(entry) }
    }

    var count: Int { storage.count - head }

    var last: Position { count == 0 ? boundary : storage[storage.count - 1].position }

    var lastIndex: LogIndex { boundary.index + count }

    var firstIndex: LogIndex { boundary.index.next }

    private func offset(of index: LogIndex) -> Int { head + (index - firstIndex) }

    /// The term at `index`; nil below the boundary and above the end.
    func term(at index: LogIndex) -> Term? {
        if index == boundary.index { return boundary.term }
        guard index > boundary.index, index <= lastIndex else { return nil }
        return storage[offset(of: index)].term
    }

    func matches(_ position: Position) -> Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.matchByIndexOnly) { return term(at: position.index) != nil }
        #endif
        return term(at: position.index) == position.term
    }

    subscript(index: LogIndex) -> Entry {
        precondition(index > boundary.index && index <= lastIndex, "the log holds no such entry")
        return storage[offset(of: index)]
    }

    mutating func append(_ entry: Entry) {
        precondition(entry.index == lastIndex.next, "I6: a log has no gap")
        precondition(entry.term >= last.term, "I6: terms never fall along a log")
        storage.append(entry)
        bytes += entry.footprintBytes
    }

    /// Cuts `index` and all that follows.
    mutating func truncate(from index: LogIndex) {
        precondition(index > boundary.index, "I6: what a snapshot covers is never cut")
        while lastIndex >= index {
            bytes -= storage.removeLast().footprintBytes
        }
    }

    /// Drops entries at the front, up to `index`.
    mutating func compact(through index: LogIndex) {
        precondition(index <= lastIndex, "compaction stays inside the log")
        guard index > boundary.index else { return }
        let end = offset(of: index)
        boundary = storage[end].position
        for position in head...end {
            bytes -= storage[position].footprintBytes
            storage[position].payload = []
        }
        head = end + 1
        if head > 1024, head > storage.count / 2 {
            storage.removeFirst(head)
            head = 0
        }
    }

    /// The highest index to which the front may go so that `keepingBytes` remain.
    func indexToKeep(bytes keepingBytes: Int, through limit: LogIndex) -> LogIndex {
        var rest = bytes
        var index = boundary.index
        while index < limit, index < lastIndex {
            rest -= storage[offset(of: index.next)].footprintBytes
            guard rest >= keepingBytes else { break }
            index = index.next
        }
        return index
    }

    /// Forgets everything: a snapshot ends at `position`.
    mutating func restart(at position: Position) {
        boundary = position
        storage = []
        head = 0
        bytes = 0
    }

    /// Entries from `first` on: at least one if there is one, then as many as the limits allow.
    func entries(from first: LogIndex, bytesMax: Int, countMax: Int) -> [Entry] {
        guard first > boundary.index, first <= lastIndex else { return [] }
        let start = offset(of: first)
        var end = start
        var size = 0
        while end < storage.count, end - start < countMax {
            size += storage[end].footprintBytes
            if size > bytesMax, end > start { break }
            end += 1
        }
        return Array(storage[start..<end])
    }

    /// Entries `first...last`; none if `last` lies below `first`.
    func entries(from first: LogIndex, through last: LogIndex) -> [Entry] {
        guard first <= last else { return [] }
        return Array(storage[offset(of: first)...offset(of: last)])
    }

    /// The highest position at or below `hint.index` whose term is at most `hint.term`. Everything above
    /// surely differs from a log that has `hint` there, so one round trip skips a whole term.
    func lastPosition(notAbove hint: Position) -> Position {
        guard hint.index > boundary.index else { return hint.index == boundary.index ? boundary : hint }
        var index = min(hint.index, lastIndex)
        while let term = term(at: index) {
            if term <= hint.term || index == boundary.index { return Position(term: term, index: index) }
            index = index.previous
        }
        return boundary
    }
}
