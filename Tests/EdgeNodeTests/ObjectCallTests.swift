import Cluster
import ObjectRuntime
import Testing

@testable import EdgeNode

/// Every call of the client API, executed by a shard in memory.
struct ObjectCallTests {
    private let object = "/project/demo/cache/c/o"

    @Test func anItemIsSetReadAndRemoved() throws {
        let edge = try TestEdge()
        let set = try edge.call("POST", object + "/n", #"{"value":{"b":1,"a":[1.50]}}"#)
        #expect(set.status == 200)
        #expect(set["Content-Type"] == "application/json")
        let expires = "253402300799999"
        let now = "\(edge.gateway.nowMs)"
        let item =
            #"{"value":{"b":1,"a":[1.50]},"createdAt":\#(now),"updatedAt":\#(now),"expiresAt":\#(expires)}"#
        #expect(set.body == item)
        #expect(try edge.call("GET", object + "/n").body == item)

        let removed = try edge.call("DELETE", object + "/n")
        #expect(removed.status == 204)
        #expect(removed.body.isEmpty)
        #expect(removed["Content-Length"] == nil)
    }

    @Test func aMissingItemIs404WithoutBodyAndContentType() throws {
        let missing = try TestEdge().call("GET", object + "/nothing")
        #expect(missing.status == 404)
        #expect(missing.body.isEmpty)
        #expect(missing["Content-Type"] == nil)
        #expect(missing["Content-Length"] == "0")
        #expect(missing["Access-Control-Allow-Origin"] == "*")
    }

    @Test func messagesComeAsJSONOrAsCiphertext() throws {
        let edge = try TestEdge()
        let message = "/project/demo/message/c/o"
        #expect(try edge.call("POST", message, #" {"a":1} "#).status == 204)
        let text = [("Content-Type", "text/plain;charset=UTF-8"), ("X-Enc-KV", "3")]
        #expect(try edge.call("POST", message, #"{"a":1}"#, headers: text).status == 204)
        let payloads = edge.gateway.requests.compactMap { request -> SocketPayload? in
            guard case .message(let payload, nil) = request.operation else { return nil }
            return payload
        }
        #expect(
            payloads == [
                SocketPayload(json: Array(#"{"a":1}"#.utf8)),
                SocketPayload(json: Array(#""{\"a\":1}""#.utf8), keyVersion: 3),
            ])
        #expect(try edge.call("POST", message).code == "validationError.body.missing")
        #expect(try edge.call("POST", message, "{").status == 400)
        #expect(try edge.call("GET", message).status == 405)
    }

    @Test func thePresenceListIsRead() throws {
        let answer = try TestEdge().call("GET", "/project/demo/presence-list/c/o")
        #expect(answer.status == 200)
        #expect(answer.body == "[]")
    }

    @Test func ifAbsentMissesWithoutContent() throws {
        let edge = try TestEdge()
        #expect(try edge.call("POST", object + "/n", #"{"value":1,"ifAbsent":true}"#).status == 200)
        let second = try edge.call("POST", object + "/n", #"{"value":2,"ifAbsent":true}"#)
        #expect(second.status == 204)
        #expect(second.body.isEmpty)
    }

    @Test func manyItemsAreSetListedAndFiltered() throws {
        let edge = try TestEdge()
        let set = try edge.call("POST", object, #"{"x/1":{"value":1},"x+2":{"value":2},"y":{"value":3}}"#)
        #expect(set.status == 200)
        #expect(try edge.call("GET", "/project/demo/cache-keys/c/o").body == #"["x+2","x/1","y"]"#)
        #expect(try edge.call("GET", "/project/demo/cache-keys/c/o?prefix=x+").body == #"["x+2"]"#)
        #expect(try edge.call("GET", "/project/demo/cache-keys/c/o?prefix=x%2F").body == #"["x/1"]"#)
        #expect(try edge.call("GET", object + "/x/1").status == 200)
        let some = try edge.call("GET", object + "?prefix=y")
        #expect(some.json?["y"]?["value"] == .number(3))
        #expect(some.json?["x/1"] == nil)
        let asked = try edge.call("POST", "/project/demo/cache-query/c/o", #"["y","none"]"#)
        #expect(asked.json?["y"]?["value"] == .number(3))
        #expect(asked.json?["none"] == nil)
    }

    @Test func emptyListsAndMapsAreJSON() throws {
        let edge = try TestEdge()
        #expect(try edge.call("GET", object).body == "{}")
        #expect(try edge.call("GET", "/project/demo/cache-keys/c/o").body == "[]")
        #expect(try edge.call("POST", "/project/demo/cache-query/c/o", "[]").body == "{}")
    }

    @Test func deleteWithABodyRemovesSomeAndWithoutOneRemovesAll() throws {
        let edge = try TestEdge()
        let keys = "/project/demo/cache-keys/c/o"
        _ = try edge.call("POST", object, #"{"a":{"value":1},"b":{"value":2},"c":{"value":3}}"#)
        #expect(try edge.call("DELETE", object, "[]").status == 204)
        #expect(try edge.call("GET", keys).body == #"["a","b","c"]"#)
        let json = [("Content-Type", "application/json")]
        #expect(try edge.call("DELETE", object, #"["b"]"#, headers: json).status == 204)
        #expect(try edge.call("GET", keys).body == #"["a","c"]"#)

        let stripped = try edge.call("DELETE", object, headers: json)
        #expect(stripped.status == 400)
        #expect(try edge.call("DELETE", object, "", headers: json).status == 400)
        #expect(try edge.call("GET", keys).body == #"["a","c"]"#)

        #expect(try edge.call("DELETE", object).status == 204)
        #expect(try edge.call("GET", keys).body == "[]")
    }

    @Test(arguments: [
        ("increment", #"{"value":2}"#, "2"), ("decrement", #"{"value":2}"#, "-2"),
        ("push", #"{"value":"x"}"#, #"["x"]"#), ("splice", #"{"items":[1,2]}"#, "[1,2]"),
        ("merge", #"{"value":{"a":1}}"#, #"{"a":1}"#),
        ("set-in", #"{"path":"a.b","value":1}"#, #"{"a":{"b":1}}"#),
    ])
    func theSixOperationsAnswerTheWholeItem(_ word: String, _ body: String, _ value: String) throws {
        let answer = try TestEdge().call("POST", object + "/n/" + word, body)
        #expect(answer.status == 200)
        #expect(answer.body.hasPrefix(#"{"value":\#(value),"#))
    }

    @Test func encryptionSettingsAreMadeOnceAndRotated() throws {
        let edge = try TestEdge()
        let first = try edge.call("POST", "/project/demo/cache-encryption/c/o", "{}")
        #expect(first.status == 200)
        #expect(first.json?["encryptionSettings"]?["keyVersion"] == .number(0))
        #expect(try edge.call("POST", "/project/demo/cache-encryption/c/o", "{}").body == first.body)
        let rotated = try edge.call(
            "POST", "/project/demo/cache-encryption-rotate/c/o", #"{"saltLength":24}"#)
        #expect(rotated.json?["encryptionSettings"]?["keyVersion"] == .number(1))

        let version = [("X-Enc-KV", "1")]
        let set = try edge.call("POST", object + "/n", #"{"value":"cipher"}"#, headers: version)
        #expect(set.json?["keyVersion"] == .number(1))
        let unknown = try edge.call("POST", object + "/n", #"{"value":"x"}"#, headers: [("X-Enc-KV", "9")])
        #expect(unknown.status == 409)
        #expect(unknown.code == "conflictError.keyVersion.mismatch")
        #expect(try edge.call("GET", object + "/n", headers: [("X-Enc-KV", "junk")]).status == 200)
    }

    @Test func aVersionMismatchIs409AndNotApplied() throws {
        let edge = try TestEdge()
        _ = try edge.call("POST", object + "/n", #"{"value":1}"#)
        let refused = try edge.call("POST", object + "/n", #"{"value":2,"updatedAt":1}"#)
        #expect(refused.status == 409)
        #expect(refused.code == "conflictError.updatedAt.mismatch")
        #expect(refused.applied == "no")
        #expect(refused.json?["status"] == .number(409))
        #expect(refused.json?["statusCode"] == .number(409))
        #expect(refused.json?["name"]?.text == "ConflictError")
        #expect(refused.json?["message"]?.text?.isEmpty == false)
    }

    @Test func theClassesDefaultLifetimeHolds() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("POST", "/projects/demo/classes/c", #"{"defaultTTL":1000}"#).status == 200)
        let set = try edge.call("POST", object + "/n", #"{"value":1}"#)
        #expect(set.json?["expiresAt"]?.count == edge.gateway.nowMs + 1000)
    }

    @Test func everyObjectCallSaysWhereItStands() throws {
        let edge = try TestEdge()
        for answer in [
            try edge.call("POST", object + "/n", #"{"value":1}"#), try edge.call("GET", object + "/n"),
            try edge.call("GET", object + "/none"),
            try edge.call("POST", object + "/n/push", #"{"value":1}"#),
        ] {
            #expect(answer["Holdfast-Epoch"] == "7")
            #expect(answer["Holdfast-Index"] == "1")
            #expect(answer["Holdfast-Owner"] == "n2")
            #expect(answer["Holdfast-Replayed"] == nil)
            #expect(answer["Access-Control-Expose-Headers"]?.contains("Holdfast-Index") == true)
        }
    }

    @Test func namesGoThroughUnchanged() throws {
        let edge = try TestEdge()
        _ = try edge.call("POST", "/project/demo/cache/my%20class/caf%C3%A9%2F1/a%2Bb%25", #"{"value":1}"#)
        let request = try #require(edge.gateway.requests.last)
        #expect(request.project == "demo")
        #expect(request.objectClass == "my class")
        #expect(request.objectID == "café/1")
        #expect(request.operation == .setItem(ItemWrite(name: "a+b%", value: Array("1".utf8))))
    }
}

/// Idempotency keys, minimum index, and answers that only a cluster gives.
struct RequestHeaderTests {
    private let path = "/project/demo/cache/c/o/n/increment"
    private let one = #"{"value":1}"#

    @Test func aRetryWithTheSameKeyGetsTheFirstAnswer() throws {
        let edge = try TestEdge()
        let key = [("Idempotency-Key", "order 17")]
        let first = try edge.call("POST", path, one, headers: key)
        let second = try edge.call("POST", path, one, headers: key)
        #expect(first.body == second.body)
        #expect(first["Holdfast-Replayed"] == nil)
        #expect(second["Holdfast-Replayed"] == "true")
        #expect(second["Holdfast-Index"] == first["Holdfast-Index"])
        let other = try edge.call("POST", path, #"{"value":2}"#, headers: key)
        #expect(other.status == 422)
        #expect(other.applied == "no")
    }

    @Test func theKeyIsScopedByTheAPIKeyAndHashesTheRequest() throws {
        let edge = try TestEdge()
        _ = try edge.call("POST", path, one, headers: [("Idempotency-Key", "k")])
        _ = try edge.call("POST", path, #"{"value":2}"#, headers: [("Idempotency-Key", "k")])
        let keys = edge.gateway.requests.map(\.idempotency)
        #expect(keys[0]?.apiKey == edge.keyID)
        #expect(keys[0]?.key == "k")
        #expect(keys[0]?.requestHash != keys[1]?.requestHash)
    }

    @Test(arguments: ["", String(repeating: "k", count: 129), "caf\u{E9}", "tab\there"])
    func aKeyThatIsNot1To128PrintableCharactersIsRefused(_ key: String) throws {
        let edge = try TestEdge()
        let answer = try edge.call("POST", path, one, headers: [("Idempotency-Key", key)])
        #expect(answer.status == 400)
        #expect(answer.code == "validationError.idempotencyKey")
        #expect(edge.gateway.requests.isEmpty)
    }

    @Test func readsWaitForTheIndexThatTheyName() throws {
        let edge = try TestEdge()
        _ = try edge.call("GET", "/project/demo/cache/c/o", headers: [("Holdfast-Min-Index", "12")])
        #expect(edge.gateway.requests.last?.minimumIndex == 12)
        for wrong in ["-1", "x", "", "1.5", "99999999999999999999999"] {
            let answer = try edge.call(
                "GET", "/project/demo/cache/c/o", headers: [("Holdfast-Min-Index", wrong)])
            #expect(answer.status == 400, "for \(wrong)")
        }
    }

    @Test(arguments: ["-1", "abc", "", "1.0", "+1"])
    func aKeyVersionThatIsNoIntegerIsRefused(_ version: String) throws {
        let answer = try TestEdge().call(
            "POST", "/project/demo/cache/c/o/n", one, headers: [("X-Enc-KV", version)])
        #expect(answer.status == 400)
        #expect(answer.code == "validationError.keyVersion")
    }

    @Test func aRefusalByTheClusterCarriesItsRetryTime() throws {
        let edge = try TestEdge()
        let refusal = Refusal(
            status: 503, name: "ServiceUnavailableError", code: "unavailable.retry", message: "please retry"
        )
        edge.gateway.scriptedAnswer = ClientAnswer(
            reply: .refused(refusal), applied: .no, retryAfterMs: 1_500)
        let answer = try edge.call("POST", path, one)
        #expect(answer.status == 503)
        #expect(answer.applied == "no")
        #expect(answer.json?["retryAfterMs"] == .number(1_500))
        #expect(answer["Retry-After"] == "2")
        #expect(answer["Holdfast-Epoch"] == nil)
    }

    /// The SDK repeats every 5xx, so one that may have been applied must not leave.
    @Test(arguments: [Applied.unknown, .yes])
    func a5xxThatMayHaveBeenAppliedBecomesAnUnknownOutcome(_ applied: Applied) throws {
        let edge = try TestEdge()
        let refusal = Refusal(status: 503, name: "E", code: "x.retry", message: "please retry")
        edge.gateway.scriptedAnswer = ClientAnswer(reply: .refused(refusal), applied: applied)
        let answer = try edge.call("POST", path, one)
        #expect(answer.status == 409)
        #expect(answer.code == "outcomeUnknown")
        #expect(answer.applied == "unknown")
        #expect(!answer.body.contains("retry") && !answer.body.contains("50"))
    }
}
