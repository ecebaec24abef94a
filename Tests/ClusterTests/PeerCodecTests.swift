import Binary
import Placement
import Raft
import Testing

@testable import Cluster

/// The bytes between nodes: what is sent arrives, and nothing that arrives traps.
struct PeerCodecTests {
    @Test func everyKindComesBackAsItWasSent() throws {
        var kinds: Set<UInt8> = []
        for message in Samples.messages {
            let bytes = Samples.bytes(message)
            kinds.insert(bytes[0])
            let back = try #require(Samples.decode(bytes), "\(message)")
            #expect("\(back)" == "\(message)" || isReport(message))
            #expect(Samples.bytes(back) == bytes)
            #expect(back.destination == message.destination)
        }
        #expect(kinds == Set(1...25), "every kind has a sample")
    }

    private func isReport(_ message: PeerMessage) -> Bool {
        if case .report = message { return true }
        return false
    }

    @Test func aFrameCutShortAnywhereIsRefused() {
        for message in Samples.messages {
            let bytes = Samples.bytes(message)
            for length in 0..<bytes.count {
                #expect(Samples.decode(Array(bytes[..<length])) == nil, "\(message) cut at \(length)")
            }
            #expect(Samples.decode(bytes + [0]) == nil, "nothing may be left over")
        }
    }

    @Test func unknownKindsAreRefused() {
        for kind in (0...UInt8.max) where !(1...25).contains(kind) {
            #expect(Samples.decode([kind] + Array(repeating: 0, count: 64)) == nil)
        }
    }

    @Test func flippedBitsNeverTrapAndWhatDecodesEncodesToItself() {
        var refused = 0
        for message in Samples.messages {
            let bytes = Samples.bytes(message)
            for position in bytes.indices {
                for bit in 0..<8 {
                    var damaged = bytes
                    damaged[position] ^= 1 << UInt8(bit)
                    guard let read = Samples.decode(damaged) else {
                        refused += 1
                        continue
                    }
                    let again = Samples.decode(Samples.bytes(read)).map(Samples.bytes)
                    #expect(again == Samples.bytes(read))
                }
            }
        }
        #expect(refused > 0)
    }

    @Test func randomBytesNeverTrap() {
        var random = RandomSource(seed: 20)
        for round in 0..<20_000 {
            var bytes = random.bytes(Int(random.next() % 120) + 1)
            bytes[0] = UInt8(1 + round % 19)
            _ = Samples.decode(bytes)
        }
    }

    @Test func frameBoundsLeaveRoomForTheLongestAnswer() {
        #expect(PeerMessage.answerBytesMax < PeerMessage.frameBytesMax)
    }
}

struct ReportCodecTests {
    private func bytes(_ report: NodeReport) -> [UInt8] {
        var writer = ByteWriter()
        report.encode(into: &writer)
        return writer.bytes
    }

    private func decode(_ bytes: [UInt8]) -> NodeReport? {
        var reader = ByteReader(bytes)
        guard let report = try? NodeReport(from: &reader), reader.isAtEnd else { return nil }
        return report
    }

    @Test func aReportComesBackAsItWasSent() throws {
        let sent = Samples.report
        let back = try #require(decode(bytes(sent)))
        #expect(back.name == sent.name && back.role == sent.role && back.term == sent.term)
        #expect(back.leaderName == sent.leaderName && back.incarnation == sent.incarnation)
        #expect(back.uptimeMs == sent.uptimeMs && back.leaseRemainingMs == sent.leaseRemainingMs)
        #expect(back.isReady && back.isDraining && back.notReadyReasons == sent.notReadyReasons)
        #expect(back.placementIndex == sent.placementIndex)
        #expect(back.placementProgress.map(\.index) == [98])
        #expect(back.placementProgress.map(\.leaseRemainingMs) == [3])
        let shard = try #require(back.shards.first)
        #expect(shard.epoch == 4 && shard.stage == "leading" && shard.isServing && shard.objects == 5)
        #expect(shard.coldObjects == 3)
        #expect(
            shard.lastIndex == 300 && shard.commitIndex == 299 && shard.bytes == 6_000 && shard.queued == 2)
        #expect(shard.takeoverEpoch == 4 && shard.handOverMs == 6 && shard.handOverEpoch == 3)
        #expect(shard.storedIndex == 250 && shard.loadedBytes == 900)
        #expect(back.counters.eventGaps == 2 && back.counters.droppedSockets == 5)
        #expect(shard.takeoverPauseMs == 41 && shard.replicaLag.map(\.lag) == [3])
        #expect(back.shards.map(\.shard.rawValue) == [3, 9])
        #expect(bytes(back) == bytes(sent))
    }

    @Test func aReportCutShortOrDamagedNeverTraps() {
        let whole = bytes(Samples.report)
        for length in 0..<whole.count { #expect(decode(Array(whole[..<length])) == nil) }
        var random = RandomSource(seed: 3)
        for _ in 0..<5_000 {
            var damaged = whole
            for _ in 0...Int(random.next() % 3) {
                damaged[Int(random.next() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = decode(damaged)
        }
    }
}
