import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeNode

/// Framing, order, keep-alive and limits of one connection.
struct ConnectionTests {
    private let item = "/project/demo/cache/c/o/n"

    @Test func aConnectionServesOneRequestAfterTheOther() throws {
        let client = try TestEdge().connect()
        for number in 1...5 {
            let answer = try client.call("POST", item + "/increment", #"{"value":1}"#)
            #expect(answer.json?["value"] == .number(Double(number)))
            #expect(answer["Keep-Alive"] == "timeout=75")
            #expect(answer["Connection"] == nil)
        }
        #expect(client.isOpen)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let client = try TestEdge().connect()
        let requests = (1...50).map { _ in client.request("POST", item + "/increment", #"{"value":1}"#) }
        try client.send(requests.joined())
        #expect(try client.received().map { $0.json?["value"] } == (1...50).map { .number(Double($0)) })
    }

    @Test func aLateAnswerHoldsBackThoseBehindIt() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        edge.gateway.holdsAnswers = true
        try client.send(
            client.request("POST", item, #"{"value":"first"}"#) + client.request("GET", "/livez")
                + client.request("GET", item))
        #expect(try client.received().isEmpty)
        #expect(edge.gateway.requests.count == 1)
        edge.gateway.release()
        edge.loop.run()
        // The health page was ready at once, yet it came after the first answer.
        #expect(try client.received().map(\.status) == [200, 200])
        edge.gateway.release()
        edge.loop.run()
        #expect(try client.received().map { $0.json?["value"] } == [.string("first")])
    }

    @Test func answersOfOneReadBurstShareAFlush() throws {
        let client = try TestEdge().connect()
        let flushes = FlushCounter()
        try client.channel.pipeline.syncOperations.addHandler(flushes, position: .first)
        try client.send(String(repeating: client.request("GET", "/livez"), count: 20))
        #expect(try client.received().count == 20)
        #expect(flushes.count == 1)
    }

    @Test func answersOfOneTurnShareAFlush() throws {
        let edge = try TestEdge()
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        let flushes = FlushCounter()
        try client.channel.pipeline.syncOperations.addHandler(flushes, position: .first)
        try client.send(
            client.request("GET", item) + String(repeating: client.request("GET", "/livez"), count: 9))
        edge.gateway.release()
        #expect(try client.received().isEmpty)
        edge.edge.flushAnswers()
        #expect(try client.received().count == 10)
        edge.loop.run()
        #expect(flushes.count == 1)
    }

    @Test func bytesMayArriveOneByOne() throws {
        let client = try TestEdge().connect()
        for byte in client.request("POST", item, #"{"value":[1,2]}"#).utf8 { try client.send([byte]) }
        #expect(try client.received().map(\.status) == [200])
    }

    @Test func chunkedBodiesArePutTogether() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        try client.send(
            "POST \(item) HTTP/1.1\r\nAuthorization: \(edge.basic)\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "8\r\n{\"value\"\r\n4;x=y\r\n:123\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n")
        #expect(try client.received().first?.json?["value"] == .number(123))
    }

    @Test func connectionCloseIsHonoured() throws {
        let client = try TestEdge().connect()
        let closing = client.request("GET", "/livez", headers: [("Connection", "close")])
        try client.send(closing + client.request("GET", "/livez"))
        let answers = try client.received()
        #expect(answers.count == 1)
        #expect(answers[0]["Connection"] == "close")
        #expect(answers[0]["Keep-Alive"] == nil)
        #expect(!client.isOpen)
    }

    @Test func http10ClosesUnlessAskedToKeepAlive() throws {
        let edge = try TestEdge()
        let closing = try edge.connect()
        try closing.send("GET /livez HTTP/1.0\r\n\r\n")
        #expect(try closing.received().first?["Connection"] == "close")
        #expect(!closing.isOpen)
        let kept = try edge.connect()
        try kept.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try kept.received().first?["Connection"] == "keep-alive")
        #expect(kept.isOpen)
    }

    @Test func expectContinueIsAnsweredBeforeTheBody() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        try client.send(
            "POST \(item) HTTP/1.1\r\nAuthorization: \(edge.basic)\r\nExpect: 100-continue\r\n"
                + "Content-Length: 11\r\n\r\n")
        #expect(try client.received().map(\.status) == [100])
        try client.send(#"{"value":1}"#)
        #expect(try client.received().map(\.status) == [200])
    }

    @Test func expectContinueWaitsForEarlierAnswers() throws {
        let edge = try TestEdge()
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        try client.send(
            client.request("GET", item) + "POST \(item) HTTP/1.1\r\nAuthorization: \(edge.basic)\r\n"
                + "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n")
        #expect(try client.received().isEmpty)
        edge.gateway.release()
        edge.loop.run()
        #expect(try client.received().map(\.status) == [404, 100])
    }

    @Test func aTooLargeBodyIsRefusedInsteadOfContinued() throws {
        let client = try TestEdge().connect()
        try client.send("POST \(item) HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
        #expect(try client.received().map(\.status) == [413])
    }

    @Test func aRequestToUpgradeIsAnsweredAndEndsTheConnection() throws {
        let client = try TestEdge().connect()
        try client.send(
            "GET /project/demo/cache-keys HTTP/1.1\r\nConnection: Upgrade\r\n"
                + "Upgrade: websocket\r\n\r\nrest"
        )
        let answer = try #require(try client.received().first)
        #expect(answer.status == 404)
        #expect(answer["Connection"] == "close")
        #expect(!client.isOpen)
    }

    @Test func headGivesTheHeadOnly() throws {
        let client = try TestEdge().connect()
        try client.send(client.request("HEAD", "/livez") + client.request("HEAD", "/livez"))
        let answers = try client.received(bodiless: true)
        #expect(answers.map(\.status) == [200, 200])
        #expect(answers[0]["Content-Length"] == "3")
    }

    @Test func aSlowRequestIsEndedInTime() throws {
        let edge = try TestEdge()
        for beginning in ["", "GET /livez HT", "POST \(item) HTTP/1.1\r\nContent-Length: 5\r\n\r\n12"] {
            let client = try edge.connect()
            if !beginning.isEmpty { try client.send(beginning) }
            edge.loop.advanceTime(by: .seconds(29))
            #expect(client.isOpen)
            edge.loop.advanceTime(by: .seconds(3))
            #expect(try client.received().first?.status == 408)
            #expect(!client.isOpen)
        }
    }

    @Test func aDribbleOfBytesDoesNotProlongARequest() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        try client.send("GET /livez HTTP/1.1\r\n")
        for _ in 0..<31 {
            if client.isOpen { try client.send("X: y\r\n") }
            edge.loop.advanceTime(by: .seconds(1))
        }
        edge.loop.advanceTime(by: .seconds(1))
        #expect(!client.isOpen)
    }

    @Test func idleConnectionsStayLongerThanAnnouncedAndThenEnd() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        #expect(try client.call("GET", "/livez").status == 200)
        edge.loop.advanceTime(by: .seconds(89))
        #expect(client.isOpen)
        edge.loop.advanceTime(by: .seconds(3))
        #expect(!client.isOpen)
    }

    /// Going on to send keeps no connection whose answers are not read.
    @Test func whoDoesNotReadIsIdleHoweverMuchItSends() throws {
        let edge = try TestEdge()
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        try client.send(client.request("GET", item))
        client.channel.isWritable = false
        edge.gateway.release()
        edge.loop.run()
        edge.edge.flushAnswers()
        for _ in 0..<3 {
            edge.loop.advanceTime(by: .seconds(28))
            #expect(client.isOpen)
            try client.send(client.request("GET", "/livez"))
        }
        edge.loop.advanceTime(by: .seconds(10))
        #expect(!client.isOpen)
    }

    @Test func whoLeavesMostAnswersUnreadIsCutOff() throws {
        let edge = try TestEdge { $0.maximumUnreadBytesPerLoop = 250_000 }
        let text = String(repeating: "x", count: 100_000)
        #expect(try edge.call("POST", item, #"{"value":"\#(text)"}"#).status == 200)
        let slow = try edge.connect()
        let holder = AnswerHolder()
        try slow.channel.pipeline.syncOperations.addHandler(holder, position: .first)
        for _ in 0..<2 { try slow.send(slow.request("GET", item)) }
        #expect(slow.isOpen)
        // Who takes its answers is asked for nothing.
        for _ in 0..<5 { #expect(try edge.call("GET", item).status == 200) }
        #expect(slow.isOpen)
        let other = try edge.connect()
        let holderOfOne = AnswerHolder()
        try other.channel.pipeline.syncOperations.addHandler(holderOfOne, position: .first)
        try other.send(other.request("GET", item))
        #expect(!slow.isOpen)
        #expect(other.isOpen)
        for holder in [holder, holderOfOne] { holder.letGo() }
        #expect(edge.edge.unreadBytes == 0)
    }

    @Test func aRequestBeingServedIsNotIdle() throws {
        let edge = try TestEdge()
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        try client.send(client.request("GET", item))
        edge.loop.advanceTime(by: .seconds(300))
        #expect(client.isOpen)
        edge.gateway.release()
        edge.loop.run()
        #expect(try client.received().map(\.status) == [404])
    }

    @Test func connectionsPerLoopAreBounded() throws {
        let edge = try TestEdge { $0.maximumConnectionsPerLoop = 2 }
        let first = try edge.connect()
        _ = try edge.connect()
        #expect(throws: HTTPEdge.TooManyConnections.self) { try edge.connect() }
        try first.channel.close().wait()
        _ = try edge.connect()
    }

    @Test func waitingRequestsStopTheReading() throws {
        let edge = try TestEdge { $0.maximumPipelinedRequests = 4 }
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        let reads = ReadCounter()
        try client.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        client.channel.read()
        #expect(reads.count == 1)
        try client.send(String(repeating: client.request("GET", item), count: 5))
        client.channel.read()
        #expect(reads.count == 1)
        edge.gateway.release()
        edge.loop.run()
        #expect(reads.count == 2)
    }

    @Test func anAnswerAfterTheClientHasGoneIsDropped() throws {
        let edge = try TestEdge()
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        try client.send(client.request("GET", item))
        try client.channel.close().wait()
        edge.gateway.release()
        edge.loop.run()
        #expect(try edge.call("GET", "/livez").status == 200)
    }

    @Test func aClientThatClosesItsHalfStillGetsItsAnswers() throws {
        let edge = try TestEdge()
        edge.gateway.holdsAnswers = true
        let client = try edge.connect()
        try client.send(client.request("GET", item) + client.request("GET", "/livez"))
        client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(client.isOpen)
        edge.gateway.release()
        edge.loop.run()
        #expect(try client.received().map(\.status) == [404, 200])
        #expect(!client.isOpen)
    }

    @Test func clientsThatGoTogetherAreClosedByStepsWhileOthersAreServed() throws {
        let edge = try TestEdge()
        let perStep = ClosingPacing<HTTPConnection>.perStep
        let clients = try (0..<2 * perStep + 5).map { _ in try edge.connect() }
        let other = try edge.connect()
        for client in clients { client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        edge.loop.run()
        #expect(clients.map(\.isOpen) == clients.indices.map { $0 >= perStep })
        #expect(try other.call("GET", "/livez").status == 200)
        for _ in 0..<2 { edge.loop.advanceTime(by: .milliseconds(Int64(ClosingPacing<HTTPConnection>.stepMs))) }
        #expect(!clients.contains { $0.isOpen } && other.isOpen)
    }

    @Test func drainingEndsIdleConnectionsAndLetsOthersFinish() throws {
        let edge = try TestEdge()
        let idle = try edge.connect()
        #expect(try idle.call("GET", "/livez").status == 200)
        let busy = try edge.connect()
        edge.gateway.holdsAnswers = true
        try busy.send(busy.request("GET", item))
        edge.edge.drain()
        #expect(!idle.isOpen)
        #expect(busy.isOpen)
        edge.gateway.release()
        edge.loop.run()
        #expect(try busy.received().first?["Connection"] == "close")
        #expect(!busy.isOpen)
    }

    @Test func preflightNamesEveryHeaderThatClientsSend() throws {
        let client = try TestEdge().connect()
        client.authorization = ""
        let answer = try client.call(
            "OPTIONS", item,
            headers: [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")])
        #expect(answer.status == 204)
        #expect(answer["Access-Control-Allow-Origin"] == "*")
        #expect(answer["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS")
        #expect(answer["Access-Control-Max-Age"] == "86400")
        let allowed = try #require(answer["Access-Control-Allow-Headers"]).lowercased()
        for header in [
            "authorization", "content-type", "x-enc-kv", "x-id-sig", "x-id-sig-kv",
            "x-vaultrice-auth-token",
            "x-vaultrice-auth-signature", "idempotency-key", "holdfast-min-index",
        ] { #expect(allowed.split(separator: ", ").contains(Substring(header)), "\(header)") }
        #expect(client.isOpen)
    }
}

/// A client that does not read: what is written to it waits here.
final class AnswerHolder: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private var promises: [EventLoopPromise<Void>?] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        promises.append(promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .all { letGo() }
        context.close(mode: mode, promise: promise)
    }

    func letGo() {
        for promise in promises { promise?.fail(ChannelError.ioOnClosedChannel) }
        promises = []
    }
}

final class FlushCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var count = 0

    func flush(context: ChannelHandlerContext) {
        count += 1
        context.flush()
    }
}

final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}
