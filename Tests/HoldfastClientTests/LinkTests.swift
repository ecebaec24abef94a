import NIOCore
import NIOEmbedded
import Simulation
import Testing

@testable import chaos

/// The network between the nodes of a matrix does what the nemesis says, and nothing else.
@Suite struct LinkTests {
    /// Whom each of so many nodes hears, itself included.
    private func hears(_ table: LinkTable, _ count: Int) -> [Set<Int>] {
        (0..<count).map { to in
            Set((0..<count).filter { $0 == to || !table.weather(LinkTable.Way(from: $0, to: to)).isCut })
        }
    }

    @Test func `alone means heard by nobody and hearing nobody`() {
        #expect(hears(.alone(1, of: 3), 3) == [[0, 2], [1], [0, 2]])
        #expect(hears(.fair, 3) == [[0, 1, 2], [0, 1, 2], [0, 1, 2]])
    }

    @Test func `one way is cut in one direction only`() {
        #expect(hears(.oneWay(0, of: 3, isMute: true), 3) == [[0, 1, 2], [1, 2], [1, 2]])
        #expect(hears(.oneWay(0, of: 3, isMute: false), 3) == [[0], [0, 1, 2], [0, 1, 2]])
    }

    @Test func `on a ring everybody sees a majority and no two of five the same`() {
        let five = hears(.majorityRing([3, 0, 4, 1, 2]), 5)
        #expect(five.allSatisfy { $0.count == 3 })
        #expect(Set(five).count == 5)
        let three = hears(.majorityRing([2, 0, 1]), 3)
        #expect(three.allSatisfy { $0.count >= 2 })
        #expect(three.filter { $0.count == 2 }.count == 2)
    }

    @Test func `bad weather around one node leaves the others alone`() {
        let table = LinkTable.everywhere(LinkWeather(delayMs: 5...9), around: 2, of: 3)
        #expect(table.weather(LinkTable.Way(from: 0, to: 1)) == .fair)
        var generator = SeededGenerator(seed: 1)
        for way in [LinkTable.Way(from: 0, to: 2), LinkTable.Way(from: 2, to: 1)] {
            for _ in 0..<50 { #expect((5...9).contains(table.weather(way).delayMs(&generator))) }
        }
        #expect(LinkWeather.fair.delayMs(&generator) == 0)
    }

    @Test func `a loss is a stall as long as a retransmission`() {
        var generator = SeededGenerator(seed: 1)
        let delays = (0..<1_000).map { _ in LinkWeather(lossPercent: 10).delayMs(&generator) }
        let lost = delays.filter { $0 > 0 }
        #expect((50...150).contains(lost.count))
        #expect(lost.allSatisfy(LinkWeather.retransmitMs.contains))
    }

    @Test func `every two nodes have a port of their own`() async throws {
        let proxy = PeerProxy(basePort: 1_000, seed: 1)
        let maps = try await proxy.start()
        try await proxy.stop()
        let pairs = maps.flatMap { $0.split(separator: ",") }.map { $0.split(separator: "=") }
        #expect(maps.count == PeerProxy.nodesMax && pairs.allSatisfy { $0.count == 2 })
        #expect(Set(pairs.map { $0[1] }).count == PeerProxy.nodesMax * (PeerProxy.nodesMax - 1))
        #expect(maps[0].hasPrefix("1101=") && maps[1].hasPrefix("1100="))
    }
}

/// One way of one connection.
@Suite struct FlowTests {
    private final class Switch: LinkConditions {
        var isCut = false
        func isCut(_ way: LinkTable.Way) -> Bool { isCut }
        func drawDelayMs(_ way: LinkTable.Way) -> Int { 0 }
    }

    private func text(_ channel: EmbeddedChannel) throws -> String? {
        var whole: String?
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            whole = (whole ?? "") + String(buffer: bytes)
        }
        return whole
    }

    private func connected() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    @Test func `a cut holds bytes and the end back and loses none of them`() throws {
        let (source, target, weather) = (try connected(), try connected(), Switch())
        let flow = Flow(LinkTable.Way(from: 0, to: 1), from: source, to: target, under: weather)
        flow.take(ByteBuffer(string: "a"))
        #expect(try text(target) == "a")
        weather.isCut = true
        flow.take(ByteBuffer(string: "b"))
        flow.take(ByteBuffer(string: "c"))
        flow.end()
        #expect(try text(target) == nil)
        #expect(target.isActive)
        weather.isCut = false
        flow.pump()
        #expect(try text(target) == "bc")
        #expect(!target.isActive)
        #expect(flow.isOver)
    }
}
