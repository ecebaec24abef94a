import Cluster
import NIOConcurrencyHelpers

/// What the HTTP side counts. Each loop counts for itself; a `StatisticsBoard` adds them up.
struct RequestStatistics: Sendable {
    /// By operation, from the complete request to the answer.
    private(set) var durations = [DurationHistogram](
        repeating: DurationHistogram(), count: CallName.allCases.count)
    /// Answers by the hundreds of their status: 2xx, 4xx, …
    private(set) var answersByClass = [UInt64](repeating: 0, count: 6)
    /// Wrong tokens at the admin API, and acts beyond a role.
    var refusedAdministrators: UInt64 = 0
    /// Requests and frames beyond a rate, by what the rate is for; connections that were closed at once, by why.
    var rateRefusals: [String: UInt64] = [:]
    var refusedConnections: [String: UInt64] = [:]
    /// Connections whose clients left too many answers unread.
    var cutOffConnections: UInt64 = 0
    var openConnections = 0
    var sockets = SocketStatistics()

    mutating func record(_ call: CallName, ns: UInt64) {
        durations[call.rawValue].record(ns: ns)
    }

    mutating func countAnswer(status: UInt16) {
        answersByClass[min(5, Int(status / 100))] += 1
    }

    mutating func add(_ other: RequestStatistics) {
        for index in durations.indices { durations[index].add(other.durations[index]) }
        for index in answersByClass.indices { answersByClass[index] += other.answersByClass[index] }
        refusedAdministrators += other.refusedAdministrators
        rateRefusals.merge(other.rateRefusals, uniquingKeysWith: +)
        refusedConnections.merge(other.refusedConnections, uniquingKeysWith: +)
        cutOffConnections += other.cutOffConnections
        openConnections += other.openConnections
        sockets.add(other.sockets)
    }
}

/// Where the loops of a node lay down their figures for whoever writes the metrics page.
public final class StatisticsBoard: Sendable {
    private let slots = NIOLockedValueBox<[RequestStatistics]>([])

    public init() {}

    func join() -> Int {
        slots.withLockedValue { slots in
            slots.append(RequestStatistics())
            return slots.count - 1
        }
    }

    func publish(_ statistics: RequestStatistics, slot: Int) {
        slots.withLockedValue { $0[slot] = statistics }
    }

    func total() -> RequestStatistics {
        slots.withLockedValue { slots in
            var total = RequestStatistics()
            for statistics in slots { total.add(statistics) }
            return total
        }
    }
}
