import Placement
import TLS
import Testing

@testable import EdgeNode

private typealias Vectors = SignatureVectors

struct UserIdentityTests {
    private let checker: UserIdentityChecker
    private let nowMs = Vectors.tokenEndMs - 1_000

    init() {
        let gateway = ExecutingGateway()
        checker = UserIdentityChecker(proofs: SignatureProofs(currentView: { gateway.view }))
    }

    private static let bySignature = ClassSettings(userIdentity: .signature(secret: Vectors.secret))

    private static func byToken(_ algorithm: SignatureAlgorithm, _ key: String) -> ClassSettings {
        ClassSettings(userIdentity: .token(algorithm, key: Array(key.utf8)))
    }

    private static let rsa = byToken(.rsaSHA256, Vectors.rsaPEM)
    private static let hmac = ClassSettings(userIdentity: .token(.hmacSHA256, key: Vectors.secret))

    /// What follows `userIdentity.` in the code; nil if it passed.
    private func fault(
        _ payload: String, token: String? = nil, signature: String? = nil, encrypted: Bool = false,
        _ settings: ClassSettings, nowMs: UInt64? = nil
    ) -> String? {
        do throws(HTTPFault) {
            try checker.check(
                payload: Array(payload.utf8), isEncrypted: encrypted, identityToken: token,
                userIDSignature: signature, settings: settings,
                owner: SecretOwner(project: "p", objectClass: "c"), nowMs: nowMs ?? self.nowMs)
            return nil
        } catch {
            #expect(error.status == 403)
            #expect(error.code.hasPrefix("authorizationError.userIdentity."))
            return String(error.code.dropFirst("authorizationError.userIdentity.".count))
        }
    }

    /// A token with the shared secret of these tests.
    private func token(_ claims: String, header: String = #"{"alg":"HS256"}"#) throws -> String {
        let text = Base64.encodeURL(Array(header.utf8)) + "." + Base64.encodeURL(Array(claims.utf8))
        let code = try MessageAuthenticator(key: Vectors.secret).authenticate(Array(text.utf8))
        return text + "." + Base64.encodeURL(code)
    }

    // MARK: Off

    @Test func offByDefault() {
        #expect(fault("anything", .standard) == nil)
        #expect(fault(#""text""#, token: "junk", signature: "junk", encrypted: true, .standard) == nil)
    }

    // MARK: Signature

    @Test func aSignedUserIDPasses() {
        let settings = Self.bySignature
        #expect(fault(#"{"userId":"user-123"}"#, signature: Vectors.userIDSignature, settings) == nil)
        #expect(
            fault(
                #" { "a" : {"userId":1} , "\u0075serId" : "user\u002d123" , "b":[] } "#,
                signature: Vectors.userIDSignature, settings) == nil)
        #expect(fault(#"{"userId":42}"#, signature: Vectors.numberSignature, settings) == nil)
    }

    @Test(arguments: [
        (#"{"userId":"user-124"}"#, "wrong"), (#"{"userId":"user-123\u0000"}"#, "wrong"),
        (#"{"userId":42}"#, "wrong"), (#"{"userid":"user-123"}"#, "userId"), ("{}", "userId"),
        (#"{"userId":null}"#, "userId"), (#"{"userId":["user-123"]}"#, "userId"),
        (#"{"userId":{"userId":"user-123"}}"#, "userId"), (#"{"userId":true}"#, "userId"),
        (#"{"userId":""}"#, "userId"), (#"{"userId":"\ud800"}"#, "userId"),
        // Readers disagree about which one counts.
        (#"{"userId":"victim","userId":"user-123"}"#, "userId"),
        (#"{"userId":"user-123","userI\u0064":"victim"}"#, "userId"),
        (#""user-123""#, "payload"), ("[]", "payload"), ("7", "payload"), ("", "payload"),
        (#"{"userId":"user-123""#, "payload"), (#"{"userId":"user-123"}x"#, "payload"),
    ])
    func otherPayloadsAreRefused(_ payload: String, _ code: String) {
        #expect(fault(payload, signature: Vectors.userIDSignature, Self.bySignature) == code)
    }

    @Test func aWrongSignatureIsRefused() {
        let payload = #"{"userId":"user-123"}"#
        let right = Vectors.userIDSignature
        for signature in [
            Vectors.numberSignature, String(right.dropLast()), right + "0", right.uppercased(), "zz",
            String(repeating: "é", count: 32), String(repeating: "a", count: 1_000_000),
        ] {
            #expect(fault(payload, signature: signature, Self.bySignature) == "wrong")
        }
        #expect(fault(payload, Self.bySignature) == "missing")
        #expect(fault(payload, token: Vectors.rs256, Self.bySignature) == "missing")
        #expect(fault(#""c1ph3r""#, signature: right, encrypted: true, Self.bySignature) == "encrypted")
        #expect(fault(payload, signature: right, encrypted: true, Self.bySignature) == "encrypted")
    }

    // MARK: Token

    @Test(arguments: [
        (Vectors.rs256, SignatureAlgorithm.rsaSHA256, Vectors.rsaPEM),
        (Vectors.es256, .ecdsaP256SHA256, Vectors.p256PEM), (Vectors.eddsa, .ed25519, Vectors.ed25519PEM),
    ])
    func tokensMadeElsewherePass(_ token: String, _ algorithm: SignatureAlgorithm, _ key: String) {
        let settings = Self.byToken(algorithm, key)
        for _ in 0..<2 {
            #expect(
                fault(#"{"sub":"user-123","name":"Alice","text":"hi"}"#, token: token, settings) == nil)
        }
        #expect(fault(#"{"text":"hi"}"#, token: token, settings) == nil)
        #expect(fault(#"{"sub":"user-124"}"#, token: token, settings) == "mismatch")
        #expect(fault(#"{"sub":"user-123"}"#, settings) == "missing")
        for other in [(SignatureAlgorithm.ed25519, Vectors.otherEd25519PEM), (.hmacSHA256, key)] {
            #expect(fault("{}", token: token, Self.byToken(other.0, other.1)) != nil)
        }
        var changed = Array(token.utf8)
        for position in stride(from: 40, to: changed.count, by: 11) where changed[position] != 0x2E {
            let kept = changed[position]
            changed[position] = kept == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(fault("{}", token: String(decoding: changed, as: UTF8.self), settings) != nil)
            changed[position] = kept
        }
    }

    /// A key everybody may know must never serve as a shared secret, and "none" is no algorithm.
    @Test func theKeyDecidesTheAlgorithm() throws {
        let claims = Base64.encodeURL(Array(#"{"sub":"victim"}"#.utf8))
        for algorithm in ["none", "None", "", "HS256", "HS512", "RS512", "PS256", "ES256", "rs256"] {
            let text = Base64.encodeURL(Array(#"{"alg":"\#(algorithm)"}"#.utf8)) + "." + claims
            let key = try MessageAuthenticator(key: Array(Vectors.rsaPEM.utf8))
            let code = Base64.encodeURL(try key.authenticate(Array(text.utf8)))
            for token in [text + "." + code, text + "."] {
                #expect(fault("{}", token: token, Self.rsa) == "token.algorithm", "\(algorithm)")
            }
        }
        #expect(fault("{}", token: try token("{}", header: #"{"alg":"none"}"#), Self.hmac) == "token.algorithm")
        #expect(fault("{}", token: Vectors.rs256, Self.hmac) == "token.algorithm")
    }

    @Test func es256KnowsOneFormOfSignature() throws {
        let parts = Vectors.es256.split(separator: ".")
        let signature = try #require(Base64.decode(parts[2].utf8))
        #expect(signature.count == 64)
        let der = parts[0] + "." + parts[1] + "." + Base64.encodeURL([0x30] + signature)
        #expect(fault("{}", token: der, Self.byToken(.ecdsaP256SHA256, Vectors.p256PEM)) == "token.algorithm")
    }

    @Test func timesAreCheckedWithAMinuteOfLeeway() {
        let end = Vectors.tokenEndMs
        #expect(fault("{}", token: Vectors.rs256, Self.rsa, nowMs: end + 59_999) == nil)
        #expect(fault("{}", token: Vectors.rs256, Self.rsa, nowMs: end + 60_000) == "token.expired")
        #expect(fault("{}", token: Vectors.rs256, Self.rsa, nowMs: .max) == "token.expired")
    }

    @Test func secondsAndMillisecondsAreToldApart() throws {
        for (claims, code) in [
            (#"{"exp":1700003600000}"#, nil), (#"{"exp":1700003600}"#, nil), (#"{"exp":1700003539.5}"#, nil),
            (#"{"exp":1700003500}"#, "token.expired"), (#"{"exp":1700003500000}"#, "token.expired"),
            (#"{"exp":0}"#, "token.expired"), (#"{"exp":-1e300}"#, "token.expired"),
            (#"{"exp":1e300}"#, nil), (#"{"exp":1e999}"#, "token.malformed"),
            (#"{"exp":"1700003600"}"#, "token.malformed"), (#"{"exp":null}"#, "token.malformed"),
            (#"{"nbf":1700003600}"#, nil), (#"{"nbf":1700003659}"#, nil),
            (#"{"nbf":1700003660}"#, "token.notYetValid"), (#"{"nbf":1700003660000}"#, "token.notYetValid"),
            (#"{"nbf":true}"#, "token.malformed"), ("{}", nil),
        ] as [(String, String?)] {
            #expect(fault("{}", token: try token(claims), Self.hmac) == code, "\(claims)")
        }
    }

    @Test(arguments: [
        (#"{"role":{"of":["a",1,true,null]}}"#, nil),
        (#"{"role":{"of":["a",1.0,true,null]}}"#, nil),
        (#"{"role":{"of":["a",1,true,null],"x":1}}"#, "mismatch"),
        (#"{"role":{"of":["a",1,true]}}"#, "mismatch"), (#"{"role":{"of":["a",true,1,null]}}"#, "mismatch"),
        (#"{"role":{"of":["a",1,true,null],"of":["a",1,true,null]}}"#, "mismatch"),
        (#"{"role":null}"#, "mismatch"), (#"{"sub":"USER-123"}"#, "mismatch"), (#"{"sub":123}"#, "mismatch"),
        (#"{"iat":1700000000}"#, nil), (#"{"iat":17e8}"#, nil), (#"{"iat":"1700000000"}"#, "mismatch"),
        // Both are right, and yet nobody knows what a reader makes of it.
        (#"{"sub":"user-123","sub":"user-123"}"#, "mismatch"),
        (#"{"sub":"victim","s\u0075b":"user-123"}"#, "mismatch"),
        (#"["user-123"]"#, "payload"), (#""text""#, "payload"), ("nonsense", "payload"), ("", "payload"),
    ] as [(String, String?)])
    func whatBothSayMustBeTheSame(_ payload: String, _ code: String?) {
        #expect(fault(payload, token: Vectors.rs256, Self.rsa) == code)
    }

    @Test func textsAreComparedToTheByte() throws {
        let composed = try token(#"{"sub":"\u00e9","\u00e9":1}"#)
        #expect(fault(#"{"sub":"é"}"#, token: composed, Self.hmac) == nil)
        #expect(fault(#"{"sub":"e\u0301"}"#, token: composed, Self.hmac) == "mismatch")
        #expect(fault(#"{"e\u0301":2}"#, token: composed, Self.hmac) == nil)
        #expect(fault(#"{"\u00e9":2}"#, token: composed, Self.hmac) == "mismatch")
        let replacement = try token(#"{"sub":"\ufffd"}"#)
        #expect(fault(#"{"sub":"\ud800"}"#, token: replacement, Self.hmac) == "mismatch")
    }

    @Test func anEncryptedPayloadHasItsTokenChecked() {
        #expect(fault(#""c1ph3r""#, token: Vectors.rs256, encrypted: true, Self.rsa) == nil)
        #expect(fault(#""c1ph3r""#, token: "a.b.c", encrypted: true, Self.rsa) == "token.malformed")
        // Saying "encrypted" is no way around the comparison.
        #expect(
            fault(#"{"sub":"victim"}"#, token: Vectors.rs256, encrypted: true, Self.rsa) == "mismatch")
        #expect(fault("7", token: Vectors.rs256, encrypted: true, Self.rsa) == "payload")
    }

    @Test func whatIsNoTokenIsMalformed() throws {
        let good = try token("{}").split(separator: ".").map(String.init)
        for text in [
            "x", "..", "a.b.c", good[0] + "." + good[1], good.joined(separator: ".") + ".", "." + good[1] + ".",
            try token("[]"), try token("{"), try token(#"{"a":1,"a":2}"#), try token("{}", header: "{}"),
            try token("{}", header: #"{"alg":5}"#), try token("{}", header: #"{"alg":"HS256","alg":"HS256"}"#),
            try token("{}", header: #"{"alg":"HS256","crit":["exp"]}"#),
            try token(#"{"a":"\#(String(repeating: "x", count: 9_000))"}"#),
            try token(String(repeating: "[", count: 2_000)),
        ] {
            #expect(fault("{}", token: text, Self.hmac) == "token.malformed", "\(text.prefix(40))")
        }
    }

    @Test func deepAndLongPayloadsAreWalkedNotBuilt() throws {
        let deep = String(repeating: "[", count: 400) + String(repeating: "]", count: 400)
        let text = try token(#"{"sub":"a"}"#)
        #expect(fault(#"{"deep":\#(deep),"sub":"a"}"#, token: text, Self.hmac) == nil)
        #expect(fault(#"{"sub":\#(deep)}"#, token: text, Self.hmac) == "mismatch")
        let tooDeep = String(repeating: "[", count: 100_000)
        #expect(fault(#"{"deep":\#(tooDeep)"#, token: text, Self.hmac) == "payload")
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func damagedTokensAndPayloadsNeverTrap(_ seed: UInt64) throws {
        var random = TestRandom(seed: 500 + seed)
        let payload = Array(#"{"sub":"user-123","role":{"of":["a",1,true,null]},"userId":"user-123"}"#.utf8)
        let shared = try token(#"{"sub":"user-123","exp":1700003600,"nbf":1}"#)
        for (text, settings) in [
            (Vectors.rs256, Self.rsa), (Vectors.es256, Self.byToken(.ecdsaP256SHA256, Vectors.p256PEM)),
            (Vectors.eddsa, Self.byToken(.ed25519, Vectors.ed25519PEM)), (shared, Self.hmac),
            (Vectors.userIDSignature, Self.bySignature),
        ] {
            for _ in 0..<60 {
                let damage = String(decoding: damaged(Array(text.utf8), &random), as: UTF8.self)
                let body = String(decoding: damaged(payload, &random), as: UTF8.self)
                _ = fault(body, token: damage, signature: damage, settings)
                _ = fault(body, token: text, signature: text, settings)
                _ = fault(body, token: text, signature: text, encrypted: true, settings)
            }
        }
    }

    /// Signed by the right key, so that what stands in them is really looked at.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func damagedClaimsUnderARightSignatureNeverTrap(_ seed: UInt64) throws {
        var random = TestRandom(seed: 600 + seed)
        let claims = Array(#"{"sub":"é","exp":1700003600,"nbf":1.5,"a":{"b":[1,"\ud83d\ude00",null]}}"#.utf8)
        let header = Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8)
        for _ in 0..<300 {
            let damage = String(decoding: damaged(claims, &random), as: UTF8.self)
            let top = random.next(below: 4) == 0 ? damaged(header, &random) : header
            let text = try token(damage, header: String(decoding: top, as: UTF8.self))
            _ = fault(String(decoding: damaged(claims, &random), as: UTF8.self), token: text, Self.hmac)
        }
    }
}
