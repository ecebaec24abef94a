import Placement
import Testing

@Suite("Projects, keys and classes")
struct TenantTests {
    private func withDemo() -> Machine {
        var machine = Machine()
        machine.apply(.createProject(id: "demo", createdAtMs: 1))
        return machine
    }

    @Test("creating the same project again keeps the first")
    func sameProject() {
        var machine = withDemo()
        #expect(machine.apply(.createProject(id: "demo", createdAtMs: 99)) == .done)
        #expect(machine.state.tenants.project("demo")?.createdAtMs == 1)
        #expect(machine.state.tenants.project("other") == nil)
    }

    @Test("a project id is a plain name")
    func projectNames() {
        var machine = Machine()
        for id in ["", ".", "..", "-a", "a/b", "a b", "a:b", "ä", String(repeating: "x", count: 65)] {
            #expect(machine.apply(.createProject(id: id, createdAtMs: 1)) == .refused(.invalidValue), "\(id)")
        }
        for id in ["a", "0-9", "A.b_c-d", "6f1c1f0e-6c0c-4a46-9a07-0d3f6f7f3f10"] {
            #expect(machine.apply(.createProject(id: id, createdAtMs: 1)) == .done, "\(id)")
        }
        #expect(machine.state.tenants.projects.map(\.id).first == "0-9")
        #expect(machine.state.tenants.projects.count == 4)
    }

    @Test("a key is found in its own project only")
    func keyIsolation() {
        var machine = withDemo()
        machine.apply(.createProject(id: "other", createdAtMs: 1))
        #expect(machine.apply(.createKey(apiKey("k1"))) == .done)
        #expect(machine.state.tenants.key(project: "demo", keyID: "k1") == apiKey("k1"))
        #expect(machine.state.tenants.key(project: "other", keyID: "k1") == nil)
        #expect(machine.state.tenants.key(project: "demo", keyID: "k2") == nil)
        #expect(machine.apply(.createKey(apiKey("k1", project: "nowhere"))) == .refused(.unknownProject))
    }

    @Test("the same key again is a retry, another secret under its id is refused")
    func keyRetry() {
        var machine = withDemo()
        machine.apply(.createKey(apiKey("k1")))
        #expect(machine.apply(.createKey(apiKey("k1"))) == .done)
        #expect(machine.apply(.createKey(apiKey("k1", hash: 2))) == .refused(.conflict))
        #expect(machine.state.tenants.project("demo")?.keys.count == 1)
    }

    @Test("a revoked key stays revoked, whatever is retried")
    func revoked() {
        var machine = withDemo()
        machine.apply(.createKey(apiKey("k1")))
        #expect(machine.apply(.revokeKey(project: "demo", keyID: "k1")) == .done)
        #expect(machine.apply(.revokeKey(project: "demo", keyID: "k1")) == .done)
        #expect(machine.apply(.createKey(apiKey("k1"))) == .done)
        #expect(machine.state.tenants.key(project: "demo", keyID: "k1")?.isRevoked == true)
        #expect(machine.apply(.revokeKey(project: "demo", keyID: "k9")) == .refused(.unknownKey))
        #expect(machine.apply(.revokeKey(project: "none", keyID: "k1")) == .refused(.unknownProject))
    }

    @Test("keys without proper salt, hash, id, label or origins are refused")
    func badKeys() {
        var machine = withDemo()
        func refused(_ change: (inout APIKey) -> Void) -> Bool {
            var key = apiKey("k1")
            change(&key)
            return machine.apply(.createKey(key)) == .refused(.invalidValue)
        }
        #expect(refused { $0.credential.salt = [1] })
        #expect(refused { $0.credential.secretHash = [] })
        #expect(refused { $0.keyID = "a:b" })
        #expect(refused { $0.label = String(repeating: "l", count: 257) })
        #expect(refused { $0.origins = [""] })
        #expect(refused { $0.origins = Array(repeating: "o", count: 33) })
        #expect(machine.state.tenants.project("demo")?.keys.isEmpty == true)
    }

    @Test("classes have standard settings until they get their own, and again afterwards")
    func classes() {
        var machine = withDemo()
        let settings = ClassSettings(
            defaultTTLMs: 3_600_000, requiresIDSignature: true,
            signatureKeys: [
                SignatureKey(version: 1, algorithm: .hmacSHA256, key: [1, 2]),
                SignatureKey(version: 4, algorithm: .ed25519, key: [3]),
            ],
            userIdentity: .token(.rsaSHA256, key: [5]))
        #expect(machine.state.classSettings(project: "demo", class: "chat") == .standard)
        #expect(machine.apply(.setClass(project: "demo", name: "chat", settings: settings)) == .done)
        #expect(machine.state.classSettings(project: "demo", class: "chat") == settings)
        #expect(machine.state.classSettings(project: "other", class: "chat") == .standard)
        #expect(settings.signatureKey(version: nil)?.version == 4)
        #expect(settings.signatureKey(version: 1)?.key == [1, 2])
        #expect(settings.signatureKey(version: 2) == nil)
        #expect(machine.apply(.setClass(project: "demo", name: "chat", settings: .standard)) == .done)
        #expect(machine.state.tenants.project("demo")?.classes.isEmpty == true)
        #expect(
            machine.apply(.setClass(project: "x", name: "chat", settings: settings))
                == .refused(.unknownProject))
    }

    @Test("class names are told apart byte by byte")
    func classNamesAreExact() {
        var machine = withDemo()
        let settings = ClassSettings(defaultTTLMs: 5)
        machine.apply(.setClass(project: "demo", name: "caf\u{E9}", settings: settings))
        #expect(machine.state.classSettings(project: "demo", class: "caf\u{E9}") == settings)
        #expect(machine.state.classSettings(project: "demo", class: "cafe\u{301}") == .standard)
    }

    @Test("class settings that make no sense are refused")
    func badClasses() {
        var machine = withDemo()
        let key = SignatureKey(version: 1, algorithm: .hmacSHA256, key: [1])
        let bad = [
            ClassSettings(defaultTTLMs: 0), ClassSettings(requiresIDSignature: true),
            ClassSettings(signatureKeys: [key, key]),
            ClassSettings(signatureKeys: [SignatureKey(version: 1, algorithm: .hmacSHA256, key: [])]),
            ClassSettings(userIdentity: .signature(secret: [])),
        ]
        for settings in bad {
            #expect(
                machine.apply(.setClass(project: "demo", name: "c", settings: settings))
                    == .refused(.invalidValue))
        }
        for name in ["", String(repeating: "x", count: 257)] {
            let command = Command.setClass(
                project: "demo", name: name, settings: ClassSettings(defaultTTLMs: 1))
            #expect(machine.apply(command) == .refused(.invalidValue))
        }
    }

    private func signingKey(_ id: UInt64, _ byte: UInt8 = 1) -> SigningKey {
        SigningKey(id: id, secret: Array(repeating: byte, count: 32), createdAtMs: id)
    }

    @Test("the newest signing key signs, four are kept")
    func signingKeys() {
        var machine = Machine()
        #expect(machine.state.tenants.newestSigningKey.secret == machine.state.genesis.signingKey)
        for id: UInt64 in 1...6 { #expect(machine.apply(.addSigningKey(signingKey(id))) == .done) }
        #expect(machine.state.tenants.signingKeys.map(\.id) == [3, 4, 5, 6])
        #expect(machine.state.tenants.newestSigningKey.id == 6)
        #expect(machine.state.tenants.signingKey(id: 4) != nil)
    }

    @Test("a retried signing key is no new one, and a forgotten one does not come back")
    func signingKeyRetries() {
        var machine = Machine()
        for id: UInt64 in 1...6 { machine.apply(.addSigningKey(signingKey(id))) }
        let tenants = machine.state.tenants
        #expect(machine.apply(.addSigningKey(signingKey(5))) == .done)
        #expect(machine.apply(.addSigningKey(signingKey(5, 2))) == .refused(.conflict))
        #expect(machine.apply(.addSigningKey(signingKey(1))) == .refused(.conflict))
        #expect(
            machine.apply(.addSigningKey(SigningKey(id: 9, secret: [1], createdAtMs: 1)))
                == .refused(.invalidValue))
        #expect(machine.state.tenants == tenants)
    }

    @Test("the admin credential can be set and replaced")
    func admin() {
        var machine = Machine()
        #expect(machine.state.tenants.admin == nil)
        let credential = apiKey("k").credential
        #expect(machine.apply(.setAdmin(credential)) == .done)
        #expect(machine.state.tenants.admin == credential)
        #expect(machine.apply(.setAdmin(Credential(salt: [], secretHash: []))) == .refused(.invalidValue))
    }
}
