import Placement
import TLS
import Testing

@testable import EdgeNode

/// Who may call, by Basic and by Bearer, through HTTP.
struct CredentialTests {
    private let item = "/project/demo/cache/c/o/n"
    private let tokenPath = "/project/demo/auth/token"

    private func token(_ edge: TestEdge, _ headers: [(String, String)] = []) throws -> String {
        let answer = try edge.call("GET", tokenPath, headers: headers)
        #expect(answer.status == 200)
        #expect(answer["Content-Type"]?.hasPrefix("text/plain") == true)
        return answer.body
    }

    private func expect401(_ answer: TestResponse, _ code: String? = nil) {
        #expect(answer.status == 401)
        #expect(answer.applied == "no")
        #expect(answer.code?.hasPrefix("authenticationError.") == true)
        #expect(answer["WWW-Authenticate"] == "Bearer")
        if let code { #expect(answer.code == "authenticationError." + code) }
    }

    /// Its table may be older than the key, or than its end. A 401 would be final; this is not.
    @Test func aNodeThatHasJustStartedJudgesNoCredentials() throws {
        let edge = try TestEdge()
        edge.gateway.startAgain()
        for credentials in [edge.basic, TestEdge.basic(edge.keyID, "wrong"), TestEdge.basic("unknown", "x"), "Bearer x"] {
            let answer = try edge.call("GET", "/project/demo/cache/c/o/a", authorization: credentials)
            #expect(answer.status == 503 && answer.applied == "no", "\(credentials)")
        }
        let admin = try edge.connect(admin: true)
        admin.authorization = "Bearer ada~secret"
        #expect(try admin.call("GET", "/admin/v1/status").status == 503)
        edge.gateway.publishView()
        #expect(try edge.call("GET", "/project/demo/cache/c/o/a").status == 404)
        #expect(try edge.call("GET", "/project/demo/cache/c/o/a", authorization: "Bearer x").status == 401)
    }

    @Test func basicWorksOnEveryEndpoint() throws {
        let edge = try TestEdge()
        for (method, path, body) in [
            ("GET", tokenPath, nil), ("POST", item, #"{"value":1}"#), ("GET", item, nil),
            ("POST", item + "/increment", #"{"value":1}"#), ("GET", "/project/demo/cache-keys/c/o", nil),
            ("POST", "/project/demo/cache-query/c/o", "[]"),
            ("POST", "/project/demo/cache-encryption/c/o", "{}"),
            ("DELETE", "/project/demo/cache/c/o", nil),
        ] as [(String, String, String?)] {
            #expect(try edge.call(method, path, body).status < 300, "\(method) \(path)")
        }
    }

    @Test func aTokenWorksAndSaysWhatTheClientReads() throws {
        let edge = try TestEdge()
        let token = try token(edge)
        let parts = token.split(separator: ".").map { Base64.decode($0.utf8) }
        #expect(parts.count == 3)
        let header = try #require(parts[0].flatMap(JSONInput.init))
        #expect(header["alg"]?.text == "HS256")
        #expect(header["kid"]?.text == "0")
        let payload = try #require(parts[1].flatMap(JSONInput.init))
        #expect(payload["sub"]?.text == edge.keyID)
        #expect(payload["id"]?.text == edge.keyID)
        #expect(payload["projectId"]?.text == "demo")
        #expect(payload["iat"]?.count == edge.gateway.nowMs / 1000)
        // Milliseconds: the SDK takes seconds for a date in 1970.
        #expect(payload["exp"]?.count == edge.gateway.nowMs + 3_600_000)
        #expect(payload["origin"] == nil)
        #expect(!token.contains("="))
        #expect(
            try edge.call("POST", item, #"{"value":1}"#, authorization: "Bearer " + token).status == 200)
        #expect(try edge.call("GET", item, authorization: "bearer   " + token).status == 200)
    }

    @Test func aTokenIsAcceptedSixtySecondsBeyondItsEnd() throws {
        let edge = try TestEdge()
        let bearer = "Bearer " + (try token(edge))
        edge.gateway.nowMs += 3_600_000 + 59_999
        #expect(try edge.call("GET", "/project/demo/cache/c/o", authorization: bearer).status == 200)
        edge.gateway.nowMs += 1
        expect401(try edge.call("GET", "/project/demo/cache/c/o", authorization: bearer), "token.expired")
    }

    @Test func aTokenIsRefreshedByBasicAndNotByItself() throws {
        let edge = try TestEdge()
        let first = try token(edge)
        expect401(try edge.call("GET", tokenPath, authorization: "Bearer " + first), "basic.required")
        edge.gateway.nowMs += 3_480_000
        let second = try token(edge)
        #expect(first != second)
        for bearer in [first, second] {
            let answer = try edge.call("GET", "/project/demo/cache/c/o", authorization: "Bearer " + bearer)
            #expect(answer.status == 200)
        }
    }

    @Test func anyChangedCharacterMakesATokenInvalid() throws {
        let edge = try TestEdge()
        let token = Array(try token(edge).utf8)
        // The last character has bits that belong to no byte; they are checked too.
        for position in stride(from: 0, to: token.count, by: 7) + [token.count - 1] {
            var changed = token
            changed[position] =
                changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            if changed == token { continue }
            let bearer = "Bearer " + String(decoding: changed, as: UTF8.self)
            expect401(try edge.call("GET", item, authorization: bearer), "token.invalid")
        }
    }

    @Test func tokensOfOtherFormsAreRefused() throws {
        let edge = try TestEdge()
        let parts = try token(edge).split(separator: ".").map(String.init)
        let unsigned = Base64.encodeURL(Array(#"{"alg":"none","kid":"0"}"#.utf8)) + "." + parts[1]
        let unknownKey =
            Base64.encodeURL(Array(#"{"alg":"HS256","kid":"9"}"#.utf8)) + "." + parts[1] + "." + parts[2]
        for token in [
            "", "a", "..", "a.b.c", parts[0] + "." + parts[1], unsigned + ".", unsigned + "." + parts[2],
            unknownKey,
            parts.joined(separator: ".") + ".x",
        ] {
            expect401(try edge.call("GET", item, authorization: "Bearer " + token))
        }
    }

    @Test func everyKeptSigningKeyVerifiesAndTheNewestSigns() throws {
        let edge = try TestEdge()
        let old = try token(edge)
        let fresh = SigningKey(
            id: 1, secret: Array("another-signing-key-of-32-bytes!".utf8), createdAtMs: 1)
        #expect(edge.gateway.apply(.addSigningKey(fresh)) == .done)
        let new = try token(edge)
        let header = new.split(separator: ".").first.flatMap { Base64.decode($0.utf8) }.flatMap(
            JSONInput.init)
        #expect(header?["kid"]?.text == "1")
        for token in [old, new] {
            #expect(
                try edge.call("GET", "/project/demo/cache/c/o", authorization: "Bearer " + token).status
                    == 200)
        }
    }

    @Test func credentialsOfAnotherProjectAreForbidden() throws {
        let edge = try TestEdge()
        edge.gateway.apply(.createProject(id: "other", createdAtMs: 1))
        let bearer = "Bearer " + (try token(edge))
        for path in ["/project/other/cache/c/o/n", "/project/nobody/cache/c/o/n"] {
            for authorization in [edge.basic, bearer] {
                let answer = try edge.call("GET", path, authorization: authorization)
                #expect(answer.status == 403)
                #expect(answer.code == "authorizationError.project")
                #expect(answer.applied == "no")
            }
        }
        #expect(try edge.call("GET", "/project/other/auth/token").status == 403)
        // Without the right secret nobody learns that the key exists elsewhere.
        let wrong = TestEdge.basic(edge.keyID, "wrong")
        expect401(
            try edge.call("GET", "/project/other/cache/c/o/n", authorization: wrong), "apiKey.invalid")
        #expect(edge.gateway.requests.isEmpty)
    }

    @Test func aRevokedKeyEndsItsTokensToo() throws {
        let edge = try TestEdge()
        let bearer = "Bearer " + (try token(edge))
        #expect(try edge.call("GET", "/project/demo/cache/c/o", authorization: bearer).status == 200)
        #expect(edge.gateway.apply(.revokeKey(project: "demo", keyID: edge.keyID)) == .done)
        expect401(try edge.call("GET", item, authorization: bearer), "apiKey.revoked")
        expect401(try edge.call("GET", item), "apiKey.revoked")
        expect401(try edge.call("GET", tokenPath), "apiKey.revoked")
    }

    @Test func wrongCredentialsAre401() throws {
        let edge = try TestEdge()
        for (authorization, code) in [
            (TestEdge.basic(edge.keyID, "wrong"), "apiKey.invalid"),
            (TestEdge.basic("nobody", "x"), "apiKey.invalid"),
            (TestEdge.basic(edge.keyID, ""), "apiKey.invalid"),
            ("Basic " + Base64.encodeURL([1, 2]), "malformed"),
            ("Basic !!!", "malformed"), ("Basic", "malformed"), ("Digest x", "scheme"),
            ("nothing", "malformed"),
        ] {
            expect401(try edge.call("POST", item, #"{"value":1}"#, authorization: authorization), code)
        }
        let client = try edge.connect()
        client.authorization = ""
        expect401(try client.call("GET", item), "missing")
        #expect(edge.gateway.requests.isEmpty)
    }

    @Test func paddedAndStandardBase64AreTaken() throws {
        let edge = try TestEdge()
        let pair = Array("\(edge.keyID):\(edge.secret)".utf8)
        let padding = String(repeating: "=", count: (3 - pair.count % 3) % 3)
        let standard = Base64.encodeURL(pair).map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 } + padding
        #expect(
            try edge.call("GET", "/project/demo/cache/c/o", authorization: "Basic " + standard).status
                == 200)
    }

    @Test func rememberedCredentialsStayBounded() throws {
        let edge = try TestEdge { $0.rememberedCredentials = 4 }
        for round in 0..<20 {
            edge.gateway.nowMs += 1000
            let token = try token(edge)
            let answer = try edge.call("GET", "/project/demo/cache/c/o", authorization: "Bearer " + token)
            #expect(answer.status == 200, "round \(round)")
        }
        #expect(edge.edge.authenticator.rememberedCount <= 4)
    }

    @Test func onlyAChangeOfTheTenantsForgetsWhatWasVerified() throws {
        let edge = try TestEdge()
        let path = "/project/demo/cache/c/o"
        #expect(try edge.call("GET", path).status == 200)
        #expect(edge.edge.authenticator.rememberedCount == 1)
        // Another view, of the same tenants.
        edge.gateway.publishView()
        #expect(try edge.call("GET", path).status == 200)
        #expect(try edge.call("GET", path, authorization: "Basic x").status == 401)
        #expect(edge.edge.authenticator.rememberedCount == 1)
        #expect(edge.gateway.apply(.createProject(id: "other", createdAtMs: 1)) == .done)
        #expect(try edge.call("GET", path, authorization: "Basic x").status == 401)
        #expect(edge.edge.authenticator.rememberedCount == 0)
    }

    @Test func whatWasVerifiedIsRememberedWithoutTheSecret() throws {
        let edge = try TestEdge()
        #expect(try edge.call("GET", "/project/demo/cache/c/o").status == 200)
        var text = ""
        dump(edge.edge.authenticator, to: &text)
        #expect(text.contains(edge.keyID))
        #expect(!text.contains(edge.secret))
        #expect(!text.contains(TestEdge.basic(edge.keyID, edge.secret)))
    }
}

/// Keys that only certain web origins may use.
struct OriginTests {
    private let tokenPath = "/project/demo/auth/token"
    private let path = "/project/demo/cache/c/o"

    private func restricted() throws -> (TestEdge, String) {
        let edge = try TestEdge()
        let key = try TestEdge.makeKey(
            edge.gateway, project: "demo", origins: ["https://app.example", "https://b.example"])
        return (edge, TestEdge.basic(key.key.keyID, key.secret))
    }

    @Test func theTokenEndpointWantsAListedOrigin() throws {
        let (edge, basic) = try restricted()
        let none = try edge.call("GET", tokenPath, authorization: basic)
        #expect(none.status == 403)
        #expect(none.code == "authorizationError.origin.server.notFound")
        let wrong = try edge.call(
            "GET", tokenPath, headers: [("Origin", "https://evil.example")], authorization: basic)
        #expect(wrong.status == 403)
        #expect(wrong.code == "authorizationError.origin.mismatch")
        let right = try edge.call(
            "GET", tokenPath, headers: [("Origin", "https://b.example")], authorization: basic)
        #expect(right.status == 200)
    }

    @Test func aTokenIsBoundToItsOrigin() throws {
        let (edge, basic) = try restricted()
        let origin = [("Origin", "https://app.example")]
        let token = try edge.call("GET", tokenPath, headers: origin, authorization: basic).body
        let claims = token.split(separator: ".").dropFirst().first.flatMap { Base64.decode($0.utf8) }
        #expect(claims.flatMap(JSONInput.init)?["origin"]?.text == "https://app.example")
        let bearer = "Bearer " + token
        #expect(try edge.call("GET", path, headers: origin, authorization: bearer).status == 200)
        #expect(try edge.call("GET", path, authorization: bearer).status == 200)
        let other = [("Origin", "https://b.example")]
        #expect(try edge.call("GET", path, headers: other, authorization: bearer).status == 403)
    }

    @Test func basicOnOtherEndpointsIsNoWayAround() throws {
        let (edge, basic) = try restricted()
        #expect(try edge.call("GET", path, authorization: basic).status == 403)
        let origin = [("Origin", "https://app.example")]
        #expect(try edge.call("GET", path, headers: origin, authorization: basic).status == 200)
    }

    @Test func unrestrictedKeysTakeAnyOrigin() throws {
        let edge = try TestEdge()
        let origin = [("Origin", "https://anywhere.example")]
        let token = try edge.call("GET", tokenPath, headers: origin).body
        let other = [("Origin", "https://else.example")]
        #expect(try edge.call("GET", path, headers: other, authorization: "Bearer " + token).status == 200)
    }
}

struct SecretTests {
    @Test func aSecretIsKeptAsASaltedHashOnly() throws {
        let gateway = ExecutingGateway()
        let new = try NewAPIKey.make(
            project: "demo", label: "l", origins: [], nowMs: 5, random: { gateway.randomBytes($0) })
        #expect(Base64.decode(new.secret.utf8)?.count == 32)
        #expect(new.key.credential.salt.count == 16)
        #expect(
            new.key.credential.secretHash
                == (try SHA256.hash(new.key.credential.salt + Array(new.secret.utf8))))
        #expect(isSecret(Array(new.secret.utf8), of: new.key.credential))
        #expect(!isSecret(Array(new.secret.dropLast().utf8), of: new.key.credential))
        #expect(gateway.apply(.createKey(new.key)) == .done)
    }

    @Test(arguments: 0...40)
    func base64GoesThereAndBack(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 89 &+ 200) }
        let text = Base64.encodeURL(bytes)
        #expect(Base64.decode(text.utf8) == bytes)
        #expect(text.utf8.allSatisfy { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "+") })
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64MatchesTheStandard(_ plain: String, _ encoded: String) {
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zh", "Zg=x", "Zg===", "Zm9v!", "Z m9v", "Zm9"])
    func whatIsNoBase64IsRefused(_ text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }
}
