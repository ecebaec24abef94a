import Binary
import Placement
import Testing

@Suite("Rights, versions of keys, administrators, origins")
struct AccessTests {
    private func machine() -> Machine {
        var machine = Machine.running()
        machine.apply(.createProject(id: "demo", createdAtMs: 1))
        machine.apply(.createKey(apiKey("k")))
        return machine
    }

    private func credential(_ byte: UInt8) -> Credential {
        Credential(salt: Array(repeating: byte, count: 16), secretHash: Array(repeating: byte, count: 32))
    }

    private func rotation(_ byte: UInt8, from version: UInt64, until: UInt64? = nil) -> Command {
        .rotateKey(
            KeyRotation(
                project: "demo", keyID: "k", expectedVersion: version, credential: credential(byte),
                formerUntilMs: until))
    }

    @Test("a key made without a word has all scopes but admin, and version 1")
    func standard() throws {
        let key = try #require(machine().state.tenants.key(project: "demo", keyID: "k"))
        #expect(key.rights == .standard && key.version == 1 && key.former == nil)
        #expect(key.rights.scopes.names == ["read", "write", "presence", "message"])
    }

    @Test("scopes are named, and unknown names are none")
    func names() {
        #expect(Scopes(names: ["admin", "read"]) == [.read, .admin])
        #expect(Scopes(names: ["read", "Write"]) == nil)
        #expect(Scopes(names: [String]()) == [])
    }

    @Test("a key without scopes, or with unknown ones, is refused")
    func emptyRights() {
        var machine = machine()
        for raw in [UInt8(0), 32, 255] {
            var key = apiKey("x")
            key.rights.scopes = Scopes(rawValue: raw)
            #expect(machine.apply(.createKey(key)) == .refused(.invalidValue))
        }
    }

    @Test("a rotation raises the version once, however often it comes")
    func rotates() throws {
        var machine = machine()
        #expect(machine.apply(rotation(7, from: 1)) == .done)
        #expect(machine.apply(rotation(7, from: 1)) == .done)
        #expect(machine.apply(rotation(8, from: 1)) == .refused(.conflict))
        let key = try #require(machine.state.tenants.key(project: "demo", keyID: "k"))
        #expect(key.version == 2 && key.credential == credential(7) && key.former == nil)
        #expect(key.accepts(version: 2, nowMs: 0))
        #expect(!key.accepts(version: 1, nowMs: 0) && !key.accepts(version: 3, nowMs: 0))
    }

    @Test("the former secret counts until its time, and only one of them")
    func grace() throws {
        var machine = machine()
        machine.apply(rotation(7, from: 1, until: 100))
        var key = try #require(machine.state.tenants.key(project: "demo", keyID: "k"))
        #expect(key.accepts(version: 1, nowMs: 99) && !key.accepts(version: 1, nowMs: 100))
        machine.apply(rotation(8, from: 2, until: 200))
        key = try #require(machine.state.tenants.key(project: "demo", keyID: "k"))
        #expect(key.accepts(version: 2, nowMs: 199) && !key.accepts(version: 1, nowMs: 0))
        #expect(try PlacementState.decode(machine.state.encode()) == machine.state)
    }

    @Test("a revoked key has no next version")
    func revokedStays() {
        var machine = machine()
        machine.apply(.revokeKey(project: "demo", keyID: "k"))
        #expect(machine.apply(rotation(7, from: 1)) == .refused(.conflict))
        #expect(machine.apply(.rotateKey(KeyRotation(
            project: "demo", keyID: "none", expectedVersion: 1, credential: credential(7), formerUntilMs: nil)))
            == .refused(.unknownKey))
    }

    @Test("an administrator's name is given once, and never for root")
    func administrators() throws {
        var machine = machine()
        let ann = Administrator(name: "ann", role: .viewer, credential: credential(1), createdAtMs: 1)
        var other = ann
        other.credential = credential(2)
        var root = ann
        (root.name, root.role) = ("bob", .root)
        #expect(machine.apply(.createAdministrator(ann)) == .done)
        #expect(machine.apply(.createAdministrator(ann)) == .done)
        #expect(machine.apply(.createAdministrator(root)) == .refused(.invalidValue))
        #expect(machine.apply(.revokeAdministrator(name: "ann")) == .done)
        #expect(machine.apply(.createAdministrator(other)) == .refused(.conflict))
        #expect(machine.apply(.revokeAdministrator(name: "eve")) == .refused(.unknownAdministrator))
        #expect(try #require(machine.state.tenants.administrator(named: "ann")).isRevoked)
        #expect(try PlacementState.decode(machine.state.encode()) == machine.state)
    }

    @Test("origins belong to a project and are bounded")
    func origins() throws {
        var machine = machine()
        #expect(machine.apply(.setOrigins(project: "demo", ["https://a.example"])) == .done)
        #expect(machine.apply(.setOrigins(project: "none", [])) == .refused(.unknownProject))
        let many = (0..<33).map { "https://a\($0).example" }
        #expect(machine.apply(.setOrigins(project: "demo", many)) == .refused(.invalidValue))
        #expect(machine.apply(.setOrigins(project: "demo", [""])) == .refused(.invalidValue))
        #expect(machine.state.tenants.project("demo")?.origins == ["https://a.example"])
        #expect(try PlacementState.decode(machine.state.encode()) == machine.state)
    }
}

@Suite("The audit")
struct AuditTests {
    private func note(_ callID: UInt64, atMs: UInt64 = 1_000) -> AuditNote {
        AuditNote(callID: callID, atMs: atMs, actor: "ann", role: .operator, address: "10.1.1.1")
    }

    @Test("an audited command has its effect, and its entry says who and what")
    func effect() throws {
        var machine = Machine.running()
        let plain = machine
        #expect(machine.apply(.audited(note(1), .createProject(id: "demo", createdAtMs: 1))) == .done)
        #expect(machine.state.tenants.project("demo") != nil)
        #expect(machine.apply(.audited(note(2), .revokeKey(project: "demo", keyID: "k"))) == .refused(.unknownKey))
        let entries = Array(machine.state.audit.entries)
        #expect(entries.map(\.index) == [1, 2])
        #expect(entries.map(\.note.action) == ["project.create", "key.revoke"])
        #expect(entries.map(\.note.outcome) == ["done", "refused: unknownKey"])
        #expect(entries.map(\.note.target) == ["demo", "demo/k"])
        #expect(Array(plain.state.audit.entries).isEmpty)
    }

    @Test("a command that reaches the log twice is one entry")
    func twice() {
        var machine = Machine.running()
        for _ in 0..<3 { machine.apply(.audited(note(1), .createProject(id: "demo", createdAtMs: 1))) }
        #expect(machine.state.audit.count == 1)
    }

    @Test("entries go by count and by age, the oldest first, and indexes go on")
    func bounds() throws {
        var machine = Machine.running()
        #expect(machine.apply(.setAuditRetention(entries: 99, ageMs: 3_600_000)) == .refused(.outOfRange))
        machine.apply(.setAuditRetention(entries: 100, ageMs: 3_600_000))
        for number in 1...350 { machine.apply(.audited(note(UInt64(number)), nil)) }
        #expect(machine.state.audit.count == 100)
        #expect(Array(machine.state.audit.entries).map(\.index) == Array(251...350))
        #expect(Array(machine.state.audit.entries(after: 348)).map(\.index) == [349, 350])
        machine.apply(.audited(note(1_000, atMs: 99_000_000), nil))
        #expect(machine.state.audit.count == 99, "one clock that is wrong drops two, not all")
        for number in 1_001...1_400 { machine.apply(.audited(note(UInt64(number), atMs: 99_000_000), nil)) }
        #expect(machine.state.audit.entries.allSatisfy { $0.note.atMs == 99_000_000 })
    }

    @Test("a node that came by a snapshot goes on as the others do")
    func snapshot() throws {
        var machine = Machine.running()
        machine.apply(.setAuditRetention(entries: 130, ageMs: 3_600_000))
        var dice = Dice(seed: 5)
        for number in 1...700 {
            let note = note(UInt64(dice.below(100)), atMs: UInt64(dice.below(10_000_000)))
            if number.isMultiple(of: 37) {
                var other = Machine()
                other.state = try PlacementState.decode(machine.state.encode())
                #expect(other.state == machine.state)
                other.apply(.audited(note, nil))
                machine.apply(.audited(note, nil))
                #expect(other.state == machine.state)
                if dice.chance(50) { machine = other }
            } else {
                machine.apply(.audited(note, nil))
            }
        }
    }

    @Test("long texts are cut at whole characters; an audited command in another is refused")
    func hostile() throws {
        var machine = Machine.running()
        let long = String(repeating: "é", count: 9_000)
        machine.apply(.audited(note(1), .createProject(id: long, createdAtMs: 1)))
        let entry = try #require(Array(machine.state.audit.entries).first)
        #expect(entry.note.target == String(repeating: "é", count: 256))
        let nested = Command.audited(note(1), .audited(note(2), nil)).encode()
        #expect(throws: DecodingFailure.self) { try Command.decode(nested) }
        var deep = Command.audited(note(1), nil)
        for _ in 0..<2_000 { deep = .audited(note(1), deep) }
        let bytes = deep.encode()
        #expect(throws: DecodingFailure.self) { try Command.decode(bytes) }
    }

    @Test("a fence within an audited command still checks the table")
    func fences() {
        var machine = Machine.running()
        #expect(machine.apply(.audited(note(1), .setStanding(node(1), .draining))) == .done)
        #expect(machine.state.audit.count == 1)
    }
}
