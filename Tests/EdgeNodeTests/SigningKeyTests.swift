import Placement
import Testing

@testable import EdgeNode

/// Rotation of the keys that sign access tokens.
struct SigningKeyTests {
    private let edge: TestEdge
    private let tokenPath = "/project/demo/auth/token"

    init() throws {
        edge = try TestEdge()
    }

    private func token() throws -> String { try edge.call("GET", tokenPath).body }

    private func status(_ token: String) throws -> Int {
        try edge.call("GET", "/project/demo/cache/c/o", authorization: "Bearer " + token).status
    }

    private func keyID(_ token: String) -> String? {
        token.split(separator: ".").first.flatMap { Base64.decode($0.utf8) }.flatMap(JSONInput.init)?["kid"]?
            .text
    }

    private func rotate(_ body: String? = nil) throws -> TestResponse {
        try edge.admin("POST", "/signing-keys", body)
    }

    @Test func aNewKeySignsAfterEveryNodeKnowsIt() throws {
        let before = try token()
        let answer = try rotate()
        #expect(answer.status == 200)
        #expect(answer.json?["id"] == .number(1))
        #expect(answer.json?["signsFrom"]?.count == edge.gateway.nowMs + 10_000)
        edge.gateway.nowMs += 9_999
        #expect(keyID(try token()) == "0")
        edge.gateway.nowMs += 1
        let after = try token()
        #expect(keyID(after) == "1")
        #expect(try [before, after].map(status) == [200, 200])
    }

    /// Another node takes the new key's tokens as soon as the key is there, before it would sign itself.
    @Test func aNodeVerifiesByKeysThatDoNotSignYet() throws {
        let behind = try TestEdge()
        let key = SigningKey(
            id: 1, secret: edge.gateway.randomBytes(32), createdAtMs: edge.gateway.nowMs)
        #expect(edge.gateway.apply(.addSigningKey(key)) == .done)
        #expect(behind.gateway.apply(.addSigningKey(key)) == .done)
        edge.gateway.nowMs += 10_000
        let token = try token()
        #expect(keyID(token) == "1")
        let answer = try behind.call("GET", "/project/demo/cache/c/o", authorization: "Bearer " + token)
        #expect(answer.status == 200)
    }

    @Test func theListShowsNoSecret() throws {
        #expect(try rotate().status == 200)
        let page = try edge.admin("GET", "/signing-keys")
        let keys = try #require(page.json?["signingKeys"]?.elements)
        #expect(keys.map { $0["id"]?.count } == [0, 1])
        #expect(keys.map { $0["signs"]?.flag } == [true, false])
        for case .object(let members) in keys {
            #expect(members.map(\.name) == ["id", "createdAt", "signs"])
        }
        for key in try #require(edge.gateway.view.state).tenants.signingKeys {
            #expect(!page.body.contains(Base64.encodeURL(key.secret)))
            #expect(!page.body.contains(Hexadecimal.encode(key.secret)))
        }
    }

    @Test func aKeyWithLivingTokensIsNotForgottenByChance() throws {
        let first = try token()
        for _ in 0..<3 { #expect(try rotate("{}").status == 200) }
        let refused = try rotate()
        #expect(refused.status == 409)
        #expect(refused.code == "conflictError.signingKeys.recent")
        #expect(try status(first) == 200)
        // Ten seconds as the successor's delay, an hour of life, a minute of grace.
        edge.gateway.nowMs += 10_000 + 3_600_000 + 60_000 - 1
        #expect(try rotate().status == 409)
        edge.gateway.nowMs += 1
        #expect(try rotate().status == 200)
    }

    @Test func forceEndsTheTokensOfTheOldestKey() throws {
        let first = try token()
        for _ in 0..<3 { #expect(try rotate().status == 200) }
        #expect(try status(first) == 200)
        #expect(try rotate(#"{"force":true}"#).status == 200)
        #expect(try status(first) == 401)
        #expect(try status(try token()) == 200)
    }

    @Test func otherBodiesAndMethodsAreRefused() throws {
        for body in [#"{"force":1}"#, #"{"secret":"x"}"#, "[]"] { #expect(try rotate(body).status == 400) }
        #expect(try edge.admin("DELETE", "/signing-keys").status == 405)
        #expect(try edge.call("GET", "/admin/v1/signing-keys").status == 401)
        edge.gateway.proposalFailure = .unknownOutcome
        #expect(try rotate().status == 409)
    }
}

/// A key restricted to origins, on every route of the client API.
struct OriginRouteTests {
    static let routes: [(method: String, path: String, body: String?)] = [
        ("GET", "auth/token", nil), ("POST", "cache/c/o/n", #"{"value":1}"#), ("GET", "cache/c/o/n", nil),
        ("POST", "cache/c/o", #"{"n":{"value":1}}"#), ("GET", "cache/c/o", nil),
        ("POST", "cache/c/o/n/increment", #"{"value":1}"#), ("GET", "cache-keys/c/o", nil),
        ("POST", "cache-query/c/o", "[]"), ("POST", "cache-encryption/c/o", "{}"),
        ("POST", "cache-encryption-rotate/c/o", "{}"), ("DELETE", "cache/c/o/n", nil),
        ("DELETE", "cache/c/o", nil),
    ]

    @Test func noRouteTakesTheKeyOrItsTokenFromElsewhere() throws {
        let edge = try TestEdge()
        let key = try TestEdge.makeKey(edge.gateway, project: "demo", origins: ["https://app.example"])
        let basic = TestEdge.basic(key.key.keyID, key.secret)
        let home = [("Origin", "https://app.example")]
        let bearer =
            "Bearer "
            + (try edge.call("GET", "/project/demo/auth/token", headers: home, authorization: basic)).body
        let strangers = ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example", ""]
        for (method, path, body) in Self.routes {
            let path = "/project/demo/" + path
            for authorization in [basic, bearer] where authorization == basic || !path.hasSuffix("token") {
                for origin in strangers {
                    let answer = try edge.call(
                        method, path, body, headers: [("Origin", origin)], authorization: authorization)
                    #expect(answer.status == 403, "\(method) \(path) from \(origin)")
                }
                let answer = try edge.call(method, path, body, headers: home, authorization: authorization)
                #expect(answer.status < 300, "\(method) \(path)")
            }
            #expect(try edge.call(method, path, body, authorization: basic).status == 403)
        }
        #expect(edge.gateway.requests.count == 2 * (Self.routes.count - 1))
    }
}
