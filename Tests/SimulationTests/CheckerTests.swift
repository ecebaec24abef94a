import Testing

@testable import Simulation

/// Writes histories the way papers draw them: client, call, from, until, answer.
struct HistoryBuilder {
    var operations: [RecordedOperation] = []

    mutating func add(
        _ process: Int, _ call: Call, _ fromNs: UInt64, _ untilNs: UInt64?, _ outcome: Outcome,
        item: String = "x"
    ) {
        operations.append(
            RecordedOperation(
                process: process, object: "o", item: item, call: call, invokedNs: fromNs,
                returnedNs: untilNs, outcome: outcome))
    }

    var violations: [Violation] { LinearizabilityChecker().check(operations).violations }
}

private func value(_ value: UInt64, version: UInt64 = 0) -> Outcome {
    .answered(.value(value), version: version)
}
private func number(_ number: Int64) -> Outcome { .answered(.number(number), version: 0) }

@Suite struct `The checker accepts` {
    @Test func `operations one after the other`() {
        var history = HistoryBuilder()
        history.add(1, .read, 0, 1, .answered(.absent, version: 0))
        history.add(1, .set(7), 2, 3, value(7, version: 100))
        history.add(2, .read, 4, 5, value(7, version: 100))
        history.add(2, .compareAndSet(expectedVersion: 100, value: 8), 6, 7, value(8, version: 101))
        history.add(1, .compareAndSet(expectedVersion: 100, value: 9), 8, 9, .conflict)
        history.add(1, .read, 10, 11, value(8, version: 101))
        #expect(history.violations.isEmpty)
    }

    @Test func `overlapping increments in either order`() {
        var history = HistoryBuilder()
        history.add(1, .increment(by: 1), 0, 10, number(2))
        history.add(2, .increment(by: 1), 1, 9, number(1))
        history.add(3, .read, 2, 8, number(1))
        #expect(history.violations.isEmpty)
    }

    @Test func `an open increment that takes effect much later`() {
        var history = HistoryBuilder()
        history.add(1, .increment(by: 1), 0, nil, .unknown)
        history.add(2, .read, 10, 11, .answered(.absent, version: 0))
        history.add(2, .increment(by: 1), 20, 21, number(1))
        history.add(2, .increment(by: 1), 30, 31, number(3))
        #expect(history.violations.isEmpty)
    }

    @Test func `an open write that never takes effect`() {
        var history = HistoryBuilder()
        history.add(1, .set(5), 0, 1, value(5, version: 1))
        history.add(2, .set(6), 2, nil, .unknown)
        history.add(1, .read, 10, 11, value(5, version: 1))
        #expect(history.violations.isEmpty)
    }

    @Test func `a conflict that only an unseen open write explains`() {
        var history = HistoryBuilder()
        history.add(1, .set(5), 0, 1, value(5, version: 1))
        history.add(2, .set(6), 2, nil, .unknown)
        history.add(1, .compareAndSet(expectedVersion: 1, value: 7), 10, 11, .conflict)
        #expect(history.violations.isEmpty)
    }

    @Test func `pushes whose order only a later read tells`() {
        var history = HistoryBuilder()
        history.add(1, .push(1), 0, 10, .answered(.nothing, version: 0))
        history.add(2, .push(2), 0, 10, .answered(.nothing, version: 0))
        history.add(3, .push(3), 5, nil, .unknown)
        history.add(1, .read, 20, 21, .answered(.list([3, 2, 1]), version: 0))
        #expect(history.violations.isEmpty)
    }

    @Test func `a value after a removal`() {
        var history = HistoryBuilder()
        history.add(1, .set(5), 0, 1, value(5, version: 9))
        history.add(1, .remove, 2, 3, .answered(.nothing, version: 0))
        history.add(2, .read, 4, 5, .answered(.absent, version: 0))
        history.add(2, .compareAndSwap(expected: nil, value: 6), 6, 7, value(6))
        #expect(history.violations.isEmpty)
    }
}

@Suite struct `The checker finds` {
    @Test func `a stale read`() {
        var history = HistoryBuilder()
        history.add(1, .set(1), 0, 1, value(1))
        history.add(1, .set(2), 2, 3, value(2))
        history.add(2, .read, 4, 5, value(1))
        #expect(history.violations.count == 1)
    }

    @Test func `a read that goes back`() {
        var history = HistoryBuilder()
        history.add(1, .set(1), 0, 1, value(1))
        history.add(1, .set(2), 2, 30, value(2))
        history.add(2, .read, 4, 5, value(2))
        history.add(3, .read, 6, 7, value(1))
        #expect(history.violations.count == 1)
    }

    @Test func `an increment that counted twice`() {
        var history = HistoryBuilder()
        history.add(1, .increment(by: 1), 0, 1, number(1))
        history.add(1, .increment(by: 1), 2, 3, number(3))
        #expect(history.violations.count == 1)
    }

    @Test func `an acknowledged increment that is gone`() {
        var history = HistoryBuilder()
        history.add(1, .increment(by: 1), 0, 1, number(1))
        history.add(2, .increment(by: 1), 2, 3, number(1))
        #expect(history.violations.count == 1)
    }

    @Test func `two winners of one compare-and-set`() {
        var history = HistoryBuilder()
        history.add(1, .set(1), 0, 1, value(1, version: 50))
        history.add(2, .compareAndSet(expectedVersion: 50, value: 2), 2, 9, value(2, version: 51))
        history.add(3, .compareAndSet(expectedVersion: 50, value: 3), 2, 9, value(3, version: 52))
        #expect(history.violations.count == 1)
    }

    @Test func `a conflict that nothing explains`() {
        var history = HistoryBuilder()
        history.add(1, .set(1), 0, 1, value(1, version: 50))
        history.add(2, .compareAndSet(expectedVersion: 50, value: 2), 2, 3, .conflict)
        #expect(history.violations.count == 1)
    }

    @Test func `a version that falls`() {
        var history = HistoryBuilder()
        history.add(1, .set(1), 0, 1, value(1, version: 50))
        history.add(2, .set(2), 2, 3, value(2, version: 50))
        #expect(history.violations.count == 1)
    }

    @Test func `an effect before its call`() {
        var history = HistoryBuilder()
        history.add(1, .read, 0, 1, value(9))
        history.add(2, .set(9), 2, nil, .unknown)
        #expect(history.violations.count == 1)
    }

    @Test func `a refused push that is there`() {
        var history = HistoryBuilder()
        history.add(1, .push(1), 0, 1, .refused)
        history.add(2, .read, 2, 3, .answered(.list([1]), version: 0))
        #expect(history.violations.count == 1)
    }

    @Test func `a refused write that is read`() {
        var history = HistoryBuilder()
        history.add(1, .set(4), 0, 1, .refused)
        history.add(2, .read, 2, 3, value(4))
        #expect(history.violations.count == 1)
    }

    @Test func `an element pushed twice or lost`() {
        var twice = HistoryBuilder()
        twice.add(1, .push(1), 0, 1, .answered(.list([1]), version: 0))
        twice.add(1, .read, 2, 3, .answered(.list([1, 1]), version: 0))
        #expect(twice.violations.count == 1)
        var lost = HistoryBuilder()
        lost.add(1, .push(1), 0, 1, .answered(.list([1]), version: 0))
        lost.add(1, .push(2), 2, 3, .answered(.list([2]), version: 0))
        #expect(lost.violations.count == 1)
    }

    @Test func `an acknowledged push that a later read lacks`() {
        var history = HistoryBuilder()
        history.add(1, .push(1), 0, 1, .answered(.list([1]), version: 0))
        history.add(1, .push(2), 2, 3, .answered(.nothing, version: 0))
        history.add(2, .read, 4, 5, .answered(.list([1]), version: 0))
        #expect(history.violations.count == 1)
    }

    @Test func `the item that is wrong among right ones`() {
        var history = HistoryBuilder()
        history.add(1, .set(1), 0, 1, value(1), item: "a")
        history.add(1, .read, 2, 3, .answered(.absent, version: 0), item: "a")
        history.add(1, .set(1), 4, 5, value(1), item: "b")
        history.add(1, .read, 6, 7, value(1), item: "b")
        #expect(history.violations.map(\.item) == ["a"])
    }
}

@Suite struct `Counting without a search` {
    @Test func `sees what is missing, doubled or refused`() {
        var history = HistoryBuilder()
        history.add(1, .increment(by: 1), 0, 1, number(1), item: "n")
        history.add(1, .increment(by: 1), 2, nil, .unknown, item: "n")
        history.add(1, .push(1), 0, 1, .answered(.nothing, version: 0), item: "l")
        history.add(1, .push(2), 0, 1, .refused, item: "l")
        let recorded = History(history.operations)
        func complaints(_ item: String, _ shows: Observation) -> Int {
            ExactlyOnce.check(recorded, final: [(object: "o", item: item, shows: shows)]).count
        }
        #expect(complaints("n", .number(1)) == 0)
        #expect(complaints("n", .number(2)) == 0)
        #expect(complaints("n", .number(0)) == 1)
        #expect(complaints("n", .number(3)) == 1)
        #expect(complaints("n", .absent) == 1)
        #expect(complaints("l", .list([1])) == 0)
        #expect(complaints("l", .list([])) == 1)
        #expect(complaints("l", .list([1, 1])) == 1)
        #expect(complaints("l", .list([1, 2])) == 1)
    }
}
