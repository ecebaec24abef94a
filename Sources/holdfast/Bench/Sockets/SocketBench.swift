import Glibc
import HoldfastClient
import NIOCore

/// What the workloads with sockets share.
struct SocketBench: Sendable {
    static let objectClass = "bench"

    var endpoints: [Endpoint]
    var project: String
    var token: String
    var loops: [any EventLoop]
    /// Process that serves the first endpoint; `nil` if it is not known.
    var firstPid: Int32?
    /// Sockets to open; each workload has a number of its own without it.
    var count: Int?
    var isOneObject: Bool
    var events: Int
    var seconds: Double
    var messagesPerSecond: Double
    /// Waited for objects to leave memory.
    var hibernateSeconds: Double

    /// Keeps runs apart, so that each begins with fresh objects.
    private let runName = String(NIODeadline.now().uptimeNanoseconds, radix: 36)

    func measure(_ workload: SocketWorkload) async throws -> SocketFigures {
        raiseFileLimit()
        return switch workload {
        case .messageLatency: try await MessageLatencyRun(self).measure()
        case .fanOut: try await FanOutRun(self).measure()
        case .idleSockets: try await IdleSocketsRun(self).measure()
        }
    }

    func object(_ number: Int, of workload: SocketWorkload) -> ObjectName {
        ObjectName("\(workload.rawValue)-\(runName)-\(number)", class: Self.objectClass)
    }

    func target(_ object: ObjectName) -> String {
        HoldfastClient.socketTarget(project: project, object)
    }

    /// With patience: a message to thousands of sockets is work for a node.
    func client(at endpoints: [Endpoint]) -> HoldfastClient {
        HoldfastClient(
            endpoints: endpoints, project: project, credentials: .token(token), on: loops[0],
            timeout: .seconds(60))
    }

    static func sleep(_ seconds: Double) async throws {
        try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
    }
}

/// Named figures of one workload, and how they were obtained.
struct SocketFigures: Sendable {
    struct Figure: Sendable {
        var name: String
        var value: Double
        var digits: Int
    }

    var workload: SocketWorkload
    var method: String
    var figures: [Figure] = []

    mutating func add(_ name: String, _ value: Double, digits: Int = 0) {
        figures.append(Figure(name: name, value: value, digits: digits))
    }

    mutating func add(_ name: String, _ value: Int) { add(name, Double(value)) }

    /// Median, 99th percentile and maximum, in milliseconds.
    mutating func addLatencies(_ name: String, _ nanoseconds: [UInt64]) {
        let sorted = nanoseconds.sorted()
        guard !sorted.isEmpty else { return }
        for (label, share) in [("median", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let position = Int((Double(sorted.count) * share).rounded(.up)) - 1
            add("\(name) \(label) ms", Double(sorted[max(0, position)]) / 1e6, digits: 2)
        }
    }

    var text: String {
        var table = TextTable(workload.rawValue.uppercased(), "")
        for figure in figures { table.add(figure.name, BenchReport.fixed(figure.value, figure.digits)) }
        return table.text + "\nmethod: \(method)"
    }

    var json: JSON {
        [
            "workload": .string(workload.rawValue), "method": .string(method),
            "figures": .object(figures.map { JSON.Member($0.name, .real($0.value)) }),
        ]
    }
}

/// As many open files as this process may have.
private func raiseFileLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(resource, &limit)
}
