import Glibc
import HoldfastClient
import Testing

@testable import holdfast

/// The body that `class set` sends.
@Suite struct ClassChangeTests {
    private func body(_ arguments: [String]) throws -> String {
        let command = try #require(
            try Holdfast.parseAsRoot(["class", "set", "shop", "room"] + arguments) as? ClassSetCommand)
        return try command.change.body().description
    }

    /// A file with this content, for the time of the call.
    private func withFile<Result>(_ content: String, _ use: (String) throws -> Result) throws -> Result {
        var template = Array("/tmp/holdfast-key-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        let bytes = Array(content.utf8)
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        return try use(path)
    }

    @Test func leavesOutWhatIsNotGiven() throws {
        #expect(try body([]) == "{}")
        #expect(try body(["--default-ttl-ms", "5"]) == #"{"defaultTTL":5}"#)
        #expect(try body(["--require-id-signature"]) == #"{"requireIdSignature":true}"#)
        #expect(try body(["--no-require-id-signature"]) == #"{"requireIdSignature":false}"#)
        #expect(try body(["--remove-key", "3"]) == #"{"removeSignatureKey":3}"#)
        #expect(try body(["--user-identity", "off"]) == #"{"userIdentity":{"mode":"off"}}"#)
    }

    @Test func readsKeyFilesAndDropsTheLineEndOfSecretsOnly() throws {
        let secret = try withFile("s3cret\n") {
            try body(["--add-key", "hmac-sha256", "--key-file", $0, "--key-version", "4"])
        }
        #expect(
            secret == #"{"addSignatureKey":{"algorithm":"hmac-sha256","keyBase64":"czNjcmV0","version":4}}"#)
        let pem = try withFile("PEM\n") {
            try body(["--user-identity", "token", "--identity-algorithm", "ed25519", "--identity-key-file", $0])
        }
        #expect(
            pem == #"{"userIdentity":{"mode":"token","algorithm":"ed25519","keyBase64":"UEVNCg=="}}"#)
        let identity = try withFile("s3cret\r\n") {
            try body(["--user-identity", "signature", "--identity-key-file", $0])
        }
        #expect(
            identity == #"{"userIdentity":{"mode":"signature","algorithm":"hmac-sha256","keyBase64":"czNjcmV0"}}"#)
        #expect(throws: FileFailure.self) {
            try body(["--add-key", "ed25519", "--key-file", "/nonexistent/key.pem"])
        }
    }

    @Test(arguments: [
        ["--add-key", "ed25519"], ["--key-file", "x"], ["--key-version", "1"], ["--identity-algorithm", "x"],
        ["--identity-key-file", "x"],
    ])
    func refusesHalfAnOption(_ arguments: [String]) {
        #expect(throws: (any Error).self) { try body(arguments) }
    }
}
