import Testing

@testable import ObjectRuntime

/// Exactly once: the window of operation ids (O10).
@Suite struct WindowTests {
    private var owner = TestOwner()
    private let stream = EdgeStream(incarnation: 3, loop: 1)
    private let add = Operation.increment("n", by: 1, WriteOptions())

    private func edge(_ counter: UInt64) -> OperationID { .edge(stream: stream, counter: counter) }

    private func client(_ key: String, hash: UInt64 = 1) -> OperationID {
        .client(apiKey: "api", key: key, requestHash: hash)
    }

    // MARK: ids of edges

    @Test mutating func aRetryGetsTheFirstAnswerAndNoSecondEffect() throws {
        let first = try owner.run(add, id: edge(1))
        owner.nowMs = 9000
        _ = try owner.run(add, id: edge(2))
        let again = try owner.run(add, id: edge(1), isRetry: true)
        #expect(
            again.replayed && again.reply == first.reply && again.index == first.index
                && again.applied == .yes)
        #expect(owner.value("n") == "2")
    }

    @Test mutating func aReplayRestsOnItsEntry() throws {
        let request = Request(object: TestOwner.object("o"), operation: add, id: edge(1))
        _ = owner.execute(request)
        guard case .replay(_, let restsOn) = owner.execute(request) else { throw Surprise.notReplayed }
        #expect(restsOn == 1)
    }

    enum Surprise: Error { case notReplayed, notRead }

    @Test mutating func everyKindOfAnswerIsReplayed() throws {
        _ = try owner.setAll(#"{"old":{"value":1}}"#)
        let operations: [Operation] = [
            add, .setItem(ItemWrite(name: "s", value: Array(#""v""#.utf8))), .removeItem("old"),
            .rotateEncryption(saltBytes: 4),
            .setItems([ItemWrite(name: "p", value: [0x31]), ItemWrite(name: "q", value: [0x32])]),
            .push("l", value: [0x31], WriteOptions()), .push("l", value: [0x32], WriteOptions()),
            .removeItems(["s", "p"]),
        ]
        var answers: [Answer] = []
        for (counter, operation) in operations.enumerated() {
            answers.append(try owner.run(operation, id: edge(UInt64(counter))))
        }
        _ = try owner.run(.clear)
        var successor = owner
        successor.state = try ShardState(snapshot: owner.state.encodeSnapshot())
        for (counter, operation) in operations.enumerated() {
            for var node in [owner, successor] {
                let again = try node.run(operation, id: edge(UInt64(counter)), isRetry: true)
                #expect(
                    again.replayed && again.reply == answers[counter].reply
                        && again.index == answers[counter].index)
            }
        }
    }

    @Test mutating func anIDIsKeptUntilItsEdgeSettlesItHoweverBusyTheShardIs() throws {
        _ = try owner.run(add, id: edge(1))
        for counter in 2...500 { _ = try owner.run(add, id: edge(UInt64(counter)), settledBelow: 1) }
        #expect(try owner.run(add, id: edge(1), isRetry: true).replayed)
        #expect(owner.state.windowCount == 500)
        _ = try owner.run(add, id: edge(501), settledBelow: 400)
        #expect(owner.state.windowCount == 102)
        #expect(try owner.run(add, id: edge(400), isRetry: true).replayed)
        #expect(owner.value("n") == "501")
    }

    @Test mutating func aLateCopyOfASettledOperationIsNeverExecuted() throws {
        _ = try owner.run(add, id: edge(1))
        _ = try owner.run(add, id: edge(2), settledBelow: 2)
        for isRetry in [false, true] {
            let late = try owner.run(add, id: edge(1), isRetry: isRetry, knownIndex: 0)
            #expect(late.text == "409 outcomeUnknown" && late.applied == .unknown)
        }
        #expect(owner.value("n") == "2")
    }

    @Test mutating func theSettledWatermarkOnlyRises() throws {
        for counter in 1...5 { _ = try owner.run(add, id: edge(UInt64(counter))) }
        _ = try owner.run(add, id: edge(6), settledBelow: 4)
        _ = try owner.run(add, id: edge(7), settledBelow: 2)
        #expect(try owner.run(add, id: edge(3)).applied == .unknown)
        #expect(try owner.run(add, id: edge(4)).replayed)
    }

    @Test mutating func nothingIsDroppedOnSpeculation() throws {
        _ = try owner.run(add, id: edge(1))
        _ = owner.execute(
            Request(object: TestOwner.object("o"), operation: add, id: edge(2), settledBelow: 2))
        #expect(owner.state.windowCount == 2)
        owner.state.rollBack(above: 1)
        #expect(owner.state.windowCount == 1)
        owner.index = 1
        owner.payloads = []
        #expect(try owner.run(add, id: edge(1), isRetry: true).replayed)
    }

    @Test mutating func anOperationThatWasRolledBackIsExecutedOnRetry() throws {
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: add, id: edge(1)))
        owner.state.rollBack(above: 0)
        owner.index = 0
        owner.payloads = []
        let again = try owner.run(add, id: edge(1), isRetry: true)
        #expect(!again.replayed && owner.value("n") == "1")
    }

    @Test mutating func countersOfEdgesLoopsAndIncarnationsAreApart() throws {
        for (incarnation, loop) in [(3, 1), (3, 2), (4, 1)] as [(UInt64, UInt16)] {
            let id = OperationID.edge(stream: EdgeStream(incarnation: incarnation, loop: loop), counter: 1)
            #expect(try !owner.run(add, id: id).replayed)
        }
        #expect(owner.value("n") == "3")
    }

    @Test mutating func countersMayArriveOutOfOrder() throws {
        for counter in [5, 2, 9, 7, 1] as [UInt64] { _ = try owner.run(add, id: edge(counter)) }
        for counter in [1, 2, 5, 7, 9] as [UInt64] { #expect(try owner.run(add, id: edge(counter)).replayed) }
        #expect(try !owner.run(add, id: edge(6)).replayed)
    }

    @Test mutating func aRetiredIncarnationIsForgottenAndItsLateCopiesAreNotExecuted() throws {
        _ = try owner.run(add, id: edge(1))
        _ = try owner.run(add, id: .edge(stream: EdgeStream(incarnation: 4, loop: 0), counter: 1))
        #expect(owner.state.streamIncarnations == [3, 4])
        let context = owner.context()
        let retirement = owner.state.executeRetirement(of: [3], context)
        let (payload, index) = try #require(retirement)
        owner.index = index
        owner.payloads.append((index, payload))
        #expect(owner.state.windowCount == 2)
        try owner.commitAll()
        #expect(owner.state.streamIncarnations == [4] && owner.state.windowCount == 1)
        #expect(try owner.run(add, id: edge(1), isRetry: true).applied == .unknown)
        #expect(try owner.run(add, id: edge(2)).applied == .unknown)
        #expect(owner.value("n") == "2")
    }

    @Test mutating func refusalsAndReadsOfEdgesAreNotKept() throws {
        _ = try owner.run(.getItem("x"), id: edge(1))
        _ = try owner.run(.merge("x", members: [0x7B, 0x7D], WriteOptions(updatedAt: 1)), id: edge(2))
        #expect(owner.state.windowCount == 0 && owner.index == 0)
    }

    // MARK: keys of clients

    @Test mutating func aClientsRetryGetsTheFirstAnswer() throws {
        let first = try owner.run(add, id: client("k"))
        let again = try owner.run(add, id: client("k"))
        #expect(again.replayed && again.reply == first.reply && again.index == 1)
        #expect(owner.value("n") == "1")
    }

    @Test mutating func theSameKeyWithAnotherRequestIsRefused() throws {
        _ = try owner.run(add, id: client("k"))
        let other = try owner.run(add, id: client("k", hash: 2))
        #expect(other.text == "422 validationError.idempotencyKey.reused" && other.applied == .no)
    }

    @Test mutating func keysAreScopedByObjectAndAPIKey() throws {
        _ = try owner.run(add, id: client("k"))
        #expect(try !owner.run(add, on: TestOwner.object("other"), id: client("k")).replayed)
        #expect(try !owner.run(add, id: .client(apiKey: "api2", key: "k", requestHash: 1)).replayed)
        #expect(try owner.run(add, id: client("k")).replayed)
    }

    @Test mutating func refusalsAndEmptyResultsAreKeptForClients() throws {
        let mismatch = Operation.setItem(
            ItemWrite(name: "x", value: [0x31], options: WriteOptions(updatedAt: 5)))
        let absent = Operation.setItem(ItemWrite(name: "n", value: [0x31], ifAbsent: true))
        _ = try owner.run(add)
        let operations: [Operation] = [
            mismatch, absent, .removeItems([]), .clear, .encryptionSettings(saltBytes: 8),
            .encryptionSettings(saltBytes: 8), .setItems([]),
        ]
        var first: [Answer] = []
        for (number, operation) in operations.enumerated() {
            first.append(try owner.run(operation, id: client("\(number)")))
        }
        #expect(first[0].applied == .no && first[0].index == 2 && first[1].text == "204")
        // Now everything would come out otherwise.
        _ = try owner.run(.rotateEncryption(saltBytes: 8))
        for (number, operation) in operations.enumerated() {
            let again = try owner.run(operation, id: client("\(number)"))
            #expect(
                again.replayed && again.reply == first[number].reply && again.applied == first[number].applied
            )
        }
    }

    @Test mutating func aKeyIsKeptForTenMinutesOfTheWindowsAge() throws {
        owner.windowAgeMs = 70_000
        _ = try owner.run(add, id: client("k"))
        owner.windowAgeMs += 599_999
        _ = try owner.run(add)
        #expect(try owner.run(add, id: client("k")).replayed)
        owner.windowAgeMs += 1
        #expect(try owner.run(add, id: client("k")).replayed, "only an entry makes the window older")
        _ = try owner.run(add)
        #expect(try !owner.run(add, id: client("k")).replayed)
        #expect(owner.value("n") == "4")
    }

    @Test mutating func aWallClockThatJumpsDropsNoKey() throws {
        let first = try owner.run(add, id: client("k"))
        owner.nowMs += 3_600_000
        _ = try owner.run(add)
        #expect(owner.state.logTimeMs == 3_601_000 && owner.state.windowAgeMs == 0)
        let again = try owner.run(add, id: client("k"))
        #expect(again.replayed && again.reply == first.reply)
        #expect(owner.value("n") == "2")
    }

    @Test mutating func aWallClockThatStandsStillKeepsNoKeyForEver() throws {
        _ = try owner.run(add, id: client("k"))
        owner.windowAgeMs += 600_000
        _ = try owner.run(add)
        #expect(owner.state.windowCount == 0 && owner.replica.windowCount == 0)
    }

    @Test mutating func theAgeNeverFalls() throws {
        owner.windowAgeMs = 600_000
        _ = try owner.run(add, id: client("k"))
        owner.windowAgeMs = 0
        _ = try owner.run(add, id: client("later"))
        #expect(owner.state.windowAgeMs == 600_000 && owner.replica.windowAgeMs == 600_000)
        owner.windowAgeMs = 1_199_999
        _ = try owner.run(add)
        #expect(owner.state.windowCount == 2, "the later key was made at the age that the log had reached")
    }

    @Test mutating func rollingBackRestoresTheAge() throws {
        _ = try owner.run(add, id: client("k"))
        owner.windowAgeMs = 600_000
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: add, id: client("lost")))
        #expect(owner.state.windowAgeMs == 600_000)
        owner.state.rollBack(above: 1)
        owner.index = 1
        owner.payloads = []
        #expect(owner.state.windowAgeMs == 0)
        owner.windowAgeMs = 1
        _ = try owner.run(add)
        #expect(owner.state.windowAgeMs == 1)
        #expect(try owner.run(add, id: client("k")).replayed)
    }

    @Test mutating func aRetirementKeepsTheAge() throws {
        owner.windowAgeMs = 5_000
        _ = try owner.run(add, id: edge(1))
        owner.windowAgeMs = 9_000
        let context = owner.context()
        let retirement = owner.state.executeRetirement(of: [3], context)
        let (payload, index) = try #require(retirement)
        owner.index = index
        owner.payloads.append((index, payload))
        try owner.commitAll()
        #expect(owner.state.windowAgeMs == 5_000 && owner.replica.windowAgeMs == 5_000)
    }

    @Test mutating func aSnapshotCarriesTheAge() throws {
        owner.windowAgeMs = 5_000
        _ = try owner.run(add, id: client("k"))
        owner.windowAgeMs = 7_000
        _ = try owner.run(add)
        let successor = try ShardState(snapshot: owner.state.encodeSnapshot())
        #expect(successor.windowAgeMs == 7_000 && successor.window == owner.state.window)
    }

    @Test mutating func anEdgesRetryOfAKeyThatMayHaveBeenDroppedIsNotExecuted() throws {
        for _ in 0..<3 { _ = try owner.run(add) }
        _ = try owner.run(add, id: client("k"))
        owner.windowAgeMs += 600_000
        _ = try owner.run(add)
        let before = try owner.run(add, id: client("k"), isRetry: true, knownIndex: 4)
        #expect(before.text == "409 outcomeUnknown" && before.applied == .unknown)
        #expect(try owner.run(add, id: client("k2"), isRetry: true, knownIndex: 5).applied == .yes)
        #expect(owner.value("n") == "6")
    }

    @Test mutating func aRetryThatCannotHaveBeenDroppedIsExecuted() throws {
        #expect(try owner.run(add, id: client("k"), isRetry: true, knownIndex: 0).applied == .yes)
        #expect(try owner.run(add, id: edge(5), isRetry: true, knownIndex: 0).applied == .yes)
    }

    @Test mutating func overTheBoundNewKeysAreRefusedAndNoneIsDroppedEarly() throws {
        owner.limits.clientKeysPerShard = 3
        for number in 0..<3 { _ = try owner.run(add, id: client("\(number)")) }
        let refused = try owner.run(add, id: client("3"))
        #expect(
            refused.text == "429 rateLimitError.idempotencyKeys" && refused.applied == .no && owner.index == 3
        )
        #expect(try owner.run(add, id: client("0")).replayed)
        #expect(try owner.run(add, id: edge(1)).applied == .yes)
        // When the time of some is over, there is room again, without any other entry.
        owner.nowMs += 3_600_000
        #expect(try owner.run(add, id: client("3")).applied == .no, "a wall clock makes no room")
        owner.windowAgeMs += 600_000
        #expect(try owner.run(add, id: client("3")).applied == .yes)
        #expect(owner.value("n") == "5")
    }

    @Test mutating func theBytesOfKeysAreBounded() throws {
        owner.limits.clientKeyBytesPerShard = 500
        let set = Operation.setItem(
            ItemWrite(name: "x", value: Array("\"\(String(repeating: "x", count: 600))\"".utf8)))
        #expect(try owner.run(set, id: client("a")).applied == .yes)
        #expect(try owner.run(set, id: client("b")).text == "429 rateLimitError.idempotencyKeys")
    }

    @Test mutating func theTwoKindsOfIDsAreApart() throws {
        _ = try owner.run(add, id: edge(1))
        _ = try owner.run(add, id: client("1"))
        #expect(owner.value("n") == "2")
    }
}
