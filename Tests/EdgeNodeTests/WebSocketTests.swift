import Cluster
import NIOCore
import NIOEmbedded
import ObjectRuntime
import Placement
import Testing

@testable import EdgeNode

/// Open sockets: frames both ways, bounds, and every way to their end.
struct WebSocketTests {
    private let ping = #"{"event":"ping"}"#

    @Test func framesAreHandedOnInOrder() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        try socket.send(
            ClientBytes.text(ping)
                + ClientBytes.text(#"{"event":"resume","connectionId":"c1","after":{"epoch":3,"index":9}}"#)
                + ClientBytes.text(#"{"event":"message","payload":{"a":1}}"#)
                + ClientBytes.text(#"{"event":"presence:join","payload":{"n":"x"}}"#)
                + ClientBytes.text(#"{"event":"presence:leave"}"#))
        #expect(
            edge.told() == [
                "opened 1 demo/room/r1", "frame 1 ping", "frame 1 resume c1 9", #"frame 1 message {"a":1}"#,
                #"frame 1 join {"n":"x"}"#, "frame 1 leave",
            ])
        // All other frames are the feed's to send.
        #expect(try socket.frames().isEmpty)
    }

    @Test func socketsWhoseClientsGoTogetherAreClosedBySteps() throws {
        let edge = try TestEdge()
        let perStep = ClosingPacing<SocketConnection>.perStep
        let sockets = try (0..<perStep + 5).map { _ in try TestSocket(edge) }
        for socket in sockets { socket.client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        edge.loop.run()
        #expect(sockets.map(\.isOpen) == sockets.indices.map { $0 >= perStep })
        edge.loop.advanceTime(by: .milliseconds(Int64(ClosingPacing<SocketConnection>.stepMs)))
        #expect(!sockets.contains { $0.isOpen })
        #expect(edge.told().count { $0.hasPrefix("closed") } == sockets.count)
    }

    @Test func junkIsIgnored() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        _ = edge.told()
        for text in [
            "", "junk", "[]", "{}", #"{"event":7}"#, #"{"event":"nobody knows"}"#,
            #"{"event":"auth","token":"x"}"#,
        ] {
            try socket.send(text)
        }
        #expect(edge.told().isEmpty)
        #expect(socket.isOpen)
        #expect(try socket.frames().isEmpty)
    }

    @Test func pingsAreAnsweredInsideOfMessages() throws {
        let socket = try TestSocket(try TestEdge())
        try socket.send(
            ClientBytes.text(#"{"event":"#, isFinal: false) + ClientBytes(opcode: 9, payload: [7, 8]).bytes)
        #expect(try socket.frames() == [.pong([7, 8])])
        try socket.send(ClientBytes(opcode: 0, payload: Array(#""ping"}"#.utf8)).bytes)
        #expect(socket.edge.told().last == "frame 1 ping")
    }

    @Test func oneFrameGoesToManyAndIsBuiltOnce() throws {
        let edge = try TestEdge()
        let sockets = try (0..<3).map { _ in try TestSocket(edge) }
        edge.deliver("hello", to: [1, 2, 3, 77], except: 2)
        #expect(try sockets.map { try $0.frames() } == [[.text("hello")], [], [.text("hello")]])
        let long = String(repeating: "é", count: 40_000)
        edge.deliver(long, to: [2])
        #expect(try sockets[1].frames() == [.text(long)])
    }

    @Test func severalFramesOfATurnStayInOrder() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        let texts = (0..<200).map { "\($0)" + String(repeating: "x", count: $0 * 20) }
        edge.edge.sockets.carryOut(
            texts.map { .deliver(frame: Array($0.utf8), loop: 2, numbers: [1], except: nil) })
        #expect(try socket.frames() == texts.map { .text($0) })
    }

    // MARK: - Bad input

    @Test func badInputGetsItsCodeAndNothingIsPassedOn() throws {
        let cases: [(bytes: [UInt8], code: UInt16)] = [
            (ClientBytes(opcode: 2, payload: [1]).bytes, 1003),
            (ClientBytes(payload: [0xFF]).bytes, 1007),
            (ClientBytes(claimedLength: 131_073).bytes, 1009),
            (ClientBytes(isMasked: false, payload: Array(ping.utf8)).bytes, 1002),
            (ClientBytes(reserved: 4, payload: Array(ping.utf8)).bytes, 1002),
            (ClientBytes(opcode: 3).bytes, 1002),
            (ClientBytes(opcode: 0).bytes, 1002),
            (ClientBytes(opcode: 9, payload: [UInt8](repeating: 0, count: 126)).bytes, 1002),
        ]
        for (bytes, code) in cases {
            let edge = try TestEdge()
            let socket = try TestSocket(edge)
            try socket.send(bytes + ClientBytes.text(ping))
            guard case .close(code, let reason) = try socket.frames().last else {
                Issue.record("no close frame with \(code)")
                continue
            }
            #expect(!reason.isEmpty)
            #expect(edge.told() == ["opened 1 demo/room/r1", "closed 1"])
            #expect(edge.edge.sockets.currentStatistics().count(of: .fault) == 1)
        }
    }

    @Test func messagesThatArriveAreBoundedPerLoop() throws {
        let edge = try TestEdge { $0.maximumArrivingMessageBytesPerLoop = 100 }
        let first = try TestSocket(edge)
        let second = try TestSocket(edge)
        try first.send(ClientBytes(isFinal: false, payload: [UInt8](repeating: 0x61, count: 60)).bytes)
        try second.send(ClientBytes(isFinal: false, payload: [UInt8](repeating: 0x61, count: 60)).bytes)
        #expect(first.isOpen)
        #expect(try second.frames().map(\.code) == [1013])
        #expect(edge.edge.sockets.arrivingBytes == 60)
        try first.channel.close().wait()
        #expect(edge.edge.sockets.arrivingBytes == 0)
    }

    // MARK: - Slow readers

    @Test func aSlowReaderIsClosedWithAReason() throws {
        let edge = try TestEdge { $0.maximumSocketQueueBytes = 10_000 }
        let slow = try TestSocket(edge)
        let other = try TestSocket(edge)
        slow.channel.isWritable = false
        let text = String(repeating: "x", count: 1_000)
        for _ in 0..<9 { edge.deliver(text, to: [1, 2]) }
        #expect(try slow.frames().isEmpty)
        #expect(edge.edge.sockets.stalledBytes > 9_000)
        _ = edge.told()
        edge.deliver(text, to: [1, 2])
        #expect(edge.told() == ["closed 1"])
        // What was queued is gone: the close frame is next.
        let frames = try slow.frames()
        #expect(frames.map(\.code) == [1013])
        #expect(edge.edge.sockets.stalledBytes == 0)
        #expect(try other.frames().count == 10)
        edge.loop.advanceTime(by: .seconds(7))
        #expect(!slow.isOpen)
        #expect(other.isOpen)
    }

    /// What one entry tells, or a client that comes back, is no sign of a slow reader.
    @Test func largeEventsAndManyAtOnceAreHeld() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        socket.channel.isWritable = false
        for _ in 0..<2 { edge.deliver(String(repeating: "x", count: (1 << 20) + 200), to: [1]) }
        for number in 0..<10_000 { edge.deliver("{\"event\":\"removeItem\",\"payload\":{\"prop\":\"\(number)\"}}", to: [1]) }
        #expect(edge.edge.sockets.currentStatistics().count(of: .slow) == 0)
        #expect(socket.isOpen)
    }

    @Test func theQueueGoesOnWhenTheClientReads() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        socket.channel.isWritable = false
        let texts = (0..<500).map { "frame \($0)" }
        for text in texts { edge.deliver(text, to: [1]) }
        #expect(try socket.frames().isEmpty)
        socket.channel.isWritable = true
        socket.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try socket.frames() == texts.map { .text($0) })
        #expect(edge.edge.sockets.stalledBytes == 0)
    }

    @Test func slowReadersOfALoopAreBoundedTogether() throws {
        let edge = try TestEdge { $0.maximumSocketQueueBytesPerLoop = 5_000 }
        let sockets = try (0..<4).map { _ in try TestSocket(edge) }
        for socket in sockets { socket.channel.isWritable = false }
        for _ in 0..<4 { edge.deliver(String(repeating: "x", count: 1_000), to: [1, 2, 3, 4]) }
        #expect(edge.edge.sockets.stalledBytes <= 5_000 + 4 * 1_100)
        #expect(edge.edge.sockets.currentStatistics().count(of: .slow) >= 1)
    }

    @Test func pingsOfAClientThatDoesNotReadAreBounded() throws {
        let edge = try TestEdge { $0.maximumSocketQueueBytes = 10_000 }
        let socket = try TestSocket(edge)
        socket.channel.isWritable = false
        let burst = (0..<200).flatMap { _ in ClientBytes(opcode: 9, payload: [UInt8](repeating: 1, count: 100)).bytes }
        try socket.send(burst)
        #expect(try socket.frames().map(\.code) == [1013])
    }

    // MARK: - Ends

    @Test func aCloseFrameIsAnsweredWithItsCode() throws {
        for code in [UInt16(1000), 4001, nil] {
            let edge = try TestEdge()
            let socket = try TestSocket(edge)
            try socket.send(ClientBytes.close(code) + ClientBytes.text(ping))
            #expect(try socket.frames() == [.close(code: code, reason: "")])
            #expect(!socket.isOpen)
            #expect(edge.told() == ["opened 1 demo/room/r1", "closed 1"])
        }
    }

    @Test func aCloseOfTheFeedWaitsForTheClient() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        edge.close(1, 4002, "because")
        #expect(try socket.frames() == [.close(code: 4002, reason: "because")])
        #expect(edge.told() == ["opened 1 demo/room/r1", "closed 1"])
        edge.deliver("late", to: [1])
        try socket.send(ping)
        #expect(socket.isOpen)
        try socket.send(ClientBytes.close(4002))
        #expect(!socket.isOpen)
        #expect(try socket.frames().isEmpty)
        #expect(edge.told().isEmpty)
        #expect(edge.edge.sockets.count == 0)
    }

    @Test func aClientThatDoesNotAnswerACloseIsCutOff() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        edge.close(1, 4002, "because")
        edge.loop.advanceTime(by: .seconds(4))
        #expect(socket.isOpen)
        edge.loop.advanceTime(by: .seconds(3))
        #expect(!socket.isOpen)
    }

    @Test func aBrokenConnectionIsToldOnce() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        try socket.channel.close().wait()
        edge.close(1, 4002, "late")
        #expect(edge.told() == ["opened 1 demo/room/r1", "closed 1"])
        #expect(edge.edge.sockets.currentStatistics().count(of: .lost) == 1)
    }

    @Test func aSilentClientIsClosed() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        edge.loop.advanceTime(by: .seconds(60))
        try socket.send(ping)
        edge.loop.advanceTime(by: .seconds(70))
        #expect(try socket.frames().isEmpty)
        edge.loop.advanceTime(by: .seconds(7))
        #expect(try socket.frames().map(\.code) == [1001])
        edge.loop.advanceTime(by: .seconds(7))
        #expect(!socket.isOpen)
        #expect(edge.told() == ["opened 1 demo/room/r1", "frame 1 ping", "closed 1"])
    }

    @Test func revocationClosesTheSocketsOfTheKey() throws {
        let edge = try TestEdge()
        let other = try TestEdge.makeKey(edge.gateway, project: "demo")
        let socket = try TestSocket(edge)
        let client = try edge.connect()
        client.authorization = TestEdge.basic(other.key.keyID, other.secret)
        _ = try client.call("GET", TestSocket.path, headers: TestSocket.handshake)
        _ = edge.told()
        edge.edge.sockets.adopt(edge.gateway.view)
        #expect(edge.told().isEmpty)
        #expect(edge.gateway.apply(.revokeKey(project: "demo", keyID: edge.keyID)) == .done)
        edge.edge.sockets.adopt(edge.gateway.view)
        #expect(try socket.frames() == [.close(code: 1008, reason: "the API key is revoked")])
        #expect(edge.told() == ["closed 1"])
        #expect(client.isOpen)
    }

    @Test func drainingSendsTheClientsElsewhere() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        edge.edge.drain()
        #expect(try socket.frames() == [.close(code: 1012, reason: "this node stops; connect to another one")])
        #expect(edge.told() == ["opened 1 demo/room/r1", "shutdown 1"])
    }

    @Test func longReasonsAreCutAtACharacter() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        edge.close(1, 4000, String(repeating: "€", count: 60))
        guard case .close(4000, let reason) = try socket.frames().first else {
            Issue.record("no close frame")
            return
        }
        #expect(reason.allSatisfy { $0 == "€" })
        #expect(reason.utf8.count <= 123 && reason.utf8.count > 115)
    }

    @Test func metricsCountSockets() throws {
        let edge = try TestEdge()
        let socket = try TestSocket(edge)
        try socket.send(ping)
        edge.deliver("x", to: [1])
        _ = try TestSocket(edge).send(ClientBytes(opcode: 2).bytes)
        let page = try edge.call("GET", "/metrics").body
        for line in [
            #"holdfast_sessions{state="open"} 1"#, "holdfast_sockets_opened_total 2",
            #"holdfast_sockets_closed_total{reason="fault"} 1"#,
            #"holdfast_socket_frames_total{direction="in"} 1"#, "holdfast_slow_readers_total 0",
        ] { #expect(page.contains(line + "\n"), "\(line)") }
    }

    @Test func randomInputNeverTraps() throws {
        var random = TestRandom(seed: 4)
        let edge = try TestEdge()
        for _ in 0..<300 {
            let socket = try TestSocket(edge)
            for _ in 0..<5 where socket.isOpen {
                var bytes = ClientBytes.text(#"{"event":"message","payload":{}}"#)
                for _ in 0..<random.next(below: 3) {
                    bytes[Int(random.next(below: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
                }
                try socket.send(random.next(below: 4) == 0 ? random.bytes(40) : bytes)
                _ = try socket.frames()
            }
            if socket.isOpen { try socket.channel.close().wait() }
        }
        #expect(edge.edge.sockets.count == 0)
        #expect(edge.edge.sockets.arrivingBytes == 0)
        let told = edge.told()
        #expect(told.filter { $0.hasPrefix("opened") }.count == 300)
        #expect(told.filter { $0.hasPrefix("closed") }.count == 300)
    }
}

extension ServerFrame {
    /// Of a close frame.
    fileprivate var code: UInt16? {
        guard case .close(let code, _) = self else { return nil }
        return code
    }
}
