import Testing

@testable import Cluster

/// Budgets and histograms.
struct FigureTests {
    private func settings() -> NodeSettings {
        var settings = NodeSettings()
        settings.heldRequestsMax = 3
        settings.heldBytesMax = 100
        settings.heldRequestsPerProjectMax = 2
        return settings
    }

    @Test func theBudgetBoundsOperationsBytesAndEachProjectO11() {
        var budget = HeldBudget(settings: settings())
        budget.take(project: "p", bytes: 10)
        budget.take(project: "p", bytes: 10)
        #expect(!budget.admits(project: "p", bytes: 1), "the project's share")
        #expect(budget.admits(project: "q", bytes: 80))
        #expect(!budget.admits(project: "q", bytes: 81), "bytes")
        budget.take(project: "q", bytes: 1)
        #expect(!budget.admits(project: "r", bytes: 1), "operations")
        budget.give(project: "p", bytes: 10)
        #expect(budget.admits(project: "p", bytes: 1))
    }

    @Test func whatIsGivenBackMayBeTakenAgain() {
        var budget = HeldBudget(settings: settings())
        for _ in 0..<10 {
            budget.take(project: "p", bytes: 100)
            budget.give(project: "p", bytes: 100)
        }
        #expect(budget.admits(project: "p", bytes: 100))
    }

    @Test func durationsFallBelowTheBoundOfTheirBucketAndNotBelowTheOneBefore() {
        for microseconds in [0, 1, 2, 3, 4, 1_000, 1_024, 1 << 20] as [UInt64] {
            var histogram = DurationHistogram()
            histogram.record(ns: microseconds * 1_000)
            let bucket = histogram.counts.firstIndex(of: 1) ?? -1
            #expect(microseconds < 1 << UInt64(bucket))
            #expect(bucket == 0 || microseconds >= 1 << UInt64(bucket - 1))
            #expect(histogram.sumNs == microseconds * 1_000)
        }
        var longest = DurationHistogram()
        longest.record(ns: .max)
        #expect(longest.counts.last == 1)
    }

    @Test func histogramsAddUp() {
        var left = DurationHistogram()
        left.record(ns: 5_000)
        var right = DurationHistogram(
            buckets: [(upperBoundNs: 8_000, count: 3), (upperBoundNs: 0, count: 1)], sumNs: 9)
        right.add(left)
        #expect(right.counts.reduce(0, +) == 5)
        #expect(right.counts[3] == 4, "a bound of 8 µs means: below it")
        #expect(right.sumNs == 5_009)
    }
}
