import Testing

@testable import EdgeNode

struct ClosingPacingTests {
    @Test func thoseWhoGoTogetherAreClosedByStepsInTheirOrder() {
        var pacing = ClosingPacing<Int>()
        let perStep = ClosingPacing<Int>.perStep
        let atOnce = (0..<3 * perStep).filter { pacing.admit($0, nowMs: 7) }
        #expect(atOnce == Array(0..<perStep) && pacing.isWaiting)
        var closed = atOnce
        while let next = pacing.next(nowMs: 7) { closed.append(next) }
        #expect(closed == atOnce)
        for step in 8...9 {
            while let next = pacing.next(nowMs: UInt64(step)) { closed.append(next) }
            #expect(closed.count == perStep * (step - 6))
        }
        #expect(closed == Array(0..<3 * perStep) && !pacing.isWaiting)
    }

    @Test func nobodyOvertakesThoseWhoWait() {
        var pacing = ClosingPacing<Int>()
        for number in 0...ClosingPacing<Int>.perStep { _ = pacing.admit(number, nowMs: 1) }
        let overtakes = pacing.admit(99, nowMs: 50)
        #expect(!overtakes, "one is waiting")
        let next = [pacing.next(nowMs: 50), pacing.next(nowMs: 50)]
        #expect(next == [ClosingPacing<Int>.perStep, 99])
        let isAdmitted = pacing.admit(100, nowMs: 50)
        #expect(isAdmitted)
    }
}
