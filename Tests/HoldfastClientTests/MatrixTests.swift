import HoldfastClient
import Testing

@testable import chaos

@Suite struct MatrixTests {
    private static let needed = ["--dir", "d", "--hook", "h"]

    @Test func `options name nemeses and workloads`() throws {
        let all = try MatrixOptions(Self.needed)
        #expect(all.nemeses == NemesisKind.allCases && all.workloads == WorkloadKind.allCases)
        let some = try MatrixOptions(Self.needed + ["--nemesis", "kill,partition-ring", "--workload", "append"])
        #expect(some.nemeses == [.kill, .partitionRing] && some.workloads == [.append])
    }

    @Test(arguments: [
        ["--nemesis", "kill,flood"], ["--nemesis", ""], ["--workload", "Register"], ["--nodes", "4"], ["--seconds", "1"],
        ["--seconds", "nan"], ["--rate", "0"], ["--base-port", "65500"], ["--jobs", "0"],
        ["--base-port", "64000", "--jobs", "6"], ["--what", "1"], ["--seed"],
    ])
    func `wrong options are refused`(words: [String]) {
        #expect(throws: Options.UsageFault.self) { try MatrixOptions(Self.needed + words) }
    }

    @Test func `pairs side by side have ports of their own`() throws {
        let options = try MatrixOptions(Self.needed + ["--jobs", "3", "--base-port", "9000"])
        #expect((0..<3).map { options.lane($0).basePort } == [9000, 9200, 9400])
        #expect(options.pairs.count == NemesisKind.allCases.count * WorkloadKind.allCases.count)
    }

    private static func sample(_ fromMs: UInt64, _ toMs: UInt64, isDone: Bool = true) -> Sample {
        Sample(invokedNs: fromMs * 1_000_000, atNs: toMs * 1_000_000, isDone: isDone)
    }

    @Test func `a series counts every answer once and finds the longest silence`() {
        let samples = [
            Self.sample(1_000, 1_010), Self.sample(1_050, 1_100), Self.sample(1_150, 1_900), Self.sample(2_000, 2_050),
            Self.sample(1_300, 1_300, isDone: false), Self.sample(2_900, 3_100),
        ]
        let series = Series(samples, fromNs: 1_000_000_000, untilNs: 3_000_000_000)
        #expect(series.done == 4 && series.failed == 1)
        #expect(series.parts.map(\.done).reduce(0, +) == 4)
        #expect(series.longestSilenceMs(from: 1_200_000_000, to: 1_300_000_000) == 800)
        #expect(series.longestSilenceMs(from: 1_920_000_000, to: 1_930_000_000) == 150)
        // The end of the run ends a silence.
        #expect(series.longestSilenceMs(from: 2_100_000_000, to: 3_000_000_000) == 950)
    }

    @Test func `a page holds its results and nothing from elsewhere`() {
        let page = ReportPage.page([["nemesis": "kill", "evil": "</script><script>"]], linksHistories: true)
        #expect(page.contains(#""nemesis":"kill""#))
        #expect(page.contains("LINKS = true"))
        #expect(!page.contains("</script><script>"))
        for reference in ["src=", "@import", "url(", "http://", "https://"] {
            #expect(!page.replacing("http://www.w3.org", with: "").contains(reference))
        }
    }
}
