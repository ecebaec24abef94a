import Raft

/// Watches a whole group through all crashes and says when a rule of I6 is broken.
struct Invariants {
    private(set) var violations: [String] = []
    private var leaders: [Term: Candidate] = [:]
    /// Every entry that anybody ever wrote, and the term of the entry before it: equal (index, term) means
    /// equal entries and, by induction, equal logs up to there.
    private var written: [Position: (entry: Entry, previousTerm: Term)] = [:]
    private(set) var committed: [Entry] = []
    private var hardStates: [NodeID: HardState] = [:]

    /// A group that begins at a base above zero: what came before is equal by definition.
    mutating func begin(after position: Position) {
        committed = (1...position.index.rawValue).map {
            Entry(term: .zero, index: LogIndex($0), kind: .barrier, payload: [])
        }
    }

    mutating func violated(_ rule: String) { violations.append(rule) }

    /// Election safety, and leader completeness at the moment of becoming leader.
    mutating func observeLeader(
        _ candidate: Candidate, term: Term, termAt: (LogIndex) -> Term?, first: LogIndex
    ) {
        if let known = leaders[term], known != candidate {
            violated("election safety: \(known) and \(candidate) lead term \(term)")
        }
        guard leaders[term] == nil else { return }
        leaders[term] = candidate
        for entry in committed where entry.index >= first && entry.term < term {
            if termAt(entry.index) != entry.term {
                violated("leader completeness: leader \(candidate) of \(term) lacks \(entry.position)")
                return
            }
        }
    }

    /// Log matching.
    mutating func observeWrite(_ entries: [Entry], previousTerm: Term?) {
        var previousTerm = previousTerm
        for entry in entries {
            if let previous = previousTerm {
                if let known = written[entry.position] {
                    if known.entry != entry { violated("log matching: two entries \(entry.position)") }
                    if known.previousTerm != previous {
                        violated("log matching: two logs before \(entry.position)")
                    }
                } else {
                    written[entry.position] = (entry, previous)
                }
            }
            previousTerm = entry.term
        }
    }

    /// State machine safety.
    mutating func observeApply(_ entry: Entry, by node: NodeID) {
        let position = Int(entry.index.rawValue) - 1
        if position < committed.count {
            if committed[position] != entry {
                violated(
                    "state machine safety: node \(node) applies \(entry.position) \(entry.payload), "
                        + "others applied \(committed[position].position) \(committed[position].payload)")
            }
        } else if position == committed.count {
            committed.append(entry)
        } else {
            violated("node \(node) applies \(entry.position), but only \(committed.count) are known")
        }
    }

    /// Its former life and what it had sealed are over.
    mutating func forget(_ node: NodeID) { hardStates[node] = nil }

    /// Terms and sealed epochs only grow, and each has one vote.
    mutating func observeDurable(_ state: HardState, of node: NodeID) {
        if let old = hardStates[node] {
            if state.term < old.term { violated("node \(node): term fell from \(old.term) to \(state.term)") }
            if state.term == old.term, let vote = old.vote, state.vote != vote {
                violated("node \(node): two votes in term \(state.term)")
            }
        }
        hardStates[node] = state
    }
}
