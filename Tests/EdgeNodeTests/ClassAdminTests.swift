import Placement
import Testing

@testable import EdgeNode

private typealias Vectors = SignatureVectors

struct ClassAdminTests {
    private let edge: TestEdge
    private let path = "/projects/demo/classes/room"

    init() throws {
        edge = try TestEdge()
    }

    private var settings: ClassSettings? {
        edge.gateway.view.state?.classSettings(project: "demo", class: "room")
    }

    private func json(_ pem: String) -> String { pem.replacing("\n", with: "\\n") }

    @discardableResult
    private func set(_ body: String, _ status: Int = 200) throws -> TestResponse {
        let answer = try edge.admin("POST", path, body)
        #expect(answer.status == status, "\(answer.body)")
        return answer
    }

    @Test func everythingIsSetInOneCallAndShownWithoutSecrets() throws {
        let body = """
            {"defaultTTL":5000,"requireIdSignature":true,
             "addSignatureKey":{"algorithm":"hmac-sha256","key":"\(String(decoding: Vectors.secret, as: UTF8.self))"},
             "userIdentity":{"mode":"token","algorithm":"rsa-sha256","key":"\(json(Vectors.rsaPKCS1PEM))"}}
            """
        let answer = try set(body)
        #expect(settings?.defaultTTLMs == 5_000)
        #expect(settings?.requiresIDSignature == true)
        #expect(
            settings?.signatureKeys == [
                SignatureKey(version: 1, algorithm: .hmacSHA256, key: Vectors.secret)
            ])
        let list = try edge.admin("GET", "/projects/demo/classes")
        #expect(list.json?["classes"]?.elements?.first?["class"]?.text == "room")
        for page in [answer.body, try edge.admin("GET", path).body, list.body] {
            #expect(page.contains(#""signatureKeys":[{"version":1,"algorithm":"hmac-sha256"}]"#))
            #expect(page.contains(#""mode":"token","algorithm":"rsa-sha256","sha256":""#))
            #expect(!page.contains(String(decoding: Vectors.secret, as: UTF8.self)))
        }
    }

    @Test func aPublicKeyIsShownByItsFingerprint() throws {
        try set(#"{"addSignatureKey":{"algorithm":"ed25519","keyBase64":"\#(Vectors.ed25519Raw)"}}"#)
        let key = try edge.admin("GET", path).json?["signatureKeys"]?.elements?.first
        // As `openssl pkey -pubin -outform DER | sha256sum` has it.
        let der = try #require(Base64.decode(Vectors.ed25519DER.utf8))
        #expect(settings?.signatureKeys.first?.key == der)
        #expect(key?["sha256"]?.text?.utf8.count == 64)
        #expect(key?["version"] == .number(1))
    }

    @Test func whatIsLeftOutStays() throws {
        try set(
            #"{"defaultTTL":5,"userIdentity":{"mode":"signature","key":"sixteen-or-more-bytes"}}"#)
        try set(#"{"addSignatureKey":{"version":7,"algorithm":"ed25519","key":"\#(json(Vectors.ed25519PEM))"}}"#)
        try set(#"{"requireIdSignature":true}"#)
        #expect(settings?.defaultTTLMs == 5)
        #expect(settings?.userIdentity == .signature(secret: Array("sixteen-or-more-bytes".utf8)))
        #expect(settings?.signatureKeys.map(\.version) == [7])
        try set(#"{"userIdentity":{"mode":"off"}}"#)
        #expect(settings?.userIdentity == .off)
        #expect(settings?.requiresIDSignature == true)
    }

    @Test func versionsRiseAndStayInOrder() throws {
        func add(_ version: String, _ secret: String, _ status: Int = 200) throws {
            try set(
                #"{"addSignatureKey":{\#(version)"algorithm":"hmac-sha256","key":"\#(secret)-sixteen-bytes"}}"#,
                status)
        }
        try add(#""version":5,"#, "five")
        try add("", "six")
        try add(#""version":2,"#, "two")
        #expect(settings?.signatureKeys.map(\.version) == [2, 5, 6])
        // The same once more is a retry; another key under the same version is not.
        try add(#""version":5,"#, "five")
        try add(#""version":5,"#, "other", 409)
        #expect(settings?.signatureKeys.count == 3)
        for version in 10..<15 { try add(#""version":\#(version),"#, "more") }
        try add("", "ninth", 400)
        #expect(settings?.signatureKeys.count == PlacementLimits.signatureKeysPerClass)
        try set(
            #"{"removeSignatureKey":2,"addSignatureKey":{"algorithm":"hmac-sha256","key":"ninth-sixteen-bytes"}}"#)
        #expect(settings?.signatureKeys.first?.version == 5)
        #expect(settings?.signatureKeys.last?.version == 15)
    }

    @Test func removingWantsTheKeyAndLeavesOneWhereItIsRequired() throws {
        try set(#"{"removeSignatureKey":1}"#, 404)
        try set(#"{"requireIdSignature":true}"#, 400)
        try set(
            #"{"requireIdSignature":true,"addSignatureKey":{"algorithm":"hmac-sha256","key":"sixteen-or-more-bytes"}}"#)
        let refused = try set(#"{"removeSignatureKey":1}"#, 400)
        #expect(refused.code == "validationError.signatureKeys")
        try set(#"{"removeSignatureKey":1,"requireIdSignature":false}"#)
        #expect(settings?.signatureKeys == [])
    }

    @Test func badKeysAreRefusedWithTheReason() throws {
        let cases: [(algorithm: String, key: String, reason: String)] = [
            ("rsa-sha256", json(Vectors.ed25519PEM), "another algorithm"),
            ("ed25519", json(Vectors.rsaPEM), "another algorithm"),
            ("ecdsa-p256-sha256", json(Vectors.p384PEM), "not P-256"),
            ("rsa-sha256", json(Vectors.rsa1024PEM), "1024 bits"),
            ("ed25519", json(Vectors.ed25519PEM.replacing("PUBLIC", with: "PRIVATE")), "private key"),
            ("ed25519", "not a key at all, but long enough", "no public key"),
            ("hmac-sha256", "short", "16 to"),
        ]
        for (algorithm, key, reason) in cases {
            for body in [
                #"{"addSignatureKey":{"algorithm":"\#(algorithm)","key":"\#(key)"}}"#,
                #"{"userIdentity":{"mode":"token","algorithm":"\#(algorithm)","key":"\#(key)"}}"#,
            ] {
                let answer = try set(body, 400)
                #expect(answer.json?["message"]?.text?.contains(reason) == true, "\(answer.body)")
                #expect(answer.code?.hasSuffix(".key") == true)
                #expect(!answer.body.contains("MCow") && !answer.body.contains("short"))
            }
        }
        #expect(settings == .standard)
    }

    @Test(arguments: [
        #"{"addSignatureKey":1}"#, #"{"addSignatureKey":{}}"#, #"{"addSignatureKey":{"algorithm":"rs256"}}"#,
        #"{"addSignatureKey":{"algorithm":"hmac-sha256"}}"#,
        #"{"addSignatureKey":{"algorithm":"hmac-sha256","key":"sixteen-or-more-bytes","keyBase64":"AAAA"}}"#,
        #"{"addSignatureKey":{"algorithm":"hmac-sha256","key":5}}"#,
        #"{"addSignatureKey":{"algorithm":"hmac-sha256","keyBase64":"!"}}"#,
        #"{"addSignatureKey":{"algorithm":"hmac-sha256","key":"sixteen-or-more-bytes","version":-1}}"#,
        #"{"addSignatureKey":{"algorithm":"hmac-sha256","key":"sixteen-or-more-bytes","x":1}}"#,
        #"{"removeSignatureKey":"1"}"#, #"{"requireIdSignature":1}"#, #"{"userIdentity":"off"}"#,
        #"{"userIdentity":{"mode":"maybe"}}"#, #"{"userIdentity":{"mode":"off","key":"x"}}"#,
        #"{"userIdentity":{"mode":"signature"}}"#, #"{"userIdentity":{"mode":"token","key":"x"}}"#,
        #"{"userIdentity":{"mode":"signature","algorithm":"ed25519","key":"sixteen-or-more-bytes"}}"#,
    ])
    func bodiesOfOtherFormsAre400(_ body: String) throws {
        try set(body, 400)
        #expect(settings == .standard)
    }

    @Test func aKeyThatIsTooLongIsRefused() throws {
        let secret = String(repeating: "x", count: PlacementLimits.keyMaterialBytes + 1)
        try set(#"{"addSignatureKey":{"algorithm":"hmac-sha256","key":"\#(secret)"}}"#, 400)
    }

    @Test func pagesOfUnknownProjectsAre404() throws {
        #expect(try edge.admin("GET", "/projects/nothing/classes").status == 404)
        #expect(try edge.admin("GET", "/projects/nothing/classes/c").status == 404)
        #expect(try edge.admin("GET", path).json?["requireIdSignature"] == .boolean(false))
        #expect(try edge.admin("DELETE", path).status == 405)
        #expect(try edge.admin("POST", "/projects/demo/classes").status == 405)
    }
}
