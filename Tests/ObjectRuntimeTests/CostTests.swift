import Testing

@testable import ObjectRuntime

/// What an operation costs in the log is proportional to what it changes.
@Suite struct CostTests {
    private var owner = TestOwner()

    /// The bytes of the entry that the operation makes.
    private mutating func entryBytes(_ operation: Operation) throws -> Int {
        let id = OperationID.edge(stream: EdgeStream(incarnation: 1, loop: 0), counter: owner.index)
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: operation, id: id))
        let count = try #require(owner.payloads.last).payload.count
        try owner.commitAll()
        return count
    }

    private static let megabyte = 1 << 20

    init() {
        owner.comparesEachCommit = false
    }

    @Test mutating func oneElementPushedOntoAMegabyteCostsOneElement() throws {
        let array = "[" + String(repeating: "1234567,", count: Self.megabyte / 8 - 20) + "0]"
        #expect(
            try entryBytes(.setItem(ItemWrite(name: "a", value: Array(array.utf8)))) > Self.megabyte - 1000)
        #expect(try entryBytes(.push("a", value: [0x39], WriteOptions())) < 100)
        #expect(
            try entryBytes(.splice("a", Splice(start: 5, deleteCount: 1, items: [[0x38]]), WriteOptions()))
                < 100)
        #expect(try entryBytes(.setIn("a", path: [Array("70000".utf8)], value: [0x37], WriteOptions())) < 100)
    }

    @Test mutating func oneMemberOfAMegabyteCostsOneMember() throws {
        let members = (0..<60_000).map { "\"m\($0)\":\($0)" }.joined(separator: ",")
        _ = try entryBytes(.setItem(ItemWrite(name: "o", value: Array("{\(members)}".utf8))))
        #expect(
            try entryBytes(.merge("o", members: Array(#"{"m31000":1,"new":2}"#.utf8), WriteOptions())) < 120)
        #expect(
            try entryBytes(.setIn("o", path: [Array("m59999".utf8)], value: [0x37], WriteOptions())) < 100)
    }

    @Test mutating func aCountersEntryIsSmall() throws {
        _ = try entryBytes(.increment("n", by: 1, WriteOptions()))
        #expect(try entryBytes(.increment("n", by: 1, WriteOptions())) < 64)
    }

    @Test mutating func oldVersionsInTheWindowShareTheirText() throws {
        let array = "[" + String(repeating: "1234567,", count: Self.megabyte / 8 - 2000) + "0]"
        _ = try entryBytes(.setItem(ItemWrite(name: "a", value: Array(array.utf8))))
        for _ in 0..<200 { _ = try entryBytes(.push("a", value: [0x39], WriteOptions())) }
        #expect(owner.state.windowCount == 201)
        // Two hundred copies would be two hundred megabytes.
        let snapshot = owner.state.encodeSnapshot()
        #expect(snapshot.count < Self.megabyte + 50_000)
        #expect(owner.replica.encodeSnapshot() == snapshot)
    }
}
