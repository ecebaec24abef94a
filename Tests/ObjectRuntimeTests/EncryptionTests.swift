import Foundation
import Testing

@testable import ObjectRuntime

@Suite struct EncryptionTests {
    private var owner = TestOwner()

    private func settings(_ answer: Answer) throws -> (current: [String: Any], previous: [[String: Any]]) {
        guard case .json(let body) = answer.reply,
            let object = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any],
            let current = object["encryptionSettings"] as? [String: Any],
            let previous = object["previousEncryptionSettings"] as? [[String: Any]]
        else { throw DecodingProblem.otherShape }
        return (current, previous)
    }

    enum DecodingProblem: Error { case otherShape }

    @Test mutating func settingsAreMadeOnceAndThenGiven() throws {
        let first = try owner.run(OperationParser.encryptionSettings(body: Array("{}".utf8)))
        let (current, previous) = try settings(first)
        #expect(
            current["keyVersion"] as? Int == 0 && current["createdAt"] as? Int == 1000 && previous.isEmpty)
        #expect(Data(base64Encoded: try #require(current["salt"] as? String))?.count == 16)
        owner.nowMs = 5000
        #expect(try owner.run(.encryptionSettings(saltBytes: 99)).reply == first.reply)
    }

    @Test mutating func rotatingKeepsThePreviousOnes() throws {
        let first = try settings(
            try owner.run(OperationParser.rotateEncryption(body: Array(#"{"saltLength":5}"#.utf8))))
        #expect(first.current["keyVersion"] as? Int == 0 && first.previous.isEmpty)
        let second = try settings(try owner.run(.rotateEncryption(saltBytes: 40)))
        #expect(second.current["keyVersion"] as? Int == 1)
        #expect(Data(base64Encoded: try #require(second.current["salt"] as? String))?.count == 40)
        #expect(
            second.previous.count == 1
                && second.previous[0]["salt"] as? String == first.current["salt"] as? String)
        #expect(second.current["salt"] as? String != first.current["salt"] as? String)
    }

    @Test(arguments: ["0", "-1", "1025", "1.5", #""16""#, "null"])
    func anImpossibleSaltLengthIsRefused(length: String) {
        #expect(throws: Refusal.self) {
            try OperationParser.encryptionSettings(body: Array(#"{"saltLength":\#(length)}"#.utf8))
        }
    }

    @Test mutating func writesUnderEveryVersionThatTheObjectHadAreAccepted() throws {
        #expect(
            try owner.set("x", #"{"value":"c"}"#, keyVersion: 0) == "409 conflictError.keyVersion.mismatch")
        _ = try owner.run(.encryptionSettings(saltBytes: 16))
        _ = try owner.run(.rotateEncryption(saltBytes: 16))
        #expect(try owner.set("x", #"{"value":"c"}"#, keyVersion: 0).hasSuffix(#","keyVersion":0}"#))
        #expect(try owner.set("x", #"{"value":"c"}"#, keyVersion: 1).hasSuffix(#","keyVersion":1}"#))
        #expect(
            try owner.set("x", #"{"value":"c"}"#, keyVersion: 2) == "409 conflictError.keyVersion.mismatch")
        #expect(
            try owner.set("x", #"{"value":"c"}"#, keyVersion: UInt64.max)
                == "409 conflictError.keyVersion.mismatch")
        #expect(
            try owner.setAll(#"{"y":{"value":"c"}}"#, keyVersion: 2)
                == "409 conflictError.keyVersion.mismatch")
        #expect(try owner.get("x").hasSuffix(#","keyVersion":1}"#))
    }

    @Test mutating func withoutAVersionThereIsNoMemberForIt() throws {
        _ = try owner.run(.encryptionSettings(saltBytes: 16))
        try owner.set("x", #"{"value":"c"}"#, keyVersion: 0)
        #expect(try owner.set("x", #"{"value":"plain"}"#) == item(#""plain""#, at: 1000, 1001))
    }

    @Test mutating func settingsOutliveItemsAndClear() throws {
        let first = try owner.run(.encryptionSettings(saltBytes: 16))
        try owner.set("x", #"{"value":1}"#)
        _ = try owner.run(.clear)
        #expect(owner.state.objectCount == 1)
        #expect(try owner.run(.encryptionSettings(saltBytes: 16)).reply == first.reply)
    }

    @Test func saltsDependOnTheWholeSeedAndOnNothingElse() {
        #expect(expand((1, 2), count: 100) == expand((1, 2), count: 100))
        #expect(expand((1, 2), count: 16) != expand((1, 3), count: 16))
        #expect(
            Set(stride(from: 0, to: 1024, by: 8).map { Array(expand((1, 2), count: 1024)[$0..<$0 + 8]) })
                .count == 128)
    }

    @Test func base64IsThatOfFoundation() {
        for count in 0..<40 {
            let bytes = expand((9, 9), count: count)
            var output: [UInt8] = []
            appendBase64(bytes, to: &output)
            #expect(String(decoding: output, as: UTF8.self) == Data(bytes).base64EncodedString())
        }
    }
}
