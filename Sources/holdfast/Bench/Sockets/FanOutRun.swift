import HoldfastClient
import NIOCore

/// One object, many sockets over all nodes, one write after the other: when does its event reach them?
struct FanOutRun {
    private static let countDefault = 1_000
    private static let restSeconds = 0.2
    private static let arrivalSecondsMax = 30.0

    private let bench: SocketBench

    init(_ bench: SocketBench) {
        self.bench = bench
    }

    func measure() async throws -> SocketFigures {
        let count = bench.count ?? Self.countDefault
        let object = bench.object(0, of: .fanOut)
        let seats = (0..<count).map {
            Seat(endpoint: bench.endpoints[$0 % bench.endpoints.count], target: bench.target(object))
        }
        let client = bench.client(at: bench.endpoints)
        let crowd = try await Crowd.open(seats, token: bench.token, on: bench.loops)
        var latencies: [UInt64] = []
        var lasts: [UInt64] = []
        var missing = 0
        for event in 0..<bench.events {
            try await crowd.expect("setItem")
            let sent = NIODeadline.now().uptimeNanoseconds
            try await client.setItem("n", .integer(event), of: object)
            let times = try await crowd.arrivals(count, seconds: Self.arrivalSecondsMax).map { $0 - min($0, sent) }
            latencies += times
            if let last = times.max() { lasts.append(last) }
            missing += count - times.count
            try await SocketBench.sleep(Self.restSeconds)
        }
        let losses = try await crowd.losses()
        try await crowd.close()
        await client.close()
        var figures = SocketFigures(
            workload: .fanOut,
            method: "one write at a time; from sending it to the arrival of its event at each socket, "
                + "all sockets in this process on \(bench.loops.count) loops")
        figures.add("sockets", count)
        figures.add("events", bench.events)
        figures.addLatencies("per socket", latencies)
        figures.addLatencies("to the last socket", lasts)
        figures.add("missing", missing)
        figures.add("sockets lost", losses.count)
        return figures
    }
}
