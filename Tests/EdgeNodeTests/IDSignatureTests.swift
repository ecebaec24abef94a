import Placement
import Testing

@testable import EdgeNode

private typealias Vectors = SignatureVectors

/// A class whose keys have the versions 1 to 4, one of each algorithm; the newest is of P-256.
private func signedClass() throws -> ClassSettings {
    ClassSettings(
        requiresIDSignature: true,
        signatureKeys: [
            SignatureKey(version: 1, algorithm: .hmacSHA256, key: Vectors.secret),
            SignatureKey(version: 2, algorithm: .ed25519, key: Array(Vectors.ed25519PEM.utf8)),
            SignatureKey(
                version: 3, algorithm: .rsaSHA256, key: try #require(Base64.decode(Vectors.rsaPKCS1DER.utf8))),
            SignatureKey(version: 4, algorithm: .ecdsaP256SHA256, key: Array(Vectors.p256PEM.utf8)),
        ])
}

private let rightOnes = [
    (Vectors.hmacHex, "1"), (Vectors.hmacBase64, "1"), (Vectors.ed25519Signature, "2"),
    (Vectors.rsaSignature, "3"), (Vectors.p256Signature, "4"), (Vectors.p256RawSignature, "4"),
]

struct IDSignatureTests {
    private let gateway = ExecutingGateway()
    private let checker: IDSignatureChecker

    init() {
        let gateway = gateway
        checker = IDSignatureChecker(proofs: SignatureProofs(currentView: { gateway.view }))
    }

    /// The last part of the code with which it was refused; nil if it passed.
    private func fault(
        _ signature: String?, _ version: String?, of id: String = Vectors.objectID,
        _ settings: ClassSettings
    ) -> String? {
        do throws(HTTPFault) {
            try checker.check(
                objectID: id, signature: signature, keyVersion: version, settings: settings,
                owner: SecretOwner(project: "p", objectClass: "c"))
            return nil
        } catch {
            #expect(error.status == 403)
            return error.code.split(separator: ".").last.map(String.init)
        }
    }

    @Test(arguments: rightOnes)
    func everyAlgorithmAndEncodingIsTaken(_ signature: String, _ version: String) throws {
        let settings = try signedClass()
        let urlForm = signature.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        for text in [signature, urlForm, signature] { #expect(fault(text, version, settings) == nil) }
        #expect(fault(signature, version, of: Vectors.objectID + "2", settings) == "wrong")
        #expect(fault(String(signature.dropLast(3)), version, settings) == "wrong")
        #expect(fault("A" + signature.dropFirst(), version, settings) == "wrong" || signature.hasPrefix("A"))
    }

    @Test(arguments: rightOnes)
    func aSignatureIsOneForItsOwnKeyOnly(_ signature: String, _ version: String) throws {
        let settings = try signedClass()
        for other in ["1", "2", "3", "4"] where other != version {
            #expect(fault(signature, other, settings) == "wrong")
        }
    }

    @Test func withoutAVersionTheNewestKeyIsMeant() throws {
        let settings = try signedClass()
        #expect(fault(Vectors.p256Signature, nil, settings) == nil)
        #expect(fault(Vectors.p256Signature, "", settings) == nil)
        #expect(fault(Vectors.ed25519Signature, nil, settings) == "wrong")
    }

    @Test func whatIsMissingOrUnknownIsSaid() throws {
        let settings = try signedClass()
        #expect(fault(nil, "1", settings) == "missing")
        #expect(fault("", nil, settings) == "missing")
        for version in ["0", "5", "-1", "+1", "1.0", "x", "99999999999999999999999", " 1"] {
            #expect(fault(Vectors.hmacHex, version, settings) == "unknownKeyVersion")
        }
        #expect(fault(Vectors.hmacHex.uppercased(), "1", settings) == "wrong")
        #expect(fault("no base64!", "2", settings) == "wrong")
        #expect(fault(String(repeating: "A", count: 100_000), "2", settings) == "wrong")
    }

    @Test func classesThatDemandNothingTakeAnything() throws {
        var settings = try signedClass()
        settings.requiresIDSignature = false
        #expect(fault("junk", "77", settings) == nil)
        #expect(fault(nil, nil, .standard) == nil)
    }

    @Test func aDecomposedLetterIsAnotherObject() throws {
        let settings = try signedClass()
        #expect(fault(Vectors.ed25519Signature, "2", settings) == nil)
        let decomposed = "room-42/e\u{301}"
        #expect(decomposed == Vectors.objectID)
        for (signature, version) in rightOnes {
            #expect(fault(signature, version, of: decomposed, settings) == "wrong")
        }
    }

    @Test func aKeyThatIsNoneRefusesEverybody() {
        let settings = ClassSettings(
            requiresIDSignature: true,
            signatureKeys: [SignatureKey(version: 1, algorithm: .ed25519, key: [1, 2, 3])])
        #expect(fault(Vectors.ed25519Signature, nil, settings) == "unusableKey")
        #expect(fault(nil, nil, settings) == "missing")
    }

    @Test func preparedKeysAreForgottenWithTheView() throws {
        let settings = try signedClass()
        for (signature, version) in rightOnes { #expect(fault(signature, version, settings) == nil) }
        #expect(checker.proofs.preparedCount == 4)
        #expect(checker.proofs.rememberedCount == 4)
        gateway.apply(.createProject(id: "other", createdAtMs: 1))
        #expect(fault(Vectors.hmacHex, "1", settings) == nil)
        #expect(checker.proofs.preparedCount == 1)
        #expect(checker.proofs.rememberedCount == 0)
    }

    @Test func preparedKeysStayBounded() {
        for number in 0..<600 {
            let key = SignatureKey(
                version: 1, algorithm: .hmacSHA256, key: Array("a-secret-of-class-\(number)".utf8))
            #expect(
                fault(
                    Vectors.hmacHex, nil, ClassSettings(requiresIDSignature: true, signatureKeys: [key]))
                    == "wrong")
        }
        #expect(checker.proofs.preparedCount <= SignatureProofs.keysMax)
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func damagedSignaturesNeverTrap(_ seed: UInt64) throws {
        var random = TestRandom(seed: 400 + seed)
        let settings = try signedClass()
        for (signature, version) in rightOnes {
            for _ in 0..<100 {
                let text = String(decoding: damaged(Array(signature.utf8), &random), as: UTF8.self)
                let fault = fault(text, version, settings)
                // Padding may go and the alphabets may be mixed without another meaning.
                #expect(fault == "wrong" || Base64.decode(text.utf8) == Base64.decode(signature.utf8))
            }
        }
    }
}

/// Required signatures, through HTTP.
struct SignedObjectTests {
    private let edge: TestEdge
    private let object = "/project/demo/cache/signed/room-42%2F%C3%A9"

    init() throws {
        edge = try TestEdge()
        let command = Command.setClass(project: "demo", name: "signed", settings: try signedClass())
        #expect(edge.gateway.apply(command) == .done)
    }

    @Test func everyCallOnAnObjectWantsTheSignature() throws {
        let id = "signed/room-42%2F%C3%A9"
        let right = [("X-Id-Sig", Vectors.ed25519Signature), ("X-Id-Sig-KV", "2")]
        for (method, path, body) in [
            ("POST", "cache/\(id)/n", #"{"value":1}"#), ("GET", "cache/\(id)/n", nil),
            ("POST", "cache/\(id)", #"{"n":{"value":1}}"#), ("GET", "cache/\(id)", nil),
            ("POST", "cache/\(id)/n/increment", #"{"value":1}"#), ("GET", "cache-keys/\(id)", nil),
            ("POST", "cache-query/\(id)", "[]"), ("POST", "cache-encryption/\(id)", "{}"),
            ("POST", "cache-encryption-rotate/\(id)", "{}"), ("DELETE", "cache/\(id)/n", nil),
            ("DELETE", "cache/\(id)", nil),
        ] as [(String, String, String?)] {
            let served = edge.gateway.requests.count
            let refused = try edge.call(method, "/project/demo/" + path, body)
            #expect(refused.status == 403, "\(method) \(path)")
            #expect(refused.code == "authorizationError.idSignature.missing")
            #expect(refused.applied == "no")
            #expect(edge.gateway.requests.count == served)
            let answer = try edge.call(method, "/project/demo/" + path, body, headers: right)
            #expect(answer.status < 300, "\(method) \(path)")
        }
    }

    @Test func theAnswerSaysWhatIsWrong() throws {
        for (signature, version, code) in [
            (Vectors.ed25519Signature, "1", "wrong"), (Vectors.hmacHex, "9", "unknownKeyVersion"),
            (Vectors.hmacHex, "nine", "unknownKeyVersion"),
        ] {
            let answer = try edge.call(
                "GET", object, headers: [("x-id-sig", signature), ("X-ID-SIG-KV", version)])
            #expect(answer.status == 403)
            #expect(answer.code == "authorizationError.idSignature." + code)
        }
    }

    @Test func neitherOtherClassesNorTheTokenEndpointWantOne() throws {
        #expect(try edge.call("GET", "/project/demo/auth/token").status == 200)
        #expect(try edge.call("GET", "/project/demo/cache/plain/o").status == 200)
    }

    @Test func aSignatureIsNoCredential() throws {
        let client = try edge.connect()
        client.authorization = ""
        let answer = try client.call(
            "GET", object, headers: [("X-Id-Sig", Vectors.hmacHex), ("X-Id-Sig-KV", "1")])
        #expect(answer.status == 401)
    }

    /// Add the new key, move the backends over, remove the old one.
    @Test func keysRotateWithOverlap() throws {
        let path = "/projects/demo/classes/signed"
        let old = [("X-Id-Sig", Vectors.hmacHex), ("X-Id-Sig-KV", "1")]
        let fresh = [("X-Id-Sig", Vectors.rsaSignature)]
        #expect(try edge.call("GET", object, headers: fresh).status == 403)
        let pem = Vectors.rsaPEM.replacing("\n", with: "\\n")
        let body = #"{"addSignatureKey":{"algorithm":"rsa-sha256","key":"\#(pem)"}}"#
        #expect(try edge.admin("POST", path, body).status == 200)
        for headers in [old, fresh] { #expect(try edge.call("GET", object, headers: headers).status == 200) }
        #expect(try edge.admin("POST", path, #"{"removeSignatureKey":1}"#).status == 200)
        #expect(try edge.call("GET", object, headers: old).code?.hasSuffix(".unknownKeyVersion") == true)
        #expect(try edge.call("GET", object, headers: fresh).status == 200)
    }
}
