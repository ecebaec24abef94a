import Binary
import Placement
import Testing

@testable import EdgeNode

/// Capabilities: made, narrowed by their holders, read again, and damaged in every way.
struct CapabilityTests {
    private let edge: TestEdge
    private let path = "/project/demo/cache/c/o"

    init() throws {
        edge = try TestEdge()
        #expect(try edge.call("POST", path + "/a", #"{"value":1}"#).status == 200)
    }

    private func make(_ more: String = "") throws -> String {
        let answer = try edge.call(
            "POST", "/project/demo/auth/capability", #"{"class":"c","id":"o""# + more + "}")
        #expect(answer.status == 200, "\(answer.body)")
        return answer.body
    }

    private func get(_ capability: String, _ path: String? = nil, origin: String? = nil) throws -> TestResponse {
        try edge.call(
            "GET", path ?? self.path + "/a", headers: origin.map { [("Origin", $0)] } ?? [],
            authorization: "Bearer " + capability)
    }

    @Test func opensItsObjectAndNoOther() throws {
        let capability = try make()
        #expect(try get(capability).status == 200)
        #expect(try get(capability, "/project/demo/cache/c/p").code == "authorizationError.object")
        #expect(try get(capability, "/project/demo/cache/d/o").code == "authorizationError.object")
        #expect(try get(capability, "/project/other/cache/c/o").code == "authorizationError.project")
    }

    @Test func endsToTheMillisecond() throws {
        let capability = try make(#","expiresInMs":5000"#)
        edge.gateway.nowMs += 4_999
        #expect(try get(capability).status == 200)
        edge.gateway.nowMs += 1
        #expect(try get(capability).code == "authenticationError.expired")
    }

    @Test func whatTheClientNarrowsTheNodeReads() throws {
        let now = Int(edge.gateway.nowMs)
        let narrow = { (caveats: [ClientCapability.Caveat]) in
            try ClientCapability.narrow(try make(), by: caveats)
        }
        #expect(try get(try narrow([.scopes(["read"])])).status == 200)
        #expect(try get(try narrow([.scopes(["write"])])).code == "authorizationError.scope.read")
        #expect(try get(try narrow([.scopes(["read"]), .scopes(["write"])])).code == "authorizationError.scope.read")
        #expect(try get(try narrow([.itemPrefix("a")])).status == 200)
        #expect(try get(try narrow([.itemPrefix("b")])).code == "authorizationError.itemPrefix")
        #expect(try get(try narrow([.expires(now)])).code == "authenticationError.expired")
        #expect(try get(try narrow([.expires(now + 1), .expires(now + 99_999)])).status == 200)
        let bound = try narrow([.audience("https://a.example")])
        #expect(try get(bound).code == "authorizationError.audience")
        #expect(try get(bound, origin: "https://b.example").code == "authorizationError.audience")
        #expect(try get(bound, origin: "https://a.example").status == 200)
    }

    @Test func nothingIsWonByLeavingOutOrChangingOrder() throws {
        let narrowed = try ClientCapability.narrow(
            try make(), by: [.scopes(["write"]), .itemPrefix("x"), .audience("https://a.example")])
        let parts = narrowed.split(separator: ".").map(String.init)
        var dice = TestRandom(seed: 3)
        for _ in 0..<200 {
            var other = parts
            let caveats = (2..<parts.count - 1).filter { _ in dice.below(3) > 0 }.map { parts[$0] }
            other.replaceSubrange(2..<parts.count - 1, with: dice.below(2) == 0 ? caveats : caveats.reversed())
            let text = other.joined(separator: ".")
            guard text != narrowed else { continue }
            #expect(try get(text).code == "authenticationError.capability.invalid")
        }
    }

    @Test func everyChangedCharacterIsNoticed() throws {
        let capability = Array(try make(#","scopes":["read"],"itemPrefix":"a""#).utf8)
        for position in capability.indices {
            var changed = capability
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(try get(String(decoding: changed, as: UTF8.self)).status == 401)
        }
    }

    @Test func theDecoderNeverTraps() throws {
        let tenants = try #require(edge.gateway.view.state?.tenants)
        let good = Array(try make(#","scopes":["read"]"#).utf8)
        var dice = TestRandom(seed: 11)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0...dice.below(4) {
                let place = dice.below(bytes.count)
                switch dice.below(4) {
                case 0: bytes[place] = UInt8(dice.below(256))
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(ascii: "."), at: place)
                default: bytes.replaceSubrange(place..., with: bytes.prefix(dice.below(bytes.count)))
                }
                if bytes.isEmpty { bytes = [UInt8(ascii: ".")] }
            }
            guard bytes != good else { continue }
            #expect(throws: (any Error).self) { try Capability(bytes, tenants: tenants, clusterKeys: .none) }
        }
    }

    @Test func caveatsAndBytesAreBounded() throws {
        let many = Array(repeating: ClientCapability.Caveat.scopes(["read"]), count: 16)
        let text = try ClientCapability.narrow(try make(), by: many)
        #expect(try get(text).status == 200)
        #expect(try get(try ClientCapability.narrow(text, by: [.scopes(["read"])])).status == 401)
        let long = try ClientCapability.narrow(
            try make(), by: Array(repeating: .itemPrefix(String(repeating: "a", count: 1_000)), count: 3))
        #expect(try get(long).status == 401)
    }

    @Test func wishesBeyondTheKeyAreRefused() throws {
        for (body, code) in [
            (#"{"class":"c"}"#, "validationError.id"), (#"{"id":""}"#, "validationError.id"),
            (#"{"id":"o","scopes":["fly"]}"#, "validationError.scopes"),
            (#"{"id":"o","scopes":["admin"]}"#, "authorizationError.scope.admin"),
            (#"{"id":"o","scopes":[]}"#, "validationError.scopes"),
            (#"{"id":"o","expiresInMs":1}"#, "validationError.expiresInMs"),
            (#"{"id":"o","more":1}"#, "validationError.body"), ("[]", "validationError.body"),
        ] {
            let answer = try edge.call("POST", "/project/demo/auth/capability", body)
            #expect(answer.code == code, "\(body)")
            #expect(answer.applied == "no")
        }
        let token = try edge.call("GET", "/project/demo/auth/token").body
        let answer = try edge.call(
            "POST", "/project/demo/auth/capability", #"{"id":"o"}"#, authorization: "Bearer " + token)
        #expect(answer.code == "authenticationError.basic.required")
    }
}

/// Scopes, prefixes and versions, by token and by key.
struct ScopeTests {
    private let edge: TestEdge

    init() throws { edge = try TestEdge() }

    private func audit() -> [AuditEntry] { edge.gateway.view.state.map { Array($0.audit.entries) } ?? [] }

    private func token(_ query: String) throws -> TestResponse {
        try edge.call("GET", "/project/demo/auth/token?" + query)
    }

    @Test func aTokenIsNarrowedByItsQuery() throws {
        let bearer = "Bearer " + (try token("scopes=read,message&classPrefix=ch&idPrefix=%C3%A9").body)
        #expect(try edge.call("GET", "/project/demo/cache/chat/%C3%A9x", authorization: bearer).status == 200)
        // Decomposed: another text.
        let other = try edge.call("GET", "/project/demo/cache/chat/e%CC%81x", authorization: bearer)
        #expect(other.code == "authorizationError.id")
        #expect(
            try edge.call("GET", "/project/demo/cache/c/%C3%A9", authorization: bearer).code
                == "authorizationError.class")
        let write = try edge.call("DELETE", "/project/demo/cache/chat/%C3%A9", authorization: bearer)
        #expect(write.status == 403 && write.code == "authorizationError.scope.write" && write.applied == "no")
    }

    @Test func aTokenIsNeverWidened() throws {
        var new = try NewAPIKey.make(
            project: "demo", label: "", origins: [], rights: Rights(scopes: [.read], classPrefix: "chat"),
            nowMs: 1, random: { edge.gateway.randomBytes($0) })
        #expect(edge.gateway.apply(.createKey(new.key)) == .done)
        new.key.rights = .standard
        let basic = TestEdge.basic(new.key.keyID, new.secret)
        for (query, code) in [
            ("scopes=read,write", "authorizationError.scope.read,write"), ("classPrefix=ch", "authorizationError.prefix"),
            ("classPrefix=", "authorizationError.prefix"), ("scopes=", "validationError.scopes"),
            ("scopes=all", "validationError.scopes"),
        ] {
            let answer = try edge.call("GET", "/project/demo/auth/token?" + query, authorization: basic)
            #expect(answer.code == code, "\(query)")
        }
        let answer = try edge.call("GET", "/project/demo/auth/token?classPrefix=chat.a", authorization: basic)
        #expect(answer.status == 200)
    }

    @Test func aRotationEndsWhatTheFormerSecretMade() throws {
        let bearer = "Bearer " + (try token("").body)
        let rotated = try edge.admin("POST", "/projects/demo/keys/\(edge.keyID)/rotate", #"{"graceMs":5000}"#)
        let secret = try #require(rotated.json?["apiSecret"]?.text)
        #expect(rotated.json?["version"]?.count == 2)
        for authorization in [edge.basic, bearer, TestEdge.basic(edge.keyID, secret)] {
            #expect(try edge.call("GET", "/project/demo/cache/c/o", authorization: authorization).status == 200)
        }
        let late = try edge.call("GET", "/project/demo/auth/token", authorization: edge.basic).body
        edge.gateway.nowMs += 5_000
        for authorization in [edge.basic, bearer, "Bearer " + late] {
            let answer = try edge.call("GET", "/project/demo/cache/c/o", authorization: authorization)
            #expect(answer.status == 401)
        }
        #expect(
            try edge.call("GET", "/project/demo/cache/c/o", authorization: TestEdge.basic(edge.keyID, secret)).status
                == 200)
    }

    @Test func theScopeAdminLetsAKeyRotateItself() throws {
        let made = try edge.admin("POST", "/projects/demo/keys", #"{"scopes":["read","admin"]}"#)
        let basic = TestEdge.basic(
            try #require(made.json?["apiKey"]?.text), try #require(made.json?["apiSecret"]?.text))
        let answer = try edge.call("POST", "/project/demo/auth/rotate", "{}", authorization: basic)
        #expect(answer.status == 200 && answer.json?["version"]?.count == 2)
        #expect(try edge.call("GET", "/project/demo/cache/c/o", authorization: basic).status == 401)
        #expect(try edge.call("POST", "/project/demo/auth/rotate", "{}").code == "authorizationError.scope.admin")
        let entry = try #require(audit().last)
        #expect(entry.note.action == "key.rotate" && entry.note.actor.hasPrefix("key hk"))
    }

    @Test func everyAdminCommandIsAudited() throws {
        _ = try edge.admin("POST", "/projects", #"{"project":"shop"}"#)
        _ = try edge.admin("POST", "/settings", #"{"replicasPerShard":5}"#)
        _ = try edge.admin("POST", "/scrub", "{}")
        let entries = audit().map(\.note)
        #expect(entries.map(\.action) == ["project.create", "cluster.settings", "scrub"])
        #expect(entries.allSatisfy { $0.actor == "root" && $0.role == .root })
        let page = try edge.admin("GET", "/audit?after=1&limit=1")
        #expect(page.json?["entries"]?.elements?.count == 1)
        #expect(page.json?["entries"]?.elements?.first?["action"]?.text == "cluster.settings")
        #expect(page.json?["last"]?.count == 3)
    }

    @Test func aRefusedAdministratorCannotFillTheAudit() throws {
        let made = try edge.admin("POST", "/admins", #"{"name":"ann","role":"viewer"}"#)
        let client = try edge.connect(admin: true)
        client.authorization = "Bearer " + (try #require(made.json?["token"]?.text))
        for _ in 0..<50 {
            #expect(try client.call("POST", "/admin/v1/drain", #"{"node":"n1"}"#).status == 403)
        }
        let refused = audit().filter { $0.note.action == "refused" }
        #expect(refused.count == 1)
    }
}

extension TestRandom {
    fileprivate mutating func below(_ limit: Int) -> Int { Int(next(below: UInt64(limit))) }
}
