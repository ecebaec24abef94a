import HoldfastClient
import Simulation
import Testing

@testable import chaos

/// Histories as files, right ones and wrong ones: `chaos/run check` must tell them apart.
@Suite struct TranscriptTests {
    /// One operation after the other on one item: object, call, answer.
    private func file(_ workload: String, _ operations: [(String, String)], final: String, more: [String] = []) -> String {
        var lines = [#"{"workload":"\#(workload)","nemesis":"none","seed":1}"#]
        for (number, (call, outcome)) in operations.enumerated() {
            let returned = outcome == #""unknown""# ? "null" : "\(number * 10 + 15)"
            lines.append(
                #"{"client":\#(number % 3),"object":"o","item":"v","call":\#(call),"invokedNs":\#(number * 10 + 10),"#
                    + #""returnedNs":\#(returned),"outcome":\#(outcome)}"#)
        }
        lines.append(#"{"final":"o","shows":\#(final)}"#)
        return (lines + more).joined(separator: "\n")
    }

    private func broken(_ text: String) throws -> [String] {
        TranscriptCheck.check(try TranscriptFile.parse(text)).filter { $0.state != .kept }.map(\.name)
    }

    private func shown(_ value: Int, _ version: Int) -> String {
        #"{"answered":{"value":\#(value)},"version":\#(version)}"#
    }

    private func counted(_ count: Int) -> String { #"{"answered":{"count":\#(count)},"version":0}"# }

    // MARK: Register

    private func cas(_ expected: Int, _ value: Int) -> String {
        #"{"compareAndSet":\#(value),"expectedVersion":\#(expected)}"#
    }

    @Test func `a register that was written, changed and read`() throws {
        let right = [
            (#"{"set":1}"#, shown(1, 100)), (cas(100, 2), shown(2, 101)), (cas(100, 3), #""conflict""#),
            (#"{"read":null}"#, shown(2, 101)),
        ]
        #expect(try broken(file("register", right, final: #"{"value":2}"#)) == [])
    }

    @Test func `two winners of one compare-and-set`() throws {
        let wrong = [
            (#"{"set":1}"#, shown(1, 100)), (cas(100, 2), shown(2, 101)), (cas(100, 3), shown(3, 102)),
        ]
        #expect(try broken(file("register", wrong, final: #"{"value":3}"#)) == ["linearizable"])
    }

    @Test func `a register that is read as it was before`() throws {
        let wrong = [
            (#"{"set":1}"#, shown(1, 100)), (#"{"set":2}"#, shown(2, 101)), (#"{"read":null}"#, shown(1, 100)),
        ]
        #expect(try broken(file("register", wrong, final: #"{"value":2}"#)) == ["linearizable"])
    }

    @Test func `a refused write that is there all the same`() throws {
        let wrong = [(#"{"set":1}"#, shown(1, 100)), (#"{"set":2}"#, #""refused""#), (#"{"read":null}"#, shown(2, 101))]
        #expect(try broken(file("register", wrong, final: #"{"value":2}"#)) == ["linearizable"])
    }

    // MARK: Counter

    private static let add = #"{"increment":1}"#

    @Test(arguments: [2, 3])
    func `a counter with an open increment may show it or not`(count: Int) throws {
        let right = [(Self.add, counted(1)), (Self.add, #""unknown""#), (#"{"read":null}"#, counted(1))]
        #expect(try broken(file("counter", right + [(Self.add, counted(count))], final: #"{"count":\#(count)}"#)) == [])
    }

    @Test func `a counter that lost an increment, in the end`() throws {
        let right = [(Self.add, counted(1)), (Self.add, counted(2))]
        #expect(try broken(file("counter", right, final: #"{"count":1}"#)) == ["exactly once"])
        #expect(try broken(file("counter", right, final: #"{"count":3}"#)) == ["exactly once"])
        #expect(try broken(file("counter", right, final: #""absent""#)) == ["exactly once"])
    }

    @Test func `a counter whose answers go back`() throws {
        let wrong = [(Self.add, counted(1)), (Self.add, counted(2)), (Self.add, counted(2))]
        #expect(try broken(file("counter", wrong, final: #"{"count":3}"#)) == ["linearizable"])
    }

    // MARK: Append

    private func list(_ elements: String) -> String { #"{"answered":[\#(elements)],"version":0}"# }

    @Test func `a list in the order of its pushes`() throws {
        let right = [
            (#"{"push":1}"#, list("1")), (#"{"push":2}"#, #""unknown""#), (#"{"push":3}"#, list("1,2,3")),
            (#"{"read":null}"#, list("1,2,3")),
        ]
        #expect(try broken(file("append", right, final: "[1,2,3]")) == [])
    }

    @Test func `a list that lost, doubled or swapped a push`() throws {
        let pushes = [(#"{"push":1}"#, list("1")), (#"{"push":2}"#, list("1,2"))]
        #expect(try broken(file("append", pushes, final: "[2]")) == ["exactly once"])
        #expect(try broken(file("append", pushes, final: "[1,2,2]")) == ["exactly once"])
        let swapped = pushes + [(#"{"read":null}"#, list("2,1"))]
        #expect(try broken(file("append", swapped, final: "[1,2]")) == ["linearizable"])
    }

    // MARK: Ring

    private func ring(_ turns: [Int], stamp: UInt64) -> UInt64 {
        turns.reduce(Ring.first(stamp: stamp)) { $0.turned(at: $1, stamp: stamp) }.value
    }

    private func shown(ring value: UInt64, _ version: Int) -> String { shown(Int(value), version) }

    @Test func `a ring stays one whatever turns it takes`() {
        var generator = SeededGenerator(seed: 5)
        var ring = Ring.first(stamp: 1)
        for stamp in 2..<200 {
            let turned = ring.turned(at: generator.below(Ring.places), stamp: UInt64(stamp))
            #expect(turned.isWhole && turned.isTurn(of: ring) && Ring(turned.value) == turned && turned != ring)
            ring = turned
        }
        #expect(!Ring(0).isWhole)
        #expect(!Ring(self.ring([1, 3], stamp: 9)).isTurn(of: Ring.first(stamp: 1)))
    }

    @Test func `turns that rest on what they replace`() throws {
        let (first, second, third) = (ring([], stamp: 1), ring([2], stamp: 2), ring([2, 5], stamp: 3))
        let right = [
            (#"{"set":\#(first)}"#, shown(ring: first, 100)), (cas(100, Int(second)), shown(ring: second, 101)),
            (cas(101, Int(third)), shown(ring: third, 102)),
        ]
        #expect(try broken(file("ring", right, final: #"{"value":\#(third)}"#)) == [])
    }

    @Test func `a turn that rests on another ring than the one it replaces`() throws {
        let (first, second, third) = (ring([], stamp: 1), ring([2], stamp: 2), ring([5], stamp: 3))
        // The history is that of a proper register: only the ring tells.
        let wrong = [
            (#"{"set":\#(first)}"#, shown(ring: first, 100)), (cas(100, Int(second)), shown(ring: second, 101)),
            (cas(101, Int(third)), shown(ring: third, 102)),
        ]
        #expect(try broken(file("ring", wrong, final: #"{"value":\#(third)}"#)) == ["ring"])
        let torn = [(#"{"set":7}"#, shown(7, 100))]
        #expect(try broken(file("ring", torn, final: #"{"value":7}"#)) == ["ring"])
    }

    // MARK: Events

    /// Three acknowledged writes, and what one subscriber heard.
    private func heard(_ writes: String, breaks: String = "", unknown: [Int] = []) -> String {
        var lines = [#"{"workload":"sockets","nemesis":"none","seed":1}"#]
        lines += ["[1,1,10]", "[2,1,11]", "[3,2,14]"].map { #"{"acknowledged":\#($0)}"# }
        lines += unknown.map { #"{"unknown":\#($0)}"# }
        lines.append(
            #"{"heardBy":"s","writes":[\#(writes)],"breaks":[\#(breaks)],"connectionId":null,"presence":[],"presenceBreaks":[]}"#
        )
        return lines.joined(separator: "\n")
    }

    @Test func `every event once and in order`() throws {
        #expect(try broken(heard("[1,1,10],[2,1,11],[3,2,14]")) == [])
        #expect(try broken(heard("[1,1,10],[2,1,11],[9,1,12],[3,2,14]", unknown: [9])) == [])
    }

    @Test(arguments: [
        "[1,1,10],[3,2,14]", "[1,1,10],[2,1,11],[2,1,12],[3,2,14]", "[2,1,11],[1,1,10],[3,2,14]",
        "[1,1,10],[2,1,12],[3,2,14]", "[1,1,10],[2,1,11],[9,1,12],[3,2,14]", "",
    ])
    func `an event that is missing, doubled, late, misplaced or foreign`(writes: String) throws {
        #expect(try broken(heard(writes)) == ["events"])
    }

    @Test func `only what a told gap covers may be missing`() throws {
        #expect(try broken(heard("[1,1,10],[3,2,14]", breaks: "1")) == [])
        #expect(try broken(heard("[1,1,10],[3,2,14]", breaks: "2")) == ["events"])
        #expect(try broken(heard("[2,1,11]", breaks: "1")) == ["events"])
    }

    // MARK: Presence

    private func presence(_ notes: [String], lists: [String], breaks: String = "") -> String {
        let one = { (id: String, presence: String, breaks: String) in
            #"{"heardBy":"\#(id)","writes":[],"breaks":[],"connectionId":"\#(id)","presence":[\#(presence)],"presenceBreaks":[\#(breaks)]}"#
        }
        return
            ([
                #"{"workload":"presence","nemesis":"none","seed":1}"#, #"{"unknown":1}"#,
                one("a", notes.map { #"["\#($0.split(separator: " ")[0])","\#($0.split(separator: " ")[1])"]"# }
                    .joined(separator: ","), breaks), one("b", "", ""),
            ] + lists.map { #"{"list":[\#($0)]}"# }).joined(separator: "\n")
    }

    private static let both = #""b","a""#

    @Test func `joins and leaves by turns, and lists that agree`() throws {
        let right = ["join a", "join b", "leave b", "join b"]
        #expect(try broken(presence(right, lists: [Self.both, Self.both])) == ["work"])
        let again = presence(["leave b", "join b", "join b", "leave b"], lists: [Self.both, Self.both])
        #expect(try broken(again) == ["work"])
        let forgotten = presence(["leave b", "leave b"], lists: [Self.both, Self.both], breaks: "1")
        #expect(try broken(forgotten) == ["work"])
    }

    @Test func `a member who leaves twice`() throws {
        let lists = [Self.both, Self.both]
        #expect(try broken(presence(["join b", "leave b", "leave b"], lists: lists)) == ["presence", "work"])
    }

    @Test(arguments: [#""a""#, #""a","b","ghost""#, ""])
    func `a list with a ghost, or without a member`(list: String) throws {
        #expect(try broken(presence([], lists: [Self.both, list])) == ["presence", "work"])
    }

    @Test func `a presence run in which no node told a list`() throws {
        #expect(try broken(presence([], lists: [])) == ["presence", "work"])
    }

    // MARK: The file

    @Test func `what is written is read again, all of it`() throws {
        var transcript = try TranscriptFile.parse(heard("[1,1,10],[2,1,11],[3,2,14]", breaks: "2", unknown: [4]))
        var history = History()
        for call in [
            Call.read, .set(4), .compareAndSet(expectedVersion: 3, value: 5), .compareAndSwap(expected: nil, value: 6),
            .compareAndSwap(expected: 6, value: 7), .increment(by: -2), .push(8), .remove,
        ] {
            _ = history.begin(process: 1, object: "o", item: "v", call: call, atNs: 12)
        }
        transcript.operations = history.operations
        for (position, outcome) in [
            Outcome.answered(.absent, version: 0), .answered(.nothing, version: 2), .answered(.number(-3), version: 4),
            .answered(.value(9), version: 5), .answered(.list([1, 2]), version: 6), .conflict, .refused,
        ].enumerated() {
            transcript.operations[position].outcome = outcome
            transcript.operations[position].returnedNs = 20
        }
        transcript.final = [Transcript.Final(object: "o", shows: .number(1))]
        transcript.lists = [["a", "b"], []]
        transcript.hearings[0].presence = [Hearing.Presence(isJoin: true, id: "x"), Hearing.Presence(isJoin: false, id: "x")]
        (transcript.impossible, transcript.overdue, transcript.failedAtSurvivors) = (["i"], ["o"], 3)
        let text = TranscriptFile.lines(transcript).map(\.description).joined(separator: "\n")
        #expect(try TranscriptFile.parse(text) == transcript)
        #expect(try broken(text).contains("recovery"))
        #expect(try broken(text).contains("possible answers"))
    }

    @Test(arguments: [
        "{", "[]", "1", "{}", #"{"what":1}"#, #"{"workload":1}"#, #"{"acknowledged":[1,2]}"#, #"{"acknowledged":[1,2,-3]}"#,
        #"{"client":1,"object":"o","item":"v","call":{"set":-1},"invokedNs":1,"returnedNs":2,"outcome":"refused"}"#,
        #"{"client":1,"object":"o","item":"v","call":{"set":1},"invokedNs":1,"returnedNs":null,"outcome":"refused"}"#,
        #"{"client":1,"object":"o","item":"v","call":{"set":1},"invokedNs":1,"returnedNs":2,"outcome":"unknown"}"#,
        #"{"final":"o","shows":"gone"}"#, #"{"list":[1]}"#, #"{"heardBy":"s","writes":[[1]],"breaks":[]}"#,
    ])
    func `a line that is none of a history is refused`(line: String) {
        #expect(throws: TranscriptFile.Malformed.self) { try TranscriptFile.parse(line) }
    }
}
