import HoldfastClient

/// What the parts of one run with sockets share, and what they found.
final class SocketRun {
    let options: Options
    let cluster: LocalCluster
    var faults: [SocketFault] = []
    var audit = EventAudit()
    /// What did not come back within its bound.
    var overdue: [String] = []
    /// Sockets lost at nodes that nobody touched, and frames that such nodes refused.
    var dropped: [String] = []
    /// Writes that failed at nodes that nobody touched.
    var failedWrites: [String] = []
    /// Joins and leaves that nobody should have heard of, and lists that do not agree.
    var flaws: [String] = []
    var writes = 0
    var writingSeconds = 0.0
    /// Sockets closed with 1012 by a node that is being drained.
    var sentAway = 0
    var resumes = 0
    /// Returns under another connection id.
    var restarts = 0

    private static let restart: UInt16 = 1_012

    init(options: Options, cluster: LocalCluster) {
        self.options = options
        self.cluster = cluster
    }

    func execute() async throws {
        let stage = try await SocketStage(self)
        switch options.scenario {
        case .killSockets: try await KillSockets(stage).execute()
        default: try await KillOwnerWithSockets(stage).execute()
        }
    }

    /// Takes over what the clients wrote down.
    func collect(_ cast: Cast, on stage: SocketStage) async throws {
        let (acknowledged, unknown, failures) = try await stage.onLoop {
            (cast.writer.acknowledged, cast.writer.unknown, cast.writer.failures)
        }
        writes += acknowledged.count
        writingSeconds += try await stage.onLoop { cast.writer.seconds }
        failedWrites += failures
        try await collect(cast.subscribers, acknowledged, unknown, on: stage)
    }

    func collect(
        _ subscribers: [Subscriber], _ acknowledged: [SeenWrite], _ unknown: Set<Int>, on stage: SocketStage
    ) async throws {
        let crowd = SocketStage.UncheckedCast(subscribers: subscribers)
        let notes = try await stage.onLoop {
            crowd.subscribers.map { ($0.name, $0.isLate, $0.log, $0.losses, $0.arrivals, $0.refusals) }
        }
        let emptied = try await stage.onLoop { stage.isEmptied }
        for (name, isLate, log, losses, arrivals, refusals) in notes {
            audit.check(log, of: name, isLate: isLate, acknowledged: acknowledged, unknown: unknown)
            for loss in losses where !loss.wasHarmed {
                if emptied[loss.node], loss.code == Self.restart {
                    sentAway += 1
                } else {
                    dropped.append("\(name): \(loss.text)")
                }
            }
            dropped += refusals.map { "\(name) was refused: \($0)" }
            resumes += arrivals.filter { $0.establishment == .resumed }.count
            restarts += arrivals.filter { $0.establishment == .restarted }.count
        }
    }
}

/// What one kill cost.
struct SocketFault {
    var node: String
    /// It owned the object.
    var wasOwner: Bool
    /// The longest time without an event at any socket of a node that nobody touched.
    var silenceMs: Double
    /// The same at those that lost their node.
    var movedSilenceMs: Double?
    /// From the loss to the answer to `resume`, pauses between tries not counted: the slowest.
    var resumeMs: Double?
    /// Until the one that did not come back had left.
    var leaveMs: Double?
}
