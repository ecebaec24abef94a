/// Taking entries from a leader, or from the replica whose log is adopted.
extension Replication {
    enum Merge: Equatable {
        /// The logs are equal up to here.
        case merged(through: LogIndex)
        case mismatch
        case refused
    }

    /// Handles entries of the leader; the caller has checked that it is the leader of the current term.
    mutating func follow(_ append: Append, of leader: NodeID) {
        guard !isJoining else {
            let hint = AppendRejected(previous: append.previous.index, hint: .zero, needsSnapshot: true)
            return send(.appendRejected(hint), to: leader)
        }
        switch merge(append.entries, after: append.previous) {
        case .merged(let match):
            advanceCommit(to: min(append.commit, match))
            acknowledge(match, to: leader)
        case .mismatch:
            let hint = log.lastPosition(notAbove: append.previous)
            send(
                .appendRejected(AppendRejected(previous: append.previous.index, hint: hint)), to: leader)
        case .refused: break
        }
    }

    /// Puts `entries` after `previous`. Entries already present stay as they are; a conflicting suffix is
    /// cut in the same write that brings what replaces it. Nothing committed is touched.
    mutating func merge(_ entries: [Entry], after previous: Position) -> Merge {
        guard isWellFormed(entries, after: previous) else {
            counters.malformedAppends += 1
            return .refused
        }
        if previous.index >= commit {
            guard log.matches(previous) else { return .mismatch }
        } else if let known = log.term(at: previous.index), known != previous.term {
            counters.conflictsBelowCommit += 1
            return .refused
        }
        var position = 0
        while position < entries.count, entries[position].index <= log.lastIndex {
            let entry = entries[position]
            if let known = log.term(at: entry.index), known != entry.term { break }
            position += 1
        }
        guard position < entries.count else {
            return .merged(through: max(commit, previous.index + entries.count))
        }
        guard entries[position].index > commit else {
            counters.conflictsBelowCommit += 1
            return .refused
        }
        if entries[position].index <= log.lastIndex { truncate(from: entries[position].index) }
        for entry in entries[position...] { append(entry) }
        return .merged(through: log.lastIndex)
    }

    private func isWellFormed(_ entries: [Entry], after previous: Position) -> Bool {
        var last = previous
        for entry in entries {
            guard entry.index == last.index.next, entry.index > last.index else { return false }
            guard entry.term >= last.term, entry.term <= term else { return false }
            if entry.kind == .configuration, Configuration(decoding: entry.payload) == nil { return false }
            last = entry.position
        }
        return true
    }

    /// One acknowledgement stands for all before it: within a term a follower's log only grows.
    mutating func acknowledge(_ match: LogIndex, to leader: NodeID) {
        if let waiting = acknowledgement, waiting.leader == leader, waiting.term == term,
            waiting.incarnation == incarnation
        {
            acknowledgement?.match = max(waiting.match, match)
            return
        }
        flushAcknowledgement()
        acknowledgement = Acknowledgement(leader: leader, term: term, incarnation: incarnation, match: match)
    }

    mutating func flushAcknowledgement() {
        guard let waiting = acknowledgement else { return }
        acknowledgement = nil
        messagesAfterPersist.append(
            Message(
                from: id, to: waiting.leader, term: waiting.term, incarnation: waiting.incarnation,
                body: .appendAccepted(AppendAccepted(match: waiting.match, commit: commit))))
    }
}
