import NIOCore
import Testing

@testable import EdgeNode

/// The codec alone: what it takes, however the bytes are cut, and what it refuses.
struct WebSocketParserTests {
    private enum Outcome: Equatable {
        case messages([SocketMessage])
        case fault(UInt16, after: Int)
    }

    /// Feeds `bytes` in pieces that end at `cuts`.
    private func parse(_ bytes: [UInt8], cuts: [Int] = [], limitBytes: Int = 128 << 10) -> Outcome {
        var parser = SocketParser()
        var messages: [SocketMessage] = []
        var start = 0
        for end in cuts + [bytes.count] {
            var input = ByteBuffer(bytes: bytes[start..<end])
            start = end
            do throws(SocketFault) {
                while let message = try parser.next(&input, limitBytes: limitBytes) { messages.append(message) }
            } catch {
                return .fault(error.code, after: messages.count)
            }
            #expect(input.readableBytes == 0)
        }
        return .messages(messages)
    }

    private func code(_ bytes: [UInt8], limitBytes: Int = 128 << 10) -> UInt16? {
        guard case .fault(let code, _) = parse(bytes, limitBytes: limitBytes) else { return nil }
        return code
    }

    @Test func everySplitGivesTheSame() {
        let bytes =
            ClientBytes.text("héllo") + ClientBytes(opcode: 9, payload: [1, 2, 3]).bytes
            + ClientBytes.text("a", isFinal: false) + ClientBytes(opcode: 10).bytes
            + ClientBytes(isFinal: false, opcode: 0, payload: Array("bcdefghij€".utf8)).bytes
            + ClientBytes(opcode: 0).bytes
            + ClientBytes.text(String(repeating: "x", count: 130)) + ClientBytes.text("")
            + ClientBytes.close(4000, Array("bye".utf8))
        let expected = Outcome.messages([
            .text(Array("héllo".utf8)), .ping([1, 2, 3]), .pong, .text(Array("abcdefghij€".utf8)),
            .text([UInt8](repeating: 0x78, count: 130)), .text([]), .close(code: 4000),
        ])
        #expect(parse(bytes) == expected)
        #expect(parse(bytes, cuts: Array(1..<bytes.count)) == expected)
        for first in 1..<bytes.count - 1 {
            #expect(parse(bytes, cuts: [first]) == expected)
            for second in stride(from: first + 1, to: bytes.count, by: 7) {
                #expect(parse(bytes, cuts: [first, second]) == expected)
            }
        }
    }

    @Test func everyLengthIsUnmaskedRight() {
        var random = TestRandom(seed: 5)
        for length in Array(0...70) + [125, 126, 127, 128, 1_000, 65_535, 65_536, 100_000] {
            let text = (0..<length).map { _ in UInt8(random.next(below: 128)) }
            let bytes = ClientBytes(payload: text, mask: random.bytes(4)).bytes
            let cut = Int(random.next(below: UInt64(bytes.count)))
            #expect(parse(bytes, cuts: [cut]) == .messages([.text(text)]))
        }
    }

    @Test func nothingIsKeptOfWhatIsComplete() throws {
        var parser = SocketParser()
        var input = ByteBuffer(bytes: ClientBytes.text(String(repeating: "x", count: 60_000)))
        _ = try parser.next(&input, limitBytes: 1 << 17)
        #expect(parser.keptBytes == 0)
        input = ByteBuffer(bytes: ClientBytes.text("half", isFinal: false))
        _ = try parser.next(&input, limitBytes: 1 << 17)
        #expect(parser.keptBytes == 4)
    }

    @Test func whatBreaksTheProtocolIs1002() {
        var wrong: [[UInt8]] = []
        for reserved in UInt8(1)...7 { wrong.append(ClientBytes(reserved: reserved).bytes) }
        for opcode in Array(3...7) + Array(11...15) { wrong.append(ClientBytes(opcode: UInt8(opcode)).bytes) }
        wrong.append(ClientBytes(isMasked: false, payload: [0x61]).bytes)
        wrong.append(ClientBytes(opcode: 0).bytes)
        wrong.append(ClientBytes.text("a", isFinal: false) + ClientBytes.text("b"))
        for opcode in [UInt8(8), 9, 10] {
            wrong.append(ClientBytes(isFinal: false, opcode: opcode).bytes)
            wrong.append(ClientBytes(opcode: opcode, payload: [UInt8](repeating: 1, count: 126)).bytes)
        }
        // Lengths in a longer form than needed, and the one with the highest bit.
        wrong.append(ClientBytes(payload: [0x61], lengthBytes: 3).bytes)
        wrong.append(ClientBytes(payload: [UInt8](repeating: 0x61, count: 300), lengthBytes: 9).bytes)
        wrong.append(ClientBytes(claimedLength: 1 << 63).bytes)
        wrong.append(ClientBytes(claimedLength: .max).bytes)
        wrong.append(ClientBytes(opcode: 8, payload: [3]).bytes)
        for code in [UInt16(0), 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
            wrong.append(ClientBytes.close(code))
        }
        for bytes in wrong { #expect(code(bytes) == 1002, "\(bytes.prefix(16))") }
    }

    @Test func closeCodesThatMayTravelAreTaken() {
        for code in [UInt16(1000), 1001, 1002, 1003, 1007, 1008, 1011, 1014, 3000, 4999] {
            #expect(parse(ClientBytes.close(code)) == .messages([.close(code: code)]))
        }
        #expect(parse(ClientBytes.close(nil)) == .messages([.close(code: nil)]))
    }

    @Test func binaryIs1003() {
        #expect(code(ClientBytes(opcode: 2, payload: [1]).bytes) == 1003)
    }

    @Test func badUTF8Is1007() {
        let wrong: [[UInt8]] = [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]]
        for text in wrong {
            #expect(code(ClientBytes(payload: text).bytes) == 1007)
            #expect(code(ClientBytes.close(1000, text)) == 1007)
        }
        // A character may be cut by fragments.
        let euro = Array("€".utf8)
        let cut =
            ClientBytes(isFinal: false, payload: [euro[0]]).bytes
            + ClientBytes(opcode: 0, payload: Array(euro[1...])).bytes
        #expect(parse(cut) == .messages([.text(euro)]))
    }

    @Test func tooLargeIs1009BeforeItHasArrived() {
        #expect(code(ClientBytes(claimedLength: 131_073).bytes) == 1009)
        #expect(code(ClientBytes(claimedLength: (1 << 63) - 1).bytes) == 1009)
        let half = ClientBytes(isFinal: false, payload: [UInt8](repeating: 0x61, count: 100)).bytes
        #expect(code(half + ClientBytes(opcode: 0, claimedLength: 101).bytes, limitBytes: 200) == 1009)
        let fits = half + ClientBytes(opcode: 0, payload: [UInt8](repeating: 0x61, count: 100)).bytes
        #expect(code(fits, limitBytes: 200) == nil)
        // Fragments that never end.
        var endless = ClientBytes.text("a", isFinal: false)
        for _ in 0..<300 { endless += ClientBytes(isFinal: false, opcode: 0, payload: [0x61]).bytes }
        #expect(code(endless, limitBytes: 200) == 1009)
    }

    @Test func thePartsOfAHeaderAreJudgedAtOnce() {
        // The first byte alone says that it is binary; the second one that it is not masked.
        #expect(code([0x82]) == 1003)
        #expect(code([0xC1]) == 1002)
        #expect(code([0x81, 0x01]) == 1002)
    }

    @Test func randomBytesAndMutationsNeverTrapAndStayBounded() {
        var random = TestRandom(seed: 99)
        for _ in 0..<1_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int(random.next(below: 4)) + 1 {
                let payload = random.bytes(Int(random.next(below: 200))).map { $0 & 0x7F }
                let opcode = [UInt8(0), 1, 1, 1, 8, 9, 10][Int(random.next(below: 7))]
                bytes +=
                    ClientBytes(
                        isFinal: random.next(below: 3) > 0, opcode: opcode, payload: payload,
                        mask: random.bytes(4)
                    ).bytes
            }
            switch random.next(below: 3) {
            case 0: bytes = random.bytes(Int(random.next(below: 300)) + 1)
            case 1:
                for _ in 0...random.next(below: 4) {
                    bytes[Int(random.next(below: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
                }
            default: bytes.removeSubrange(..<Int(random.next(below: UInt64(bytes.count))))
            }
            guard !bytes.isEmpty else { continue }
            let cuts = [Int(random.next(below: UInt64(bytes.count))), bytes.count / 2].sorted()
            #expect(parse(bytes, limitBytes: 256) == parse(bytes, cuts: cuts, limitBytes: 256))
        }
    }
}
