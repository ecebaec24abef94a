import Testing

@testable import EdgeNode

struct RefusalPacingTests {
    private var pacing = RefusalPacing()

    private mutating func refuse(_ count: Int) -> UInt64 {
        var pauseMs: UInt64 = 0
        for _ in 0..<count { pauseMs = pacing.pause() }
        return pauseMs
    }

    @Test mutating func whoComesLaterWaitsLonger() {
        #expect(refuse(1) == 100)
        #expect(refuse(99) == 150, "those who are refused together do not come back together")
        #expect(refuse(900) == 600, "the thousandth of 2,000 a second")
        #expect(refuse(20_000) == 5_000, "nobody waits longer")
    }

    @Test mutating func refusalsAreAnEighthOfTheAnswers() {
        _ = refuse(1)
        for _ in 0..<8_000 { pacing.answered() }
        pacing.adapt()
        #expect(refuse(499) == 600, "1,000 a second")
        pacing.adapt()
        #expect(refuse(1) == 5_000, "nothing is answered: a hundred a second")
    }

    @Test mutating func whenNobodyWaitsTheNextIsBackSoon() {
        pacing.adapt()
        #expect(refuse(200) == 200)
        for _ in 0..<200 { pacing.resume() }
        pacing.adapt()
        #expect(refuse(200) == 200)
        #expect(pacing.waiting == 200)
    }
}
