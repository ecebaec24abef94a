import Testing

@testable import Cluster

/// The age by which an owner drops clients' keys (O10).
struct WindowAgeTests {
    private let began = Clocks(bootNs: 9_000_000_000, rawNs: 5_000_000_000, wallMs: 1_700_000_000_000)

    @Test func itGoesOnFromTheLogByTheRawClock() {
        let age = WindowAge(ageMs: 70_000, since: began)
        #expect(age.reached(began) == 70_000)
        var now = began
        now.rawNs += 1_999_999
        #expect(age.reached(now) == 70_001)
        now.rawNs += 1
        #expect(age.reached(now) == 70_002)
    }

    @Test(arguments: [1_700_003_600_000, 1_699_996_400_000, 0, .max] as [UInt64])
    func aJumpOfTheWallClockDoesNothing(wallMs: UInt64) {
        let age = WindowAge(ageMs: 70_000, since: began)
        #expect(age.reached(Clocks(bootNs: began.bootNs, rawNs: began.rawNs, wallMs: wallMs)) == 70_000)
    }

    @Test func timeBeforeTheOwnerServedIsNotCounted() {
        let age = WindowAge(ageMs: 70_000, since: began)
        #expect(age.reached(.zero) == 70_000)
    }
}
