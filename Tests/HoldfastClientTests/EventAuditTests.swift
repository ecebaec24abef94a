import HoldfastClient
import Testing

@testable import chaos

/// The audit of the chaos runs must be able to find what it looks for.
@Suite struct EventAuditTests {
    private static func write(_ value: Int, at index: UInt64, epoch: UInt64 = 1) -> SeenWrite {
        SeenWrite(position: EventPosition(epoch: epoch, index: index), value: value)
    }

    /// Answered in another order than written, across a change of owners.
    private static let acknowledged = [
        write(1, at: 10), write(3, at: 11), write(2, at: 12), write(4, at: 15, epoch: 2),
    ]

    private func audit(_ writes: [SeenWrite], gaps: [String] = [], unknown: Set<Int> = []) -> EventAudit {
        var log = EventLog()
        for write in writes { log.note(write, atNs: 1) }
        for gap in gaps { log.note(gap: gap) }
        var audit = EventAudit()
        audit.check(log, of: "s", acknowledged: Self.acknowledged, unknown: unknown)
        return audit
    }

    @Test func acceptsEveryEventOnceInTheOrderOfTheLog() {
        #expect(audit(Self.acknowledged).isClean)
    }

    @Test func findsAMissedEvent() {
        #expect(audit(Array(Self.acknowledged.dropLast())).missed == 1)
        #expect(audit([]).missed == 4)
    }

    @Test func findsARepeatedEvent() {
        #expect(audit(Self.acknowledged + [Self.acknowledged[3]]).repeated == 1)
    }

    @Test func findsEventsOutOfOrder() {
        var writes = Self.acknowledged
        writes.swapAt(1, 2)
        #expect(audit(writes).outOfOrder == 1)
    }

    @Test func findsAnEpochThatFell() {
        let later = [Self.write(4, at: 15, epoch: 2), Self.write(9, at: 16)]
        #expect(audit(Array(Self.acknowledged.prefix(3)) + later, unknown: [9]).outOfOrder == 1)
    }

    @Test func findsAnEventAtAnotherPlaceThanTheAnswerNamed() {
        var writes = Self.acknowledged
        writes[3] = Self.write(4, at: 16, epoch: 2)
        #expect(audit(writes).foreign == 1)
    }

    @Test func findsAnEventOfNoWrite() {
        #expect(audit(Self.acknowledged + [Self.write(7, at: 16, epoch: 2)]).foreign == 1)
    }

    @Test func allowsAWriteOfUnknownOutcomeAnEventOrNone() {
        #expect(audit(Self.acknowledged + [Self.write(7, at: 16, epoch: 2)], unknown: [7]).isClean)
        #expect(audit(Self.acknowledged, unknown: [7]).isClean)
    }

    @Test func owesALatecomerWhatFollowsItsFirstEvent() {
        for (writes, missed) in [(Array(Self.acknowledged.suffix(2)), 0), ([Self.acknowledged[0]], 3), ([], 1)] {
            var log = EventLog()
            for write in writes { log.note(write, atNs: 1) }
            var audit = EventAudit()
            audit.check(log, of: "s", isLate: true, acknowledged: Self.acknowledged, unknown: [])
            #expect(audit.missed == missed)
        }
    }

    @Test func findsAGap() {
        #expect(audit(Self.acknowledged, gaps: ["1/11 to 1/12"]).gaps == 1)
    }

    @Test func measuresTheLongestSilence() {
        var log = EventLog()
        log.note(Self.write(1, at: 1), atNs: 1_000)
        log.restartSilence(atNs: 2_000)
        log.note(Self.write(2, at: 2), atNs: 2_500)
        log.note(Self.write(3, at: 3), atNs: 2_600)
        #expect(log.longestSilenceNs == 500)
    }
}
