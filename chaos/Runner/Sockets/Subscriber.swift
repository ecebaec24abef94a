import HoldfastClient
import NIOCore

/// A client that listens to one object and writes down what it hears. Used on the run's event loop only.
final class Subscriber {
    let name: String
    /// The node it begins at.
    let home: Int
    let joins: Bool
    /// It came when the object had been written to for a while.
    var isLate = false
    private(set) var log = EventLog()
    private(set) var presence: [PresenceNote] = []
    /// How many joins and leaves had been heard when the cluster had forgotten the connection.
    private(set) var presenceBreaks: [Int] = []
    /// Every time that the connection was there.
    private(set) var arrivals: [Arrival] = []
    private(set) var losses: [Loss] = []
    private(set) var refusals: [String] = []
    /// Asked when the socket is lost: does the run touch that node just now?
    private let isHarmed: (Int) -> Bool
    private var subscription: Subscription?
    private var lostNs: UInt64?
    private var pauseNs: UInt64 = 0
    private var isLeaving = false

    struct Arrival {
        var node: Int
        var connectionID: String
        var establishment: Establishment
        /// From the loss on, pauses between tries not counted; `nil` the first time.
        var tookNs: UInt64?
    }

    struct Loss {
        var node: Int
        var wasHarmed: Bool
        var code: UInt16
        var text: String
    }

    /// Somebody's join or leave, as this subscriber heard of it.
    struct PresenceNote {
        var isJoin: Bool
        var connectionID: String
        var atNs: UInt64
    }

    init(name: String, home: Int, joins: Bool = false, isHarmed: @escaping (Int) -> Bool) {
        self.name = name
        self.home = home
        self.joins = joins
        self.isHarmed = isHarmed
    }

    func start(_ stage: SocketStage, object: String, reconnects: Bool = true, joinsAgain: Bool = false) {
        var settings = Subscription.Settings()
        settings.reconnects = reconnects
        settings.joinsAgain = joinsAgain
        let subscription = Subscription(
            endpoints: stage.cluster.nodes.map(\.endpoint), first: home,
            target: HoldfastClient.socketTarget(
                project: stage.cluster.project ?? "", ObjectName(object, class: Load.objectClass)),
            settings: settings, on: stage.eventLoop, fetchToken: { stage.token }, report: { self.take($0) })
        self.subscription = subscription
        subscription.start()
    }

    /// A planned move: the connection goes on at the other node.
    func move(to node: Int) {
        (lostNs, pauseNs) = (monotonicNs(), 0)
        subscription?.move(to: node)
    }

    func stop() {
        isLeaving = true
        subscription?.stop()
    }

    var isEstablished: Bool { subscription?.isEstablished ?? false }
    var node: Int { subscription?.current ?? home }
    var connectionID: String? { subscription?.connectionID }

    func restartSilence() { log.restartSilence(atNs: monotonicNs()) }

    private func take(_ report: SubscriptionReport) {
        switch report {
        case .established(_, let id, let establishment): arrived(id, establishment)
        case .event(let event): take(event)
        case .gap(let from, let to): log.note(gap: "\(from) to \(to)")
        case .refusal(let text): refusals.append(text)
        case .interrupted(let endpoint, let end, let pause):
            lost("\(endpoint): \(end)", end.code)
            pauseNs += UInt64(max(0, pause.nanoseconds))
        case .ended(let end): if !isLeaving { lost("ended: \(end)", end.code) }
        }
    }

    private func arrived(_ id: String, _ establishment: Establishment) {
        let took = lostNs.map { lost in
            let elapsed = monotonicNs() - lost
            return elapsed - min(elapsed, pauseNs)
        }
        (lostNs, pauseNs) = (nil, 0)
        if establishment == .restarted {
            log.noteBreak()
            presenceBreaks.append(presence.count)
        }
        arrivals.append(
            Arrival(node: node, connectionID: id, establishment: establishment, tookNs: took))
        if establishment == .first, joins { subscription?.join(["name": .string(name)]) }
    }

    /// The first loss counts; what fails until the connection is back belongs to it.
    private func lost(_ text: String, _ code: UInt16) {
        guard lostNs == nil else { return }
        lostNs = monotonicNs()
        losses.append(Loss(node: node, wasHarmed: isHarmed(node), code: code, text: text))
    }

    private func take(_ event: SocketEvent) {
        let now = monotonicNs()
        switch event.name {
        case "setItem":
            guard let value = event.payload?["value"]?.int, let position = event.position else { return }
            log.note(SeenWrite(position: position, value: value), atNs: now)
        case "presence:join", "presence:leave":
            guard let id = event.connectionID else { return }
            presence.append(
                PresenceNote(isJoin: event.name == "presence:join", connectionID: id, atNs: now))
        default: break
        }
    }
}
