import TLS
import Testing

struct CryptographyTests {
    /// FIPS 180-4 examples, and one block boundary.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256MatchesThePublishedExamples(_ message: String, _ digest: String) throws {
        #expect(hexadecimal(try SHA256.hash(Array(message.utf8))) == digest)
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ])
    func sha1MatchesThePublishedExamples(_ message: String, _ digest: String) throws {
        #expect(hexadecimal(try SHA1.hash(Array(message.utf8))) == digest)
    }

    @Test func sha256OfAMillionLetters() throws {
        let digest = try SHA256.hash([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
        #expect(hexadecimal(digest) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    struct Vector {
        var key: [UInt8]
        var message: [UInt8]
        var code: String
    }

    /// RFC 4231, test cases 1 to 4, 6 and 7.
    static let vectors = [
        Vector(
            key: [UInt8](repeating: 0x0B, count: 20), message: Array("Hi There".utf8),
            code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        Vector(
            key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
            code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        Vector(
            key: [UInt8](repeating: 0xAA, count: 20), message: [UInt8](repeating: 0xDD, count: 50),
            code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        Vector(
            key: Array(1...25), message: [UInt8](repeating: 0xCD, count: 50),
            code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        Vector(
            key: [UInt8](repeating: 0xAA, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        Vector(
            key: [UInt8](repeating: 0xAA, count: 131),
            message: Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. "
                    + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
            code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ]

    @Test(arguments: vectors.indices)
    func hmacMatchesRFC4231(_ number: Int) throws {
        let vector = CryptographyTests.vectors[number]
        let authenticator = try MessageAuthenticator(key: vector.key)
        #expect(hexadecimal(try authenticator.authenticate(vector.message)) == vector.code)
    }

    @Test func anAuthenticatorCanBeUsedAgain() throws {
        let vector = CryptographyTests.vectors[1]
        let authenticator = try MessageAuthenticator(key: vector.key)
        _ = try authenticator.authenticate(Array("something else".utf8))
        #expect(hexadecimal(try authenticator.authenticate(vector.message)) == vector.code)
    }

    @Test func anEmptyKeyIsAKey() throws {
        let code = try MessageAuthenticator(key: []).authenticate([])
        #expect(hexadecimal(code) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func oneWrongBitIsNotAuthentic() throws {
        let authenticator = try MessageAuthenticator(key: Array("key".utf8))
        let message = Array("message".utf8)
        var code = try authenticator.authenticate(message)
        #expect(try authenticator.isAuthentic(code, of: message))
        code[31] ^= 1
        #expect(try !authenticator.isAuthentic(code, of: message))
        #expect(try !authenticator.isAuthentic(Array(code.dropLast()), of: message))
    }

    @Test func equalityLooksAtEveryByteAndAtTheLength() {
        #expect(equalInConstantTime([], []))
        #expect(equalInConstantTime([1, 2, 3], [1, 2, 3]))
        #expect(!equalInConstantTime([1, 2, 3], [1, 2]))
        #expect(!equalInConstantTime([1, 2, 3], [0, 2, 3]))
        #expect(!equalInConstantTime([1, 2, 3], [1, 2, 4]))
    }

    @Test func randomBytesDiffer() throws {
        #expect(try secureRandomBytes(0) == [])
        let first = try secureRandomBytes(32)
        #expect(first.count == 32)
        #expect(try secureRandomBytes(32) != first)
    }

    private func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
