import Binary
import Placement
import TLS
import Testing

@testable import EdgeNode

/// What the table keeps instead of secrets, and what becomes of it when cluster keys change.
struct SealedSecretTests {
    private static let secret = Array("a secret of sixteen bytes or more".utf8)
    private static let owner = SecretOwner(project: "demo", objectClass: "room")

    private static func key(_ byte: UInt8) throws -> ClusterKeys.Key {
        try #require(ClusterKeys.Key([UInt8](repeating: byte, count: 32)))
    }

    @Test func whatIsSealedOpensForItsClassOnly() throws {
        let keys = ClusterKeys([try Self.key(1)])
        let sealed = try keys.seal(Self.secret, for: Self.owner)
        #expect(ClusterKeys.isSealed(sealed))
        #expect(sealed == (try keys.seal(Self.secret, for: Self.owner)))
        #expect(try keys.open(sealed, for: Self.owner) == Self.secret)
        for other in [
            SecretOwner(project: "demo", objectClass: "hall"), SecretOwner(project: "other", objectClass: "room"),
            // The boundary between the two names is part of what is authentic.
            SecretOwner(project: "demor", objectClass: "oom"),
        ] {
            #expect(throws: SecretFault.notAuthentic) { try keys.open(sealed, for: other) }
            #expect(try keys.seal(Self.secret, for: other) != sealed)
        }
    }

    @Test func everyChangedBitIsNoticed() throws {
        let keys = ClusterKeys([try Self.key(1)])
        let sealed = try keys.seal(Self.secret, for: Self.owner)
        for position in 4..<sealed.count {
            for bit in 0..<8 {
                var changed = sealed
                changed[position] ^= 1 << bit
                #expect(throws: SecretFault.self) { try keys.open(changed, for: Self.owner) }
            }
        }
    }

    @Test func aMissingClusterKeyIsNamed() throws {
        let (old, new) = (try Self.key(1), try Self.key(2))
        let sealed = try ClusterKeys([old]).seal(Self.secret, for: Self.owner)
        #expect(try ClusterKeys([new, old]).open(sealed, for: Self.owner) == Self.secret)
        #expect(throws: SecretFault.unknownClusterKey(Hexadecimal.encode(old.fingerprint))) {
            try ClusterKeys([new]).open(sealed, for: Self.owner)
        }
        #expect(throws: SecretFault.self) { try ClusterKeys.none.open(sealed, for: Self.owner) }
        #expect(ClusterKeys([new, old]).isToBeSealedAgain(sealed))
        #expect(!ClusterKeys([old, new]).isToBeSealedAgain(sealed))
    }

    @Test func signingSecretsAreDerivedOfTheKeyTheyName() throws {
        let (old, new) = (ClusterKeys([try Self.key(1)]), ClusterKeys([try Self.key(2), try Self.key(1)]))
        let salt = [UInt8](repeating: 9, count: 32)
        let genesis = SigningKey(id: 0, secret: salt, createdAtMs: 0)
        let added = SigningKey(id: 1, secret: new.signingMaterial(salt: salt), createdAtMs: 0)
        #expect(try ClusterKeys.none.secret(of: genesis) == salt)
        #expect(try old.secret(of: genesis) != salt)
        #expect(try old.secret(of: genesis) == (try new.secret(of: genesis)))
        #expect(try new.secret(of: added) != (try new.secret(of: genesis)))
        #expect(throws: SecretFault.unknownClusterKey(Hexadecimal.encode(try Self.key(2).fingerprint))) {
            try old.secret(of: added)
        }
        #expect(new.isOfFormerKey(genesis) && !new.isOfFormerKey(added) && !old.isOfFormerKey(genesis))
    }

    @Test(arguments: [
        "", "# nothing\n", "hfk1 00\n", "hfk2 \(String(repeating: "0", count: 64))\n",
        "hfk1 \(String(repeating: "0", count: 64))\nhfk1 \(String(repeating: "0", count: 64))\n",
        "hfk1 \(String(repeating: "G", count: 64))\n",
    ])
    func aBadKeyFileIsRefused(_ text: String) {
        #expect(throws: TLSMaterialFault.self) { try ClusterKeyFile.parse(text, path: "cluster.key") }
    }

    @Test func aKeyFileHoldsTheNewestFirst() throws {
        let text = "# two\n\nhfk1 \(String(repeating: "02", count: 32))\nhfk1 \(String(repeating: "01", count: 32))\n"
        #expect(try ClusterKeyFile.parse(text, path: "f").keys == [try Self.key(2), try Self.key(1)])
    }
}

/// The same through the API of a node.
struct SealedSecretPageTests {
    private let edge: TestEdge
    private let path = "/projects/demo/classes/room"
    private static let secret = "sixteen-or-more-bytes-of-secret"

    init() throws {
        edge = try TestEdge()
        use([1])
    }

    private func use(_ bytes: [UInt8]) {
        edge.gateway.clusterKeys = ClusterKeys(
            bytes.compactMap { ClusterKeys.Key([UInt8](repeating: $0, count: 32)) })
        edge.edge.forgetProofs()
    }

    private func tableHolds(_ text: String) throws -> Bool {
        var writer = ByteWriter()
        try #require(edge.gateway.view.state).encode(into: &writer)
        let needle = Array(text.utf8)
        return writer.bytes.indices.contains { writer.bytes[$0...].starts(with: needle) }
    }

    @Test func theTableHoldsNoSecretOfAClass() throws {
        let body = """
            {"addSignatureKey":{"version":1,"algorithm":"hmac-sha256","key":"\(Self.secret)"},
             "userIdentity":{"mode":"signature","key":"\(Self.secret)"}}
            """
        use([])
        #expect(try edge.admin("POST", path, body).status == 200)
        #expect(try tableHolds(Self.secret))
        use([1])
        #expect(try edge.admin("GET", "/secrets").json?["toBeSealed"] == .number(2))
        #expect(try edge.admin("POST", "/secrets/reseal").json?["resealed"]?.text == "class room of demo")
        #expect(try edge.admin("POST", "/secrets/reseal").json?["isDone"]?.flag == true)
        #expect(try !tableHolds(Self.secret))
        // A call that is repeated changes nothing, and another secret under the version is refused.
        #expect(try edge.admin("POST", path, body).status == 200)
        let other = body.replacing("1,\"algorithm\":\"hmac-sha256\",\"key\":\"s", with: "1,\"algorithm\":\"hmac-sha256\",\"key\":\"t")
        #expect(try edge.admin("POST", path, other).status == 409)
    }

    @Test func signaturesAreCheckedBySealedSecrets() throws {
        #expect(
            try edge.admin(
                "POST", path,
                #"{"requireIdSignature":true,"addSignatureKey":{"algorithm":"hmac-sha256","key":"\#(Self.secret)"}}"#
            ).status == 200)
        let code = try MessageAuthenticator(key: Array(Self.secret.utf8)).authenticate("o".utf8)
        func status() throws -> Int {
            try edge.call(
                "GET", "/project/demo/cache/room/o/a", headers: [("X-Id-Sig", Hexadecimal.encode(code))]).status
        }
        #expect(try status() == 404)
        use([2, 1])
        #expect(try status() == 404)
        #expect(try edge.admin("GET", "/secrets").json?["toBeSealed"] == .number(1))
        use([2])
        #expect(try status() == 403)
        #expect(try edge.admin("GET", "/secrets").json?["unreadable"] == .number(1))
    }

    @Test func tokensLiveAsLongAsTheirClusterKey() throws {
        let token = try edge.call("GET", "/project/demo/auth/token").body
        func status(_ token: String) throws -> Int {
            try edge.call("GET", "/project/demo/cache/c/o/a", authorization: "Bearer " + token).status
        }
        #expect(try status(token) == 404)
        use([2, 1])
        #expect(try status(token) == 404)
        #expect(try edge.admin("POST", "/secrets/reseal").json?["resealed"]?.text == "signing key 1")
        edge.gateway.nowMs += 20_000
        let newer = try edge.call("GET", "/project/demo/auth/token").body
        use([2])
        #expect(try status(newer) == 404)
        #expect(try status(token) == 401)
        use([1])
        #expect(try status(newer) == 401)
        let refused = try edge.call("GET", "/project/demo/auth/token")
        #expect(refused.status == 503)
        #expect(refused.body.contains("cluster.key lacks the key"))
    }
}
