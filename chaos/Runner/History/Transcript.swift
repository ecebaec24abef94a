import HoldfastClient
import Simulation

/// All that the clients of one pair saw: what the checks know, and nothing else.
struct Transcript: Equatable {
    struct Final: Equatable {
        var object: String
        var shows: Observation
    }

    var workload = ""
    var nemesis = ""
    var seed: UInt64 = 0

    // Clients that make one operation at a time.
    var operations: [RecordedOperation] = []
    var final: [Final] = []

    // Subscribers, and the one who writes for them.
    var acknowledged: [SeenWrite] = []
    var unknown: [Int] = []
    var hearings: [Hearing] = []
    /// Who was there in the end, as each node told it.
    var lists: [[String]] = []

    /// Answers that no node may give.
    var impossible: [String] = []
    /// What did not come back within its bound.
    var overdue: [String] = []
    /// Requests that failed at nodes that nobody touched.
    var failedAtSurvivors = 0
}

/// What one subscriber heard.
struct Hearing: Equatable, Sendable {
    struct Presence: Equatable, Sendable {
        var isJoin: Bool
        var id: String
    }

    var name: String
    var writes: [SeenWrite] = []
    /// How many writes it had heard of when it was told that some may be missing.
    var breaks: [Int] = []
    /// Its connection in the end, if it is a member.
    var connectionID: String?
    var presence: [Presence] = []
    var presenceBreaks: [Int] = []
}
