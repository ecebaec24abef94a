import Testing

@testable import TLS

/// AES-256-GCM and HKDF against published vectors, and against every flipped bit.
@Suite struct SealingTests {
    private let key = [UInt8](hex: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")
    private let nonce = [UInt8](hex: "cafebabefacedbaddecaf888")
    private let context = [UInt8](hex: "feedfacedeadbeeffeedfacedeadbeefabaddad2")
    private let plaintext = [UInt8](
        hex: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    private let sealed = [UInt8](
        hex: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" + "76fc6ece0f4e1768cddf8853bb2d551b")

    @Test func theVectorsOfTheGCMSpecification() throws {
        // McGrew and Viega, test cases 16 and 13.
        let cipher = try AES256GCM(key: key)
        #expect(try cipher.seal(plaintext, nonce: nonce, authenticating: context) == sealed)
        #expect(cipher.open(sealed, nonce: nonce, authenticating: context) == plaintext)

        let zero = try AES256GCM(key: [UInt8](repeating: 0, count: 32))
        let tag = [UInt8](hex: "530f8afbc74536b9a963b4f1c4cb738b")
        #expect(try zero.seal([], nonce: [UInt8](repeating: 0, count: 12)) == tag)
        #expect(zero.open(tag, nonce: [UInt8](repeating: 0, count: 12)) == [])
    }

    @Test func oneContextServesManyMessagesInAnyOrder() throws {
        let cipher = try AES256GCM(key: key)
        for count in [0, 1, 15, 16, 17, 4_096, 100_001] {
            let message = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            var once = nonce
            once[0] = UInt8(truncatingIfNeeded: count)
            let made = try cipher.seal(message[...], nonce: once, authenticating: [1])
            #expect(made.count == count + AES256GCM.tagByteCount)
            #expect(cipher.open(sealed, nonce: nonce) == nil)
            #expect(cipher.open(made[...], nonce: once, authenticating: [1]) == message)
        }
    }

    @Test func nothingThatWasChangedOpens() throws {
        let cipher = try AES256GCM(key: key)
        for bit in 0..<sealed.count * 8 {
            var changed = sealed
            changed[bit / 8] ^= 1 << (bit % 8)
            #expect(cipher.open(changed, nonce: nonce, authenticating: context) == nil)
        }
        for count in 0..<sealed.count {
            #expect(cipher.open(sealed.prefix(count), nonce: nonce, authenticating: context) == nil)
        }
        #expect(cipher.open(sealed, nonce: nonce, authenticating: context.dropLast()) == nil)
        #expect(cipher.open(sealed, nonce: nonce.reversed(), authenticating: context) == nil)
        var other = key
        other[31] ^= 1
        #expect(try AES256GCM(key: other).open(sealed, nonce: nonce, authenticating: context) == nil)
    }

    @Test func theVectorsOfHKDF() throws {
        // RFC 5869, A.1 and A.3.
        let secret = [UInt8](repeating: 0x0B, count: 22)
        let first = try HKDFSHA256.derive(
            secret: secret, salt: Array(0...12), info: Array(0xF0...0xF9), count: 42)
        #expect(
            first
                == [UInt8](
                    hex: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
        let third = try HKDFSHA256.derive(secret: secret, info: [], count: 42)
        #expect(
            third
                == [UInt8](
                    hex: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
    }

    @Test func erasingLeavesNothing() {
        var secret: [UInt8] = [1, 2, 3]
        erase(&secret)
        #expect(secret.isEmpty)
    }
}

extension [UInt8] {
    init(hex: String) {
        let digits = Array<Character>(hex)
        self = stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...($0 + 1)]), radix: 16)! }
    }
}
