/// What an examination of a node's files has found.
public struct DoctorReport: Sendable {
    public enum Grade: String, Sendable {
        case sound
        /// Worth knowing.
        case note
        /// Not broken, and will be trouble.
        case warning
        /// Changing while it was looked at: neither sound nor damaged as far as can be said.
        case changing
        case damaged
    }

    /// What, where, and what to do; nothing to do where it is empty.
    public struct Finding: Sendable, Equatable {
        public var part: String
        public var grade: Grade
        public var place: String
        public var what: String
        public var remedy: String

        init(_ part: String, _ grade: Grade, at place: String, _ what: String, remedy: String = "") {
            self.part = part
            self.grade = grade
            self.place = place
            self.what = what
            self.remedy = remedy
        }
    }

    public internal(set) var directory: String
    /// The process that uses the directory.
    public internal(set) var process: Int32?
    public internal(set) var findings: [Finding] = []

    public var isDamaged: Bool { findings.contains { $0.grade == .damaged } }

    mutating func add(_ findings: Finding...) { self.findings += findings }
}
