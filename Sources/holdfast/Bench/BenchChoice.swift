import ArgumentParser

/// What can stand behind `--workload`.
enum BenchChoice: ExpressibleByArgument, Sendable {
    case closedLoop(BenchWorkload)
    case sockets(SocketWorkload)

    init?(argument: String) {
        if let workload = BenchWorkload(rawValue: argument) {
            self = .closedLoop(workload)
        } else if let workload = SocketWorkload(rawValue: argument) {
            self = .sockets(workload)
        } else {
            return nil
        }
    }

    static var allValueStrings: [String] {
        BenchWorkload.allCases.map(\.rawValue) + SocketWorkload.allCases.map(\.rawValue)
    }

    var closedLoop: BenchWorkload? {
        if case .closedLoop(let workload) = self { workload } else { nil }
    }

    var sockets: SocketWorkload? {
        if case .sockets(let workload) = self { workload } else { nil }
    }
}

/// Workloads that are about sockets; each has a measure of its own.
enum SocketWorkload: String, CaseIterable, Sendable {
    /// From a client at one node to a client at another, a few messages a second.
    case messageLatency = "message-latency"
    /// From one write to its event at every socket of the object.
    case fanOut = "fan-out"
    /// Memory of one node for sockets that do nothing.
    case idleSockets = "idle-sockets"
}
