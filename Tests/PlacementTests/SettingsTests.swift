import Placement
import Testing

@Suite("Lease settings (O5)")
struct SettingsTests {
    private func lease(_ machine: Machine) -> [UInt64] {
        [machine.state.settings.lease.durationMs, machine.state.settings.lease.longestMs]
    }

    @Test("a longer lease counts at once for whoever waits")
    func longer() {
        var machine = Machine()
        #expect(machine.apply(.setLeaseDuration(milliseconds: 5_000)) == .done)
        #expect(lease(machine) == [5_000, 5_000])
    }

    @Test("a shorter lease counts only when it is settled")
    func shorter() {
        var machine = Machine()
        machine.apply(.setLeaseDuration(milliseconds: 500))
        #expect(lease(machine) == [500, 2_000])
        #expect(!machine.state.settings.lease.isSettled)
        let revision = machine.state.settings.lease.revision
        #expect(machine.apply(.settleLeaseDuration(revision: revision)) == .done)
        #expect(lease(machine) == [500, 500])
        #expect(machine.apply(.settleLeaseDuration(revision: revision)) == .done)
    }

    @Test("the longest that may be in force survives several changes")
    func longestSurvives() {
        var machine = Machine()
        for milliseconds: UInt64 in [8_000, 300, 1_000] {
            machine.apply(.setLeaseDuration(milliseconds: milliseconds))
        }
        #expect(lease(machine) == [1_000, 8_000])
    }

    @Test("settling an earlier change is refused, also when the duration is the same again")
    func lateSettling() {
        var machine = Machine()
        machine.apply(.setLeaseDuration(milliseconds: 500))
        let early = machine.state.settings.lease.revision
        machine.apply(.setLeaseDuration(milliseconds: 9_000))
        machine.apply(.setLeaseDuration(milliseconds: 500))
        #expect(machine.apply(.settleLeaseDuration(revision: early)) == .refused(.revisionMoved))
        #expect(lease(machine) == [500, 9_000])
    }

    @Test("setting the same duration again is no change")
    func same() {
        var machine = Machine()
        machine.apply(.setLeaseDuration(milliseconds: 500))
        let settings = machine.state.settings
        #expect(machine.apply(.setLeaseDuration(milliseconds: 500)) == .done)
        #expect(machine.state.settings == settings)
    }

    @Test("durations and drifts out of bounds are refused")
    func bounds() {
        var machine = Machine()
        let settings = machine.state.settings
        for milliseconds: UInt64 in [0, 199, 60_001, .max] {
            #expect(machine.apply(.setLeaseDuration(milliseconds: milliseconds)) == .refused(.outOfRange))
        }
        for perMille: UInt64 in [101, .max] {
            #expect(machine.apply(.setClockDrift(perMille: perMille)) == .refused(.outOfRange))
        }
        #expect(machine.state.settings == settings)
        #expect(machine.apply(.setLeaseDuration(milliseconds: 200)) == .done)
        #expect(machine.apply(.setLeaseDuration(milliseconds: 60_000)) == .done)
    }

    @Test("a holder counts on D·(1−2ρ)")
    func holder() {
        var machine = Machine()
        #expect(machine.state.settings.lease.holderDurationMs == 1_960)
        machine.apply(.setClockDrift(perMille: 50))
        #expect(machine.state.settings.lease.holderDurationMs == 1_800)
    }

    @Test("reads go by lease or by quorum")
    func readMode() {
        var machine = Machine()
        #expect(machine.state.settings.reads == .lease)
        #expect(machine.apply(.setReadMode(.quorum)) == .done)
        #expect(machine.state.settings.reads == .quorum)
    }
}
