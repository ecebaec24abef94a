/// Why a socket came to its end.
enum SocketEnding: Int, CaseIterable {
    /// The client sent a close frame.
    case client
    /// The connection broke, or ended without a close frame.
    case lost
    case idle
    case slow
    /// The client broke the protocol, or a limit.
    case fault
    case unauthenticated
    case revoked
    case shutdown
    /// Whoever keeps the object's feed wanted it closed.
    case hub
}

/// What a loop counts of its sockets.
struct SocketStatistics: Sendable {
    /// Right now.
    var open = 0
    var awaitingCredentials = 0
    var closing = 0
    /// Since the process began.
    var opened: UInt64 = 0
    var framesIn: UInt64 = 0
    var framesOut: UInt64 = 0
    private(set) var endings = [UInt64](repeating: 0, count: SocketEnding.allCases.count)

    mutating func count(_ ending: SocketEnding) { endings[ending.rawValue] += 1 }

    func count(of ending: SocketEnding) -> UInt64 { endings[ending.rawValue] }

    mutating func add(_ other: SocketStatistics) {
        open += other.open
        awaitingCredentials += other.awaitingCredentials
        closing += other.closing
        opened += other.opened
        framesIn += other.framesIn
        framesOut += other.framesOut
        for index in endings.indices { endings[index] += other.endings[index] }
    }
}
