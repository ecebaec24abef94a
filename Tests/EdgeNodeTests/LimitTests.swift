import NIOCore
import Testing

@testable import EdgeNode

struct TokenBucketTests {
    private static let secondNs: UInt64 = 1_000_000_000

    @Test(arguments: [1, 3, 7, 1_000, 999_999, 1_000_000]) func aSecondsWorthAtOnceAndThenTheRate(_ rate: UInt64) {
        var bucket = TokenBucket()
        var nowNs = 5 * Self.secondNs
        var taken: UInt64 = 0
        while bucket.take(perSecond: rate, nowNs: nowNs) == nil { taken += 1 }
        // Rounding of a token's time to nanoseconds.
        #expect(taken >= rate && taken <= rate + rate / 1_000)
        // Ten seconds, in steps that fit nothing.
        taken = 0
        while nowNs < 15 * Self.secondNs {
            nowNs += 1_234_567
            while bucket.take(perSecond: rate, nowNs: nowNs) == nil { taken += 1 }
        }
        #expect(taken >= 10 * rate - 1 && taken <= 10 * rate + rate / 100 + 1)
    }

    @Test func whoWaitsAsToldIsLetIn() throws {
        var bucket = TokenBucket()
        let nowNs = 5 * Self.secondNs
        while bucket.take(perSecond: 3, nowNs: nowNs) == nil {}
        let answer = bucket.take(perSecond: 3, nowNs: nowNs)
        let waitNs = try #require(answer)
        let early = bucket.take(perSecond: 3, nowNs: nowNs + waitNs - 1)
        let punctual = bucket.take(perSecond: 3, nowNs: nowNs + waitNs)
        #expect(early != nil && punctual == nil)
    }

    @Test func aLongPauseGivesNoMoreThanASecond() {
        var bucket = TokenBucket()
        _ = bucket.take(perSecond: 5, nowNs: 2 * Self.secondNs)
        var taken = 0
        while bucket.take(perSecond: 5, nowNs: .max - Self.secondNs) == nil { taken += 1 }
        #expect(taken == 5)
    }

    @Test func aDebtIsPaidWithinASecond() throws {
        var bucket = TokenBucket()
        let nowNs = 5 * Self.secondNs
        #expect(bucket.take(perSecond: 10, nowNs: nowNs) == nil)
        bucket.charge(5, perSecond: 10, nowNs: nowNs)
        var taken = 0
        while bucket.take(perSecond: 10, nowNs: nowNs) == nil { taken += 1 }
        #expect(taken == 4, "one was taken, five were charged")
        bucket.charge(7, perSecond: 10, nowNs: nowNs)
        #expect(bucket.take(perSecond: 10, nowNs: nowNs) == 800_000_000, "seven are owed before the next")
        bucket.charge(.max, perSecond: 10, nowNs: nowNs)
        #expect(bucket.take(perSecond: 10, nowNs: nowNs) == Self.secondNs)
        #expect(bucket.take(perSecond: 10, nowNs: nowNs + Self.secondNs) == nil)
    }

    @Test func aClockThatGoesBackShutsNobodyOut() throws {
        var bucket = TokenBucket()
        while bucket.take(perSecond: 5, nowNs: 100 * Self.secondNs) == nil {}
        let answer = bucket.take(perSecond: 5, nowNs: 2 * Self.secondNs)
        let waitNs = try #require(answer)
        #expect(waitNs <= Self.secondNs)
    }
}

struct RateTableTests {
    private func subject(_ number: Int) -> RateTable.Subject { .object(project: "p", objectClass: "c", id: "\(number)") }

    @Test func subjectsDoNotShareTheirRates() {
        var table = RateTable()
        let subjects = [subject(1), subject(1), subject(2), .key(project: "p", keyID: "1")]
        let waits = subjects.map { table.take($0, perSecond: 1, nowNs: 5_000_000_000) }
        #expect(waits == [nil, 1_000_000_000, nil, nil])
    }

    @Test func inventedNamesDoNotMakeItGrow() {
        var table = RateTable()
        let nowNs: UInt64 = 5_000_000_000
        for number in 0..<3 * RateTable.subjectsMax { _ = table.take(subject(number), perSecond: 10, nowNs: nowNs) }
        #expect(table.count == RateTable.subjectsMax)
        // Those without a place share one rate, and those with one keep theirs.
        let stranger = table.take(subject(3 * RateTable.subjectsMax), perSecond: 10, nowNs: nowNs)
        let resident = table.take(subject(0), perSecond: 10, nowNs: nowNs)
        // Later there is room again.
        let later = table.take(subject(4 * RateTable.subjectsMax), perSecond: 10, nowNs: nowNs + 2_000_000_000)
        #expect(stranger != nil && resident == nil && later == nil)
        #expect(table.count < RateTable.subjectsMax)
    }
}

struct AddressTableTests {
    private func address(_ text: String) throws -> AddressTable.Address {
        AddressTable.Address(try SocketAddress(ipAddress: text, port: 1))
    }

    @Test func oneNetworkOfACustomerIsOneAddress() throws {
        #expect(try address("10.0.0.1") == address("10.0.0.1"))
        #expect(try address("10.0.0.1") != address("10.0.0.2"))
        #expect(try address("2001:db8:1:2::1") == address("2001:db8:1:2:ffff::9"))
        #expect(try address("2001:db8:1:2::1") != address("2001:db8:1:3::1"))
        #expect(try address("::ffff:10.0.0.1") == address("10.0.0.1"))
        #expect(try address("::1") != address("0.0.0.1"))
    }

    @Test func whoLeavesMakesRoom() throws {
        var table = AddressTable()
        let (one, other) = (try address("10.0.0.1"), try address("10.0.0.2"))
        let entered = [one, one, one, other].map { table.enter($0, limit: 2) }
        #expect(entered == [true, true, false, true])
        table.leave(one)
        let again = table.enter(one, limit: 2)
        #expect(again)
        for _ in 0..<2 { table.leave(one) }
        table.leave(other)
        #expect(table.count == 0)
    }
}

struct RateLimitTests {
    private static let path = "/project/demo/cache/c/o/a"

    @Test func aConnectionAKeyAndAnObjectHaveTheirRates() throws {
        let limits: [(String, WritableKeyPath<HTTPSettings, UInt64>)] = [
            ("connection", \.connectionRate), ("key", \.keyRate), ("object", \.objectRate),
        ]
        for (name, limit) in limits {
            let edge = try TestEdge { $0[keyPath: limit] = 3 }
            edge.loop.advanceTime(by: .seconds(5))
            let client = try edge.connect()
            for _ in 0..<3 { #expect(try client.call("GET", Self.path).status == 404, "\(name)") }
            let refused = try client.call("POST", Self.path, #"{"value":1}"#)
            #expect(refused.status == 429 && refused.code == "rateLimitError.\(name)")
            #expect(refused.json?["applied"]?.text == "no")
            #expect(refused.json?["retryAfterMs"]?.count == 334)
            #expect(refused.headers.contains { $0.name.lowercased() == "retry-after" && $0.value == "1" })
            // Another connection, key and object go on.
            let other = try edge.connect()
            let isShared = name != "connection"
            #expect(try other.call("GET", Self.path).status == (isShared ? 429 : 404))
            #expect(try edge.call("GET", "/project/demo/cache/c/p/a").status == (name == "key" ? 429 : 404))
            edge.loop.advanceTime(by: .milliseconds(334))
            #expect(try client.call("GET", Self.path).status == 404, "nothing was written, and the next is let in")
        }
    }

    /// Who asks on and on costs the node nothing: its connection has its turn again when the pause is over.
    @Test func aRefusedConnectionIsNotReadFromForAWhile() throws {
        let edge = try TestEdge { $0.keyRate = 1 }
        edge.loop.advanceTime(by: .seconds(5))
        let client = try edge.connect()
        #expect(try client.call("GET", Self.path).status == 404)
        #expect(try client.call("GET", Self.path).status == 429)
        try client.send(client.request("GET", Self.path))
        edge.loop.advanceTime(by: .milliseconds(99))
        #expect(try client.received().isEmpty)
        edge.loop.advanceTime(by: .milliseconds(1))
        #expect(try client.received().map(\.status) == [429])
        #expect(try edge.connect().call("GET", "/version").status == 200, "others are served")
    }

    @Test func bytesCountBothWays() throws {
        let edge = try TestEdge { $0.keyRate = 16 }
        edge.loop.advanceTime(by: .seconds(5))
        let value = #"{"value":""# + String(repeating: "x", count: 4 * HTTPEdge.bytesPerToken) + #""}"#
        // One for the request, four for its body, four for the answer, which has the value too.
        #expect(try edge.call("POST", Self.path, value).status == 200)
        #expect(try edge.call("GET", Self.path).status == 200)
        let small = try (0..<3).map { _ in try edge.call("GET", "/project/demo/cache/c/p/a").status }
        #expect(small == [404, 404, 429], "nine and five of sixteen are gone")
    }

    @Test func wrongCredentialsUseUpNobodysRate() throws {
        let edge = try TestEdge { $0.keyRate = 1 }
        edge.loop.advanceTime(by: .seconds(5))
        for _ in 0..<5 {
            #expect(
                try edge.call("GET", Self.path, authorization: "Basic " + Base64.encodePadded(Array("\(edge.keyID):no".utf8)))
                    .status == 401)
        }
        #expect(try edge.call("GET", Self.path).status == 404)
    }

    @Test func encodedBodiesAreNotUnpacked() throws {
        let edge = try TestEdge()
        let refused = try edge.call(
            "POST", Self.path, #"{"value":1}"#, headers: [("Content-Encoding", "gzip")])
        #expect(refused.status == 415 && refused.json?["applied"]?.text == "no")
        #expect(
            try edge.call("POST", Self.path, #"{"value":1}"#, headers: [("Content-Encoding", "Identity")]).status == 200)
    }
}
