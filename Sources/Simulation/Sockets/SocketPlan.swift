/// How many clients with sockets there are, and what they do. None in a quiet world; drawn like all else.
struct SocketPlan: Equatable {
    /// Clients that keep a socket open and come back whenever they lose it.
    var talkers = 0
    /// Objects that nobody writes to: only presence and messages happen there.
    var rooms = 1
    /// How often a talker is on a hot object.
    var hotShare = 0.7
    var meanThinkNs: UInt64 = 150_000_000
    /// How long a client waits before it opens the next socket.
    var meanAwayNs: UInt64 = 60_000_000
    /// How often a talker closes its socket or loses it without cause, per act.
    var closeChance = 0.03
    var vanishChance = 0.02
    /// How long a node does not notice that a connection is broken.
    var meanUnnoticedNs: UInt64 = 800_000_000
    /// How often a client that comes back asks for its id, and then for what it missed.
    var resumeShare = 0.9
    var afterShare = 0.85
    /// How often a client asks for what is not its own, or for a point that never was.
    var nastyShare = 0.0
    /// Only what a script tells them.
    var areScripted = false

    /// The objects that sockets are on: none without sockets.
    func objectNames(hotObjects: Int) -> [String] {
        guard talkers > 0 else { return [] }
        return (0..<hotObjects).map { "hot\($0)" } + (0..<rooms).map { "room\($0)" }
    }

    /// So much history is never used up in a run: a gap needs another excuse.
    static let ampleHistoryBytes = 16 << 20
}

extension SocketPlan {
    init(drawnFrom random: inout SeededGenerator) {
        talkers = random.pick([0, 4, 8, 12])
        rooms = random.within(1...2)
        hotShare = random.pick([0.3, 0.7, 0.9])
        meanThinkNs = random.pick([80_000_000, 200_000_000, 500_000_000])
        meanAwayNs = random.pick([5_000_000, 60_000_000, 400_000_000])
        closeChance = random.pick([0.0, 0.03, 0.1])
        vanishChance = random.pick([0.0, 0.03, 0.1])
        meanUnnoticedNs = random.pick([50_000_000, 800_000_000, 3_000_000_000])
        resumeShare = random.pick([0.7, 0.95])
        afterShare = random.pick([0.6, 0.95])
        nastyShare = random.pick([0.0, 0.0, 0.1])
    }
}

extension Swarm {
    mutating func drawSockets(_ random: inout SeededGenerator) {
        sockets = SocketPlan(drawnFrom: &random)
        settings.presenceGraceMs = random.pick([200, 500, 2_000, 2_000])
        settings.eventHistoryBytes =
            random.chance(0.25) ? random.pick([1, 400, 4_000]) : SocketPlan.ampleHistoryBytes
    }
}
