import Binary
import Testing

@testable import ObjectRuntime

/// Parts of backed up objects, executed by an owner.
@Suite struct RestoringTests {
    private func item(_ value: String, at ms: UInt64 = 500, expiresAt: UInt64 = Item.never) -> Item {
        Item(
            value: JSONText(Array(value.utf8)), createdAt: ms - 1, updatedAt: ms, expiresAt: expiresAt,
            keyVersion: nil)
    }

    private func named(_ names: [String], at ms: UInt64 = 500) -> [NamedItem] {
        names.map { NamedItem(name: ItemName($0), item: item("\"\($0)\"", at: ms)) }
    }

    private let settings = EncryptionSettings(salt: [1, 2, 3], keyVersion: 0, createdAt: 7)

    private func part(
        _ mode: Restoration.Mode, _ names: [String], at ms: UInt64 = 500, after: String? = nil,
        through: String? = nil, encryption: [EncryptionSettings] = [], floor: UInt64 = 0
    ) -> Operation {
        .restore(
            Restoration(
                mode: mode, items: named(names, at: ms), after: after.map { ItemName($0) },
                through: through.map { ItemName($0) }, encryption: encryption, versionFloor: floor))
    }

    private func isRefused(_ answer: Answer, _ code: String) -> Bool {
        if case .refused(let refusal) = answer.reply { refusal.code == "conflictError.restore.\(code)" } else { false }
    }

    private func names(_ owner: TestOwner) throws -> [String] {
        try #require(owner.state.storedObject(TestOwner.object("o"))).state.items.map(\.name.text)
    }

    @Test func anObjectComesBackWithItsTimes() throws {
        var owner = TestOwner()
        let answer = try owner.run(part(.create, ["a", "b"], encryption: [settings], floor: 900))
        #expect(answer.reply == .noContent)
        let object = try #require(owner.state.storedObject(TestOwner.object("o")))
        #expect(Array(object.state.items) == named(["a", "b"]))
        #expect(object.state.encryption == [settings])
        #expect(owner.state.versionFloor == 900)
        #expect(try owner.run(part(.compare, ["a", "b"], encryption: [settings])).reply == .noContent)
    }

    @Test func theSameAgainWritesNothing() throws {
        var owner = TestOwner()
        try owner.run(part(.create, ["a"], encryption: [settings], floor: 5))
        let index = owner.index
        #expect(try owner.run(part(.create, ["a"], encryption: [settings], floor: 5)).reply == .noContent)
        #expect(try owner.run(part(.overwrite, ["a"], encryption: [settings], floor: 5)).reply == .noContent)
        #expect(owner.index == index)
    }

    @Test func whatIsThereIsNotOverwrittenUnasked() throws {
        var owner = TestOwner()
        try owner.run(.setItem(ItemWrite(name: "a", value: Array("1".utf8))))
        let before = owner.state
        #expect(isRefused(try owner.run(part(.create, ["a", "b"])), "exists"))
        #expect(isRefused(try owner.run(part(.create, ["b"])), "exists"), "another item is in the range")
        #expect(isRefused(try owner.run(part(.compare, ["a"])), "differs"))
        #expect(owner.state.storedObject(TestOwner.object("o"))?.state == before.storedObject(TestOwner.object("o"))?.state)
        #expect(try owner.run(part(.overwrite, ["b"])).reply == .noContent)
        #expect(try names(owner) == ["b"])
    }

    @Test func otherEncryptionSettingsAreSomethingElse() throws {
        var owner = TestOwner()
        try owner.run(.encryptionSettings(saltBytes: 16))
        #expect(isRefused(try owner.run(part(.create, ["a"], encryption: [settings])), "exists"))
        try owner.run(part(.overwrite, ["a"], encryption: [settings]))
        #expect(owner.state.storedObject(TestOwner.object("o"))?.state.encryption == [settings])
    }

    /// Each part replaces its own range only, in whatever order they come.
    @Test func partsHaveRangesOfNames() throws {
        var owner = TestOwner()
        try owner.run(part(.create, ["m", "p"], after: "f"))
        try owner.run(part(.create, ["a", "f"], through: "f"))
        #expect(try names(owner) == ["a", "f", "m", "p"])
        try owner.run(part(.overwrite, ["n"], after: "f", through: "o"))
        #expect(try names(owner) == ["a", "f", "n", "p"])
        #expect(isRefused(try owner.run(part(.compare, ["a", "f", "n"])), "differs"))
        #expect(try owner.run(part(.compare, ["a", "f"], through: "f")).reply == .noContent)
    }

    /// The next version of anything is above all that clients have seen.
    @Test func anOlderItemRaisesTheFloor() throws {
        var owner = TestOwner()
        owner.nowMs = 2_000
        try owner.run(.setItem(ItemWrite(name: "a", value: Array("1".utf8))))
        owner.nowMs = 1_000
        try owner.run(part(.overwrite, ["a"], at: 300))
        #expect(owner.state.versionFloor == 2_000)
        try owner.run(.removeItem("a"))
        try owner.run(.setItem(ItemWrite(name: "a", value: Array("2".utf8))))
        #expect(owner.state.item("a", of: TestOwner.object("o"))?.updatedAt == 2_001)
    }

    @Test func whatHasExpiredSinceStaysAway() throws {
        var owner = TestOwner()
        let items = [NamedItem(name: "a", item: item("1", expiresAt: 900)), NamedItem(name: "b", item: item("2"))]
        owner.nowMs = 1_000
        try owner.run(.restore(Restoration(mode: .create, items: items)))
        #expect(try names(owner) == ["b"])
        #expect(try owner.run(.restore(Restoration(mode: .compare, items: items))).reply == .noContent)
    }

    @Test func whatIsTakenBackIsAsItWas() throws {
        var owner = TestOwner()
        try owner.run(.encryptionSettings(saltBytes: 16))
        try owner.run(.setItem(ItemWrite(name: "a", value: Array("1".utf8))))
        let before = owner.state
        let request = Request(
            object: TestOwner.object("o"), operation: part(.overwrite, ["b"], encryption: [settings], floor: 9_999))
        _ = owner.execute(request)
        owner.state.rollBack(above: owner.state.committedIndex)
        #expect(owner.state.encodeSnapshot() == before.encodeSnapshot())
        #expect(owner.state.versionFloor == before.versionFloor)
    }

    // MARK: - Parts

    @Test(arguments: [1, 40, 100, 1 << 20])
    func partsCoverAnObjectOnce(partBytes: Int) throws {
        var owner = TestOwner()
        for number in 0..<40 {
            let value = "\"\(String(repeating: "x", count: number))\""
            try owner.run(.setItem(ItemWrite(name: ItemName("n\(number)"), value: Array(value.utf8))))
        }
        try owner.run(.encryptionSettings(saltBytes: 16))
        let object = try #require(owner.state.storedObject(TestOwner.object("o")))
        let parts = object.restorations(.create, versionFloor: 3, partBytes: partBytes)
        #expect(parts.first?.after == nil && parts.last?.through == nil)
        #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.through == $1.after && $0.through != nil })
        #expect(parts.flatMap(\.items) == Array(object.state.items))
        #expect(parts.allSatisfy { $0.items.count == 1 || $0.byteCount <= partBytes + 64 })
        var other = TestOwner()
        for part in parts.reversed() {
            var writer = ByteWriter()
            Operation.restore(part).encode(into: &writer)
            var reader = ByteReader(writer.bytes)
            try other.run(try Operation(from: &reader))
            try reader.finish()
        }
        let restored = try #require(other.state.storedObject(TestOwner.object("o")))
        #expect(restored.state.items == object.state.items && restored.state.encryption == object.state.encryption)
    }

    @Test func badPartsAreNotRead() throws {
        let good = Restoration(mode: .create, items: named(["b", "c"]), after: "a", through: "c")
        let bad: [(inout Restoration) -> Void] = [
            { $0.items.reverse() }, { $0.items = self.named(["a"]) }, { $0.items = self.named(["d"]) },
            { $0.items[1] = $0.items[0] }, { $0.encryption = [self.settings] },
        ]
        for change in bad {
            var part = good
            change(&part)
            var writer = ByteWriter()
            part.encode(into: &writer)
            var reader = ByteReader(writer.bytes)
            #expect(throws: DecodingFailure.self) { try Restoration(from: &reader) }
        }
        var writer = ByteWriter()
        good.encode(into: &writer)
        for count in 0..<writer.bytes.count {
            var reader = ByteReader(Array(writer.bytes[..<count]))
            #expect(throws: DecodingFailure.self) { try Restoration(from: &reader) }
        }
    }

    @Test func valuesMustBeJSON() {
        let part = Restoration(
            mode: .create,
            items: [NamedItem(name: "a", item: item("{no}"))])
        #expect(throws: Refusal.self) { try part.check() }
    }
}
