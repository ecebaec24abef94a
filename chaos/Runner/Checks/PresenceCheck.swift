/// In the end every node tells the same members, which are those that are there; and nobody hears that one has left who
/// has left already. A second join is allowed: clients join again when they cannot know whether they are still there.
enum PresenceCheck {
    static func check(_ transcript: Transcript) -> CheckVerdict {
        let here = transcript.hearings.compactMap(\.connectionID).sorted()
        var faults: [String] = transcript.lists.enumerated().compactMap { node, list in
            guard list.sorted() != here else { return nil }
            let ghosts = Set(list).subtracting(here).count
            let absent = Set(here).subtracting(list).count
            return "node \(node + 1) tells \(ghosts) who are not there, and not \(absent) who are"
        }
        if transcript.lists.isEmpty { faults.append("no node told who is there") }
        faults += transcript.hearings.flatMap(leavesTwice)
        let notes = transcript.hearings.reduce(0) { $0 + $1.presence.count }
        return CheckVerdict("presence", faults: faults, detail: "\(here.count) members, \(notes) joins and leaves heard")
    }

    /// Who was forgotten begins anew.
    private static func leavesTwice(_ hearing: Hearing) -> [String] {
        var faults: [String] = []
        var left: Set<String> = []
        for (position, note) in hearing.presence.enumerated() {
            if hearing.presenceBreaks.contains(position) { left = [] }
            if note.isJoin {
                left.remove(note.id)
            } else if !left.insert(note.id).inserted {
                faults.append("\(hearing.name) heard twice that \(note.id) left")
            }
        }
        return faults
    }
}
