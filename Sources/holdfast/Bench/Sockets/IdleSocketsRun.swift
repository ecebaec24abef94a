import HoldfastClient
import NIOCore

/// What sockets that do nothing cost the node that holds them, in resident memory.
struct IdleSocketsRun {
    private static let countDefault = 10_000
    private static let messageBytes = 16_384
    /// Until the node's memory is what it will be.
    private static let settleSeconds = 2.0
    private static let messageSecondsMax = 60.0
    private static let lanes = 16

    private let bench: SocketBench

    init(_ bench: SocketBench) {
        self.bench = bench
    }

    func measure() async throws -> SocketFigures {
        guard let pid = bench.firstPid else {
            throw CommandFailure(message: "idle-sockets wants the cluster file of a local cluster")
        }
        let count = bench.count ?? Self.countDefault
        let before = try await memory(of: pid)
        let seats = (0..<count).map { number in
            let object = bench.object(bench.isOneObject ? 0 : number, of: .idleSockets)
            return Seat(endpoint: bench.endpoints[0], target: bench.target(object))
        }
        let began = NIODeadline.now()
        let crowd = try await Crowd.open(seats, token: bench.token, on: bench.loops)
        let openingSeconds = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        let opened = try await memory(of: pid)
        try await crowd.expect("message")
        try await sendMessages(count)
        let arrived = try await crowd.arrivals(count, seconds: Self.messageSecondsMax).count
        let messaged = try await memory(of: pid)
        try await SocketBench.sleep(bench.hibernateSeconds)
        let hibernated = try await memory(of: pid)
        let losses = try await crowd.losses()
        try await crowd.close()
        var figures = SocketFigures(
            workload: .idleSockets,
            method: "VmRSS of the first endpoint's process, \(BenchReport.fixed(Self.settleSeconds, 0)) s after each "
                + "step; growth since before the sockets, divided by them; hibernation waited for "
                + "\(BenchReport.fixed(bench.hibernateSeconds, 0)) s; sockets go on sending their pings")
        figures.add("sockets", count)
        figures.add("objects", bench.isOneObject ? 1 : count)
        figures.add("opening s", openingSeconds, digits: 1)
        figures.add("rss before KiB", before / 1_024)
        let stages = [("after opening", opened), ("after a 16 KB message", messaged), ("hibernated", hibernated)]
        for (name, bytes) in stages {
            figures.add("bytes per socket \(name)", Double(bytes - before) / Double(count))
        }
        figures.add("messages that did not arrive", count - arrived)
        figures.add("sockets lost", losses.count)
        return figures
    }

    private func memory(of pid: Int32) async throws -> Int {
        try await SocketBench.sleep(Self.settleSeconds)
        guard let bytes = ProcessMemory.residentBytes(of: pid) else {
            throw CommandFailure(message: "process \(pid) is gone")
        }
        return bytes
    }

    /// Through another node where there is one, so that the requests' own memory is not counted.
    private func sendMessages(_ count: Int) async throws {
        let client = bench.client(at: [bench.endpoints[bench.endpoints.count - 1]])
        let message = JSON.string(String(repeating: "h", count: Self.messageBytes - 2))
        let objects = bench.isOneObject ? 1 : count
        let bench = bench
        try await withThrowingTaskGroup(of: Void.self) { group in
            let lanes = min(Self.lanes, objects)
            for lane in 0..<lanes {
                group.addTask {
                    for number in stride(from: lane, to: objects, by: lanes) {
                        try await client.send(message, to: bench.object(number, of: .idleSockets))
                    }
                }
            }
            try await group.waitForAll()
        }
        await client.close()
    }
}

/// Memory of processes, as the kernel counts it.
enum ProcessMemory {
    /// `nil` if the process is not there.
    static func residentBytes(of pid: Int32) -> Int? {
        (try? LocalFile.readText("/proc/\(pid)/status")).flatMap(residentBytes(status:))
    }

    static func residentBytes(status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            return words.count == 3 ? Int(words[1]).map { $0 * 1_024 } : nil
        }
        return nil
    }
}
