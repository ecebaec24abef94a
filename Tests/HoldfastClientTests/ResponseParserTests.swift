import NIOCore
import Testing

@testable import HoldfastClient

@Suite struct ResponseParserTests {
    static let plain =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nholdfast-EPOCH:  7 \r\nContent-Length: 7\r\n\r\n{\"a\":1}"
    static let chunked =
        "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nTrailer: 1\r\n\r\n"
    static let empty = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    static let bodiless = "HTTP/1.1 204 No Content\r\n\r\n"
    static let interim = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Everything that comes out of `text` when it arrives in pieces of `size` bytes.
    private func responses(_ text: String, pieces size: Int) throws -> [HTTPResponse] {
        var parser = HTTPResponseParser()
        var found: [HTTPResponse] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            parser.receive(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)]))
            while let response = try parser.next() { found.append(response) }
        }
        return found
    }

    @Test(arguments: [1, 2, 3, 7, 64, 4_096])
    func cutsAStreamIntoTheSameResponsesHoweverItArrives(size: Int) throws {
        let stream = Self.plain + Self.interim + Self.chunked + Self.bodiless + Self.empty + Self.plain
        let found = try responses(stream, pieces: size)
        #expect(found.map(\.status) == [200, 201, 204, 404, 200])
        #expect(found.map(\.bodyText) == ["{\"a\":1}", "abcdefg", "", "", "{\"a\":1}"])
        #expect(found.map(\.keepsAlive) == [true, true, true, true, true])
    }

    @Test func findsHeadersWhateverTheirCase() throws {
        let response = try #require(try responses(Self.plain, pieces: 4_096).first)
        #expect(response.header("Holdfast-Epoch") == "7")
        #expect(response.header("content-type") == "application/json")
        #expect(response.header("Holdfast") == nil)
        #expect(response.header("OK") == nil)
    }

    @Test func takesABodyThatEndsWithTheConnection() throws {
        var parser = HTTPResponseParser()
        parser.receive(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\nhalf"))
        #expect(try parser.next() == nil)
        parser.receive(ByteBuffer(string: " and half"))
        let response = try #require(try parser.finish())
        #expect(response.bodyText == "half and half")
        #expect(!response.keepsAlive)
    }

    @Test func noticesAConnectionThatEndsInsideAResponse() throws {
        var parser = HTTPResponseParser()
        parser.receive(ByteBuffer(string: String(Self.plain.dropLast())))
        #expect(try parser.next() == nil)
        #expect(throws: HTTPParseFailure.self) { try parser.finish() }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    func knowsWhenTheConnectionIsNotKept(text: String) throws {
        #expect(try responses(text, pieces: 4_096).map(\.keepsAlive) == [false])
    }

    @Test(arguments: [
        "SMTP ready\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
        "x",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ])
    func refusesWhatIsNoResponse(text: String) {
        #expect(throws: HTTPParseFailure.self) { try responses(text, pieces: 4_096) }
    }

    @Test func refusesAHeadWithoutEnd() {
        var parser = HTTPResponseParser()
        parser.receive(ByteBuffer(string: "HTTP/1.1 200 OK\r\nX: "))
        parser.receive(ByteBuffer(repeating: UInt8(ascii: "y"), count: HTTPResponseParser.headBytesMax))
        #expect(throws: HTTPParseFailure.self) { try parser.next() }
    }

    /// Any damage gives a response, a refusal, or a wait for more: never a trap.
    @Test func survivesEveryCutAndEveryFlippedByte() {
        for text in [Self.plain, Self.chunked, Self.empty, Self.bodiless] {
            let bytes = Array(text.utf8)
            for cut in 0...bytes.count { feed(Array(bytes[..<cut])) }
            for position in bytes.indices {
                for mask: UInt8 in [0x01, 0x10, 0x80, 0xFF] {
                    var damaged = bytes
                    damaged[position] ^= mask
                    feed(damaged)
                }
            }
        }
    }

    @Test func survivesNoise() {
        var word: UInt64 = 42
        for length in 0..<400 {
            var bytes = Array("HTTP/1.1 200 OK\r\n".utf8)
            for _ in 0..<length {
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(UInt8(truncatingIfNeeded: word >> 33))
            }
            feed(bytes)
        }
    }

    private func feed(_ bytes: [UInt8]) {
        var parser = HTTPResponseParser()
        parser.receive(ByteBuffer(bytes: bytes))
        while let response = try? parser.next() { #expect((200..<1_000).contains(response.status)) }
        _ = try? parser.finish()
    }
}
