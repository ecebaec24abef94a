import HoldfastClient
import Testing

@testable import holdfast

@Suite struct BenchTests {
    private func figures(_ rate: Double, server: Double?, errors: [String: UInt64] = [:]) -> BenchFigures {
        BenchFigures(
            workload: .get, connections: 4, operationsPerSecond: rate, p50Ms: rate / 10, p90Ms: 2, p99Ms: 3,
            maxMs: 4,
            serverMicrosecondsPerOperation: server, clientMicrosecondsPerOperation: 9, errors: errors)
    }

    @Test func takesTheMedianOfEveryFigureByItselfAndAllErrors() {
        let median = BenchReport.medians([
            figures(30, server: 1, errors: ["status 503": 1]), figures(10, server: 5),
            figures(20, server: 3, errors: ["status 503": 2, "connection lost": 4]),
        ])
        #expect(median.operationsPerSecond == 20)
        #expect(median.p50Ms == 2)
        #expect(median.serverMicrosecondsPerOperation == 3)
        #expect(median.errors == ["status 503": 3, "connection lost": 4])
        #expect(BenchReport.errorLines([median]).count == 2)
    }

    @Test func countsTheMedianOfAnEvenNumberBetweenTheTwoInTheMiddle() {
        #expect(BenchReport.median([4, 1, 3, 2]) == 2.5)
    }

    @Test(arguments: [
        (1.005, 1, "1.0"), (12.34, 2, "12.34"), (0.05, 2, "0.05"), (9.999, 2, "10.00"), (1_234.5, 0, "1235"),
        (-0.001, 2, "0.00"),
    ])
    func writesNumbersWithAFixedNumberOfDigits(value: Double, digits: Int, text: String) {
        #expect(BenchReport.fixed(value, digits) == text)
    }

    @Test func readsProcessTimesBehindAnyCommandName() {
        let stat = "42 (a b) c) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 1 1"
        let quiet = "42 (x) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 9 0 100 1 1"
        #expect((ProcessTimes.seconds(stat: stat) ?? 0) > 0)
        #expect(ProcessTimes.seconds(stat: quiet) == 0)
        #expect(ProcessTimes.seconds(stat: "42 (x") == nil)
        #expect(ProcessTimes.seconds(stat: "42 (x) S 1") == nil)
    }

    @Test func readsResidentMemory() {
        #expect(ProcessMemory.residentBytes(status: "VmPeak:\t 9 kB\nVmRSS:\t   12 kB\n") == 12_288)
        #expect(ProcessMemory.residentBytes(status: "Name:\tx\n") == nil)
    }

    @Test func takesPercentilesOfLatencies() {
        var figures = SocketFigures(workload: .fanOut, method: "")
        figures.addLatencies("x", (1...200).map { $0 * 1_000_000 })
        figures.addLatencies("none", [])
        #expect(figures.figures.map(\.value) == [100, 198, 200])
        #expect(figures.text.contains("x p99 ms"))
    }

    @Test func knowsItsWorkloads() {
        #expect(BenchChoice(argument: "get")?.closedLoop == .get)
        #expect(BenchChoice(argument: "fan-out")?.sockets == .fanOut)
        #expect(BenchChoice(argument: "x") == nil)
    }

    @Test func printsEventsAsLines() throws {
        func line(_ text: String, _ position: EventPosition?) throws -> String {
            let frame = try JSON(parsing: text)
            return EventLine.text(
                SocketEvent(name: frame["event"]?.text ?? "", frame: frame, position: position))
        }
        let position = EventPosition(epoch: 3, index: 9, ordinal: 1)
        #expect(
            try line(#"{"event":"setItem","payload":{"prop":"a","value":[1]}}"#, position)
                == "3/9.1  setItem  a = [1]")
        #expect(try line(#"{"event":"message","payload":{"b":2}}"#, nil) == #"-  message  {"b":2}"#)
        #expect(
            try line(#"{"event":"presence:leave","connectionId":"c","payload":"x"}"#, position)
                == #"3/9.1  presence:leave  c  "x""#)
    }

    @Test func alignsTables() {
        var table = TextTable("NAME", "N")
        table.add("a", "1")
        table.add("long", "22")
        #expect(table.text == "NAME   N\na      1\nlong  22")
    }
}
