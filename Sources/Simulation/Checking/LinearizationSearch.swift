/// Looks for an order of one item's operations in which each takes effect between its call and its
/// answer and every answer is right: Wing and Gong's search with Lowe's memo, in the form that
/// Porcupine made known, with two changes of ours for open operations.
///
/// Calls and returns stand in a doubly linked list by time. An operation that is given its place is
/// unlinked; at a return whose operation has no place yet the search goes back. The memo holds the
/// sets that were tried, each as the exclusive or of one random 128-bit word per operation, mixed with the state.
///
/// Open operations (no answer: may take effect at any later time, or never) are not in the list.
/// They are tried only where the answered ones do not get on, and of those with the same effect only the
/// earliest, because none of them has an end that could tell them apart.
struct LinearizationSearch {
    enum Result {
        case linearizable
        /// No order gets past this operation; `state` was the furthest reached before it.
        case stuck(source: Int, state: ItemState)
        case undecided
    }

    private struct Frame {
        /// The answered operation that took its place here, or -1 for an open one of kind `openKind`.
        var operation: Int32
        var openKind: Int32
        /// Changed nothing, so there is no other choice worth trying.
        var isForced: Bool
        var stateBefore: ItemState
    }

    private enum Placing {
        case placed, unfit, visited
    }

    private let history: ItemHistory
    private let memoLimit: Int

    // The list: node 2k is the call of operation k, 2k + 1 its return, the last node the end.
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private let end: Int32

    private var state = ItemState()
    private var placed = Memo.Word.empty
    private var openTaken: [Int]
    private var frames: [Frame] = []
    private var memo = Memo()
    /// Operations without a place that show a value written only once: it must not be lost before.
    private var pendingReaders: [UInt64: Int] = [:]
    /// How many of `history.versions` have been given their place.
    private var versionsPlaced = 0
    private var furthest = -1
    private var furthestStuck: (source: Int, state: ItemState)?

    init(_ history: ItemHistory, memoLimit: Int) {
        self.history = history
        self.memoLimit = memoLimit
        end = Int32(history.answered.count * 2)
        openTaken = [Int](repeating: 0, count: history.open.count)
        frames.reserveCapacity(history.answered.count)
        link()
        for operation in history.answered {
            if let value = soleValue(shownBy: operation.step) { pendingReaders[value, default: 0] += 1 }
        }
    }

    private mutating func link() {
        struct Moment {
            var timeNs: UInt64
            var node: Int32
        }
        var moments: [Moment] = []
        for (number, operation) in history.answered.enumerated() {
            moments.append(Moment(timeNs: operation.invokedNs, node: Int32(2 * number)))
            moments.append(Moment(timeNs: operation.returnedNs ?? .max, node: Int32(2 * number + 1)))
        }
        // At equal times calls come first: such operations overlap.
        moments.sort { ($0.timeNs, $0.node & 1, $0.node) < ($1.timeNs, $1.node & 1, $1.node) }
        next = [Int32](repeating: end, count: Int(end) + 2)
        previous = next
        var last = end + 1
        for moment in moments {
            next[Int(last)] = moment.node
            previous[Int(moment.node)] = last
            last = moment.node
        }
        next[Int(last)] = end
        previous[Int(end)] = last
    }

    /// The list's head is the node after the end.
    private var first: Int32 { next[Int(end) + 1] }

    mutating func run() -> Result {
        var position = first
        var openKind = 0
        var isFresh = true
        while true {
            guard memo.count < memoLimit else { return .undecided }
            if isFresh, placeAllThatOnlyShow() { (position, openKind, isFresh) = (first, 0, false) }
            let moved: Bool
            if isFresh {
                moved = false  // A forced step led to where the search has been.
            } else if position == end {
                return .linearizable
            } else if position & 1 == 0 {
                moved = place(answered: position >> 1, isForced: false) == .placed
                if !moved {
                    position = next[Int(position)]
                    continue
                }
            } else {
                moved = placeOpen(from: openKind, before: position >> 1)
                if !moved { noteStuck(at: position >> 1) }
            }
            isFresh = moved
            if moved { continue }
            guard let resumed = backtrack() else {
                return .stuck(source: furthestStuck?.source ?? 0, state: furthestStuck?.state ?? state)
            }
            (position, openKind) = resumed
        }
    }

    /// Takes back the last choice, and with it every forced step after it. Answers where to go on.
    private mutating func backtrack() -> (position: Int32, openKind: Int)? {
        while let frame = frames.popLast() {
            undo(frame)
            if frame.isForced { continue }
            if frame.operation >= 0 { return (next[Int(frame.operation) * 2], 0) }
            return (firstReturn(), Int(frame.openKind) + 1)
        }
        return nil
    }

    /// What only shows a state, and fits here without adding to it, can be given its place at once:
    /// wherever else it fits, here is as good. False if the search has been at the place where that leads.
    private mutating func placeAllThatOnlyShow() -> Bool {
        var node = first
        while node != end, node & 1 == 0 {
            let following = next[Int(node)]
            let step = history.answered[Int(node >> 1)].step
            if step.onlyShows, stateAfter(step) == state {
                guard place(answered: node >> 1, isForced: true) == .placed else { return false }
            }
            node = following
        }
        return true
    }
}

extension LinearizationSearch {
    private mutating func place(answered number: Int32, isForced: Bool) -> Placing {
        let operation = history.answered[Int(number)]
        guard let after = stateAfter(operation.step), isNextVersion(operation.step) else { return .unfit }
        let word = mark(UInt64(number) << 1)
        guard memo.insert(key(placed.with(word), after)) else { return .visited }
        frames.append(Frame(operation: number, openKind: -1, isForced: isForced, stateBefore: state))
        placed = placed.with(word)
        state = after
        unlink(2 * number)
        unlink(2 * number + 1)
        if let value = soleValue(shownBy: operation.step) { pendingReaders[value, default: 0] -= 1 }
        if operation.step.writtenVersion != nil { versionsPlaced += 1 }
        return .placed
    }

    /// Versions rise, so of the writes that were told one, only the lowest that is left can be next.
    private func isNextVersion(_ step: ModelStep) -> Bool {
        guard !history.versions.isEmpty, let version = step.writtenVersion else { return true }
        return history.versions[versionsPlaced] == version
    }

    /// Tries the open operations that were called before the return of answered operation `number`.
    private mutating func placeOpen(from start: Int, before number: Int32) -> Bool {
        let limitNs = history.answered[Int(number)].returnedNs ?? .max
        var kind = start
        while kind < history.open.count {
            defer { kind += 1 }
            let taken = openTaken[kind]
            guard taken < history.open[kind].count, history.open[kind][taken].invokedNs <= limitNs else {
                continue
            }
            guard let after = stateAfter(history.open[kind][taken].step), after != state else { continue }
            let word = mark(UInt64(kind) << 32 | UInt64(taken) << 1 | 1)
            guard memo.insert(key(placed.with(word), after)) else { continue }
            frames.append(Frame(operation: -1, openKind: Int32(kind), isForced: false, stateBefore: state))
            placed = placed.with(word)
            state = after
            openTaken[kind] += 1
            return true
        }
        return false
    }

    private mutating func undo(_ frame: Frame) {
        state = frame.stateBefore
        guard frame.operation >= 0 else {
            let kind = Int(frame.openKind)
            openTaken[kind] -= 1
            placed = placed.with(mark(UInt64(kind) << 32 | UInt64(openTaken[kind]) << 1 | 1))
            return
        }
        relink(2 * frame.operation + 1)
        relink(2 * frame.operation)
        placed = placed.with(mark(UInt64(frame.operation) << 1))
        let step = history.answered[Int(frame.operation)].step
        if let value = soleValue(shownBy: step) { pendingReaders[value, default: 0] += 1 }
        if step.writtenVersion != nil { versionsPlaced -= 1 }
    }

    private func stateAfter(_ step: ModelStep) -> ItemState? {
        guard let after = step.applied(to: state) else { return nil }
        if case .value(let value) = state.content, after.content != state.content,
            let readers = pendingReaders[value], readers > (soleValue(shownBy: step) == value ? 1 : 0)
        {
            return nil
        }
        return after
    }

    private func soleValue(shownBy step: ModelStep) -> UInt64? {
        let content: ItemState.Content?
        switch step {
        case .read(let shown, _): content = shown
        case .compareAndSwap(let expected, _, _): content = expected
        default: return nil
        }
        guard case .value(let value)? = content, history.writtenOnce.contains(value) else { return nil }
        return value
    }

    private mutating func unlink(_ node: Int32) {
        next[Int(previous[Int(node)])] = next[Int(node)]
        previous[Int(next[Int(node)])] = previous[Int(node)]
    }

    private mutating func relink(_ node: Int32) {
        next[Int(previous[Int(node)])] = node
        previous[Int(next[Int(node)])] = node
    }

    private func firstReturn() -> Int32 {
        var node = first
        while node != end, node & 1 == 0 { node = next[Int(node)] }
        return node
    }

    private mutating func noteStuck(at number: Int32) {
        guard frames.count > furthest else { return }
        furthest = frames.count
        furthestStuck = (source: history.answered[Int(number)].source, state: state)
    }

    private func mark(_ name: UInt64) -> Memo.Word {
        Memo.Word(
            high: SeededGenerator.scramble(name &+ 0x6C07_8965_0000_0001),
            low: SeededGenerator.scramble(name ^ 0xA5A5_0123_89AB_CDEF))
    }

    private func key(_ placed: Memo.Word, _ state: ItemState) -> Memo.Word {
        let digest = state.digest
        return Memo.Word(high: placed.high ^ digest, low: placed.low ^ SeededGenerator.scramble(digest &+ 1))
    }
}

extension Memo.Word {
    /// Adds an operation to a set, or takes it out again.
    func with(_ word: Memo.Word) -> Memo.Word {
        Memo.Word(high: high ^ word.high, low: low ^ word.low)
    }
}
