import Testing

@testable import ObjectRuntime

@Suite struct OutputGateTests {
    @Test func outputsLeaveWhenTheirEntryIsCommittedInOrder() {
        var gate = OutputGate<String>()
        gate.hold("a", until: 1)
        gate.hold("b", until: 3)
        gate.hold("c", until: 3)
        #expect(gate.release(through: 0) == [])
        #expect(gate.release(through: 2) == ["a"])
        #expect(gate.firstIndex == 3)
        #expect(gate.release(through: 9) == ["b", "c"])
        #expect(gate.isEmpty)
    }

    @Test func anOutputThatRestsOnAnEarlierEntryDoesNotWaitForLaterOnes() {
        var gate = OutputGate<String>()
        gate.hold("write 5", until: 5)
        gate.hold("replay 3", until: 3)
        gate.hold("read 5", until: 5)
        gate.hold("replay 4", until: 4)
        #expect(gate.release(through: 4) == ["replay 3", "replay 4"])
        #expect(gate.release(through: 5) == ["write 5", "read 5"])
    }

    @Test func nothingOfALostEpochLeavesAsAnAnswer() {
        var gate = OutputGate<Int>()
        for index in 1...4 { gate.hold(index, until: UInt64(index)) }
        _ = gate.release(through: 1)
        #expect(gate.dropAll() == [2, 3, 4])
        #expect(gate.release(through: 100) == [])
    }

    @Test func randomHoldsComeOutAsFromASortedList() {
        var random = SplitMix(seed: 3)
        var gate = OutputGate<Int>()
        var twin: [(UInt64, Int)] = []
        for number in 0..<2000 {
            let index = random.next() % 50 + UInt64(number / 20)
            gate.hold(number, until: index)
            twin.append((index, number))
            guard number % 7 == 0 else { continue }
            let commit = UInt64(number / 20)
            let due = twin.filter { $0.0 <= commit }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
            twin.removeAll { $0.0 <= commit }
            #expect(gate.release(through: commit) == due.map(\.1))
        }
    }
}

@Suite struct MailboxTests {
    private var mailbox = Mailbox<Int>(countLimit: 3, bytesLimit: 100)

    private mutating func post(_ message: Int, _ bytes: Int) -> Bool { mailbox.post(message, bytes: bytes) }

    @Test mutating func messagesComeOutInTheOrderTheyWerePosted() {
        let fits = [post(0, 10), post(1, 10), post(2, 10)]
        #expect(fits == [true, true, true])
        let first = mailbox.next()
        let rest = mailbox.takeAll()
        let none = mailbox.next()
        #expect(first == 0 && rest == [1, 2] && none == nil && mailbox.bytes == 0)
    }

    @Test mutating func whatDoesNotFitIsRefusedAndLeavesNothingBehind() {
        let byCount = [post(1, 1), post(2, 1), post(3, 1), post(4, 1)]
        #expect(byCount == [true, true, true, false])
        #expect(mailbox.takeAll() == [1, 2, 3])
        let byBytes = [post(1, 60), post(2, 41), post(3, 40)]
        #expect(byBytes == [true, false, true])
        #expect(mailbox.takeAll() == [1, 3])
    }

    @Test mutating func oneLargeMessageAlonePasses() {
        let fits = [post(1, 1000), post(2, 1)]
        #expect(fits == [true, false])
        let first = mailbox.next()
        let then = post(2, 1)
        #expect(first == 1 && then)
    }

    @Test mutating func whoGivesUpLeavesAndTheRestKeepsItsOrder() {
        mailbox = Mailbox(countLimit: 10, bytesLimit: 100)
        for number in 0..<6 { _ = post(number, number) }
        let left = mailbox.remove { $0 % 2 == 0 }
        #expect(left == [0, 2, 4] && mailbox.bytes == 9)
        #expect(mailbox.takeAll() == [1, 3, 5])
    }
}
