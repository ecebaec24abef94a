/// In the end every node tells the same members, which are those that are there; and nobody hears of a join of one
/// who has joined, or of a leave of one who has left.
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
        faults += transcript.hearings.flatMap(flapping)
        let notes = transcript.hearings.reduce(0) { $0 + $1.presence.count }
        return CheckVerdict("presence", faults: faults, detail: "\(here.count) members, \(notes) joins and leaves heard")
    }

    /// What is said of one connection goes by turns. Who was forgotten begins anew.
    private static func flapping(_ hearing: Hearing) -> [String] {
        var faults: [String] = []
        var isHere: [String: Bool] = [:]
        for (position, note) in hearing.presence.enumerated() {
            if hearing.presenceBreaks.contains(position) { isHere = [:] }
            if isHere.updateValue(note.isJoin, forKey: note.id) == note.isJoin {
                faults.append("\(hearing.name) heard twice in a row that \(note.id) \(note.isJoin ? "joined" : "left")")
            }
        }
        return faults
    }
}
