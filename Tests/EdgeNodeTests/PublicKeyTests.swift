import Testing

@testable import EdgeNode
@testable import TLS

private typealias Vectors = SignatureVectors

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private func decoded(_ base64: String) throws -> [UInt8] { try #require(Base64.decode(base64.utf8)) }

struct PublicKeyTests {
    struct Case: Sendable, CustomStringConvertible {
        var description: String
        var algorithm: PublicKeyAlgorithm
        var key: [UInt8]
        var signature: String
    }

    private static func form(_ base64: String) -> [UInt8] { Base64.decode(base64.utf8) ?? [] }

    /// Every form of key with every form of signature.
    static let cases = [
        Case(
            description: "Ed25519 PEM", algorithm: .ed25519, key: bytes(Vectors.ed25519PEM),
            signature: Vectors.ed25519Signature),
        Case(
            description: "Ed25519 DER", algorithm: .ed25519, key: form(Vectors.ed25519DER),
            signature: Vectors.ed25519Signature),
        Case(
            description: "Ed25519 raw", algorithm: .ed25519, key: form(Vectors.ed25519Raw),
            signature: Vectors.ed25519Signature),
        Case(
            description: "RSA PEM", algorithm: .rsaSHA256, key: bytes(Vectors.rsaPEM),
            signature: Vectors.rsaSignature),
        Case(
            description: "RSA PKCS #1 PEM", algorithm: .rsaSHA256, key: bytes(Vectors.rsaPKCS1PEM),
            signature: Vectors.rsaSignature),
        Case(
            description: "RSA PKCS #1 DER", algorithm: .rsaSHA256, key: form(Vectors.rsaPKCS1DER),
            signature: Vectors.rsaSignature),
        Case(
            description: "P-256 PEM", algorithm: .ecdsaP256SHA256, key: bytes(Vectors.p256PEM),
            signature: Vectors.p256Signature),
        Case(
            description: "P-256 DER, 64 bytes", algorithm: .ecdsaP256SHA256, key: form(Vectors.p256DER),
            signature: Vectors.p256RawSignature),
    ]

    @Test(arguments: cases)
    func aSignatureMadeElsewhereHolds(_ example: Case) throws {
        let key = try PublicKey(example.key, algorithm: example.algorithm)
        let signature = try decoded(example.signature)
        for _ in 0..<2 { #expect(key.isAuthentic(signature, of: bytes(Vectors.objectID))) }
    }

    @Test(arguments: cases)
    func anyFlippedBitBreaksIt(_ example: Case) throws {
        let key = try PublicKey(example.key, algorithm: example.algorithm)
        let signature = try decoded(example.signature)
        for position in signature.indices {
            var changed = signature
            changed[position] ^= 1 << UInt8(position % 8)
            #expect(!key.isAuthentic(changed, of: bytes(Vectors.objectID)), "byte \(position)")
        }
        #expect(!key.isAuthentic(signature, of: bytes(Vectors.objectID + "x")))
        #expect(!key.isAuthentic(signature, of: []))
    }

    @Test(arguments: cases)
    func anyOtherLengthIsRefused(_ example: Case) throws {
        let key = try PublicKey(example.key, algorithm: example.algorithm)
        let signature = try decoded(example.signature)
        for count in signature.indices {
            #expect(!key.isAuthentic(Array(signature[..<count]), of: bytes(Vectors.objectID)))
        }
        #expect(!key.isAuthentic(signature + [0], of: bytes(Vectors.objectID)))
        #expect(!key.isAuthentic([0] + signature, of: bytes(Vectors.objectID)))
    }

    @Test func allFormsOfAKeyAreOneKey() throws {
        let forms = PublicKeyTests.cases.filter { $0.algorithm == .rsaSHA256 }
        let keys = try forms.map { try PublicKey($0.key, algorithm: $0.algorithm).derBytes }
        #expect(Set(keys).count == 1)
        let again = try PublicKey(keys[0], algorithm: .rsaSHA256)
        #expect(again.derBytes == keys[0])
    }

    @Test func anotherKeyOrPaddingOrHashIsWrong() throws {
        let other = try PublicKey(bytes(Vectors.otherEd25519PEM), algorithm: .ed25519)
        #expect(!other.isAuthentic(try decoded(Vectors.ed25519Signature), of: bytes(Vectors.objectID)))
        let rsa = try PublicKey(bytes(Vectors.rsaPEM), algorithm: .rsaSHA256)
        for signature in [Vectors.rsaPSSSignature, Vectors.rsaSHA512Signature, Vectors.p256Signature] {
            #expect(!rsa.isAuthentic(try decoded(signature), of: bytes(Vectors.objectID)))
        }
    }

    private func refusal(_ key: [UInt8], _ algorithm: PublicKeyAlgorithm) -> PublicKeyFault? {
        do throws(PublicKeyFault) {
            _ = try PublicKey(key, algorithm: algorithm)
            return nil
        } catch {
            return error
        }
    }

    @Test func keysOfTheWrongKindAreRefused() {
        #expect(refusal(bytes(Vectors.rsaPEM), .ed25519) == .wrongType)
        #expect(refusal(bytes(Vectors.ed25519PEM), .rsaSHA256) == .wrongType)
        #expect(refusal(bytes(Vectors.ed25519PEM), .ecdsaP256SHA256) == .wrongType)
        #expect(refusal(bytes(Vectors.x25519PEM), .ed25519) == .wrongType)
        #expect(refusal(bytes(Vectors.p384PEM), .ecdsaP256SHA256) == .wrongCurve)
        #expect(refusal(bytes(Vectors.rsa1024PEM), .rsaSHA256) == .wrongSize(bits: 1_024))
    }

    @Test func aPrivateKeyIsRefusedBeforeItIsKept() {
        for algorithm in PublicKeyAlgorithm.allCases {
            for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
                let labelled = Vectors.ed25519PEM.replacing("PUBLIC KEY", with: label)
                #expect(refusal(bytes(labelled), algorithm) == .privateKey)
            }
        }
    }

    @Test func whatIsNoKeyIsUnreadable() throws {
        let der = try decoded(Vectors.p256DER)
        let certificate = Vectors.p256PEM.replacing("PUBLIC KEY", with: "CERTIFICATE")
        for algorithm in PublicKeyAlgorithm.allCases {
            for junk in [
                [], [0x30], bytes("nothing"), bytes("-----BEGIN PUBLIC KEY-----"), Array(der.dropLast()),
                der + [0], bytes(certificate), [UInt8](repeating: 0x30, count: 20_000),
            ] {
                #expect(refusal(junk, algorithm) == .unreadable)
            }
        }
        // Only Ed25519 keys are 32 bytes.
        #expect(refusal([UInt8](repeating: 9, count: 32), .rsaSHA256) == .unreadable)
    }

    /// For such keys signatures hold that nobody made.
    @Test func pointsOfSmallOrderAreNoKeys() {
        var point = [UInt8](repeating: 0, count: 32)
        #expect(refusal(point, .ed25519) == .weak)
        point[31] = 0x80
        #expect(refusal(point, .ed25519) == .weak)
        point = [1] + [UInt8](repeating: 0, count: 31)
        #expect(refusal(point, .ed25519) == .weak)
        for first in [UInt8(0xEC), 0xED, 0xEE] {
            #expect(refusal([first] + [UInt8](repeating: 0xFF, count: 30) + [0x7F], .ed25519) == .weak)
        }
        for hexadecimal in [
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ] {
            #expect(refusal(Hexadecimal.decode(hexadecimal.utf8) ?? [], .ed25519) == .weak)
        }
    }

    @Test func fixedNumbersBecomeDER() {
        var fixed = [UInt8](repeating: 0, count: 64)
        #expect(ECDSASignature.der(fixed: fixed) == [0x30, 6, 2, 1, 0, 2, 1, 0])
        fixed[31] = 0x7F
        fixed[63] = 0x80
        #expect(ECDSASignature.der(fixed: fixed) == [0x30, 7, 2, 1, 0x7F, 2, 2, 0, 0x80])
        let long = ECDSASignature.der(fixed: [UInt8](repeating: 0xFF, count: 64))
        #expect(long.count == 72)
        #expect(long[..<5] == [0x30, 70, 2, 33, 0])
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func damagedKeysAndSignaturesNeverTrap(_ seed: UInt64) throws {
        var random = TestRandom(seed: 300 + seed)
        for example in PublicKeyTests.cases {
            let good = try decoded(example.signature)
            for _ in 0..<60 {
                let key = damaged(example.key, &random)
                guard let key = try? PublicKey(key, algorithm: example.algorithm) else { continue }
                _ = key.isAuthentic(damaged(good, &random), of: bytes(Vectors.objectID))
                _ = key.isAuthentic(random.bytes(Int(random.next(below: 80))), of: [])
            }
            _ = try? PublicKey(random.bytes(Int(random.next(below: 400))), algorithm: example.algorithm)
        }
    }
}

/// `good` with up to three bytes changed, taken out or put in.
func damaged(_ good: [UInt8], _ random: inout TestRandom) -> [UInt8] {
    var bytes = good
    for _ in 0..<Int(1 + random.next(below: 3)) {
        guard !bytes.isEmpty else { return bytes }
        let position = Int(random.next(below: UInt64(bytes.count)))
        switch random.next(below: 3) {
        case 0: bytes[position] ^= 1 << UInt8(random.next(below: 8))
        case 1: bytes.remove(at: position)
        default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
        }
    }
    return bytes
}
