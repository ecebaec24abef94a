import Testing

@testable import ObjectRuntime

/// Operations as edits of text against the same operations on trees that Foundation reads.
@Suite struct ValueTwinTests {
    private func stored(_ value: [UInt8], large: Bool) -> [UInt8] {
        guard large, let opening = value.first,
            opening == JSONByte.openArray || opening == JSONByte.openObject
        else {
            return value
        }
        // White space makes a rope of any container.
        return [opening] + Array(repeating: 0x20, count: 5000) + value.dropFirst()
    }

    private func result(_ text: [UInt8], _ operation: Operation) throws -> (reply: Reply, value: [UInt8]?) {
        var owner = TestOwner()
        try owner.run(.setItem(ItemWrite(name: "x", value: text)))
        let answer = try owner.run(operation)
        return (answer.reply, owner.state.item("x", of: TestOwner.object("o"))?.value.bytes)
    }

    private func expectTwin(
        _ text: [UInt8], _ operation: Operation, _ twin: (JSONTree) -> JSONTree?, _ what: String
    ) throws {
        let (reply, value) = try result(text, operation)
        let after = try #require(value)
        let expected = twin(try JSONTree.foundation(text))
        if let expected {
            #expect(
                try JSONTree.foundation(after) == expected,
                "\(what) on \(String(decoding: text, as: UTF8.self))")
        } else {
            #expect(after == text)
            guard case .refused(let refusal) = reply else {
                Issue.record("\(what) was not refused on \(String(decoding: text, as: UTF8.self))")
                return
            }
            #expect(refusal.status == 400)
        }
    }

    @Test(arguments: [false, true])
    func pushAndSpliceAreThoseOfTrees(large: Bool) throws {
        var json = RandomJSON(seed: 41)
        for _ in 0..<400 {
            let text = stored(json.value(repeatsNames: false), large: large)
            let items = (0..<json.below(4)).map { _ in json.value(depth: 1, repeatsNames: false) }
            let trees = try items.map(JSONTree.foundation)
            let splice = Splice(start: json.below(12) - 6, deleteCount: json.below(8) - 2, items: items)
            try expectTwin(
                text, .splice("x", splice, WriteOptions()), { self.spliced($0, splice, trees) }, "\(splice)")
            let value = json.value(depth: 1, repeatsNames: false)
            let pushed = try JSONTree.foundation(value)
            try expectTwin(
                text, .push("x", value: value, WriteOptions()), { self.pushed($0, pushed) }, "push")
        }
    }

    private func spliced(_ tree: JSONTree, _ splice: Splice, _ items: [JSONTree]) -> JSONTree? {
        guard case .array(var elements) = tree else { return nil }
        let start =
            splice.start < 0 ? max(0, elements.count + splice.start) : min(elements.count, splice.start)
        let count = max(0, min(splice.deleteCount, elements.count - start))
        elements.replaceSubrange(start..<start + count, with: items)
        return .array(elements)
    }

    private func pushed(_ tree: JSONTree, _ value: JSONTree) -> JSONTree? {
        guard case .array(let elements) = tree else { return nil }
        return .array(elements + [value])
    }

    @Test(arguments: [false, true])
    func mergeIsThatOfTrees(large: Bool) throws {
        var json = RandomJSON(seed: 42)
        for _ in 0..<600 {
            let text = stored(
                json.below(4) > 0 ? json.object(repeatsNames: false) : json.value(repeatsNames: false),
                large: large)
            let members = json.object(depth: 2, repeatsNames: false)
            guard case .object(let incoming) = try JSONTree.foundation(members) else { continue }
            try expectTwin(
                text, .merge("x", members: members, WriteOptions()),
                { tree in
                    guard case .object(let present) = tree else { return nil }
                    return .object(present + incoming)
                }, String(decoding: members, as: UTF8.self))
        }
    }

    @Test(arguments: [false, true])
    func setInIsThatOfTrees(large: Bool) throws {
        var json = RandomJSON(seed: 43)
        for _ in 0..<1500 {
            let text = stored(json.value(depth: 5, repeatsNames: false), large: large)
            let parts = ["a", "b", "0", "1", "2", "ü", "key", "x\\y"]
            let path = (0..<1 + json.below(4)).map { _ in parts[json.below(parts.count)] }
            let value = json.value(depth: 1, repeatsNames: false)
            let tree = try JSONTree.foundation(value)
            let operation = Operation.setIn(
                "x", path: path.map { Array($0.utf8) }, value: value, WriteOptions())
            try expectTwin(
                text, operation,
                { root in
                    switch root {
                    case .object, .array: self.set(root, path[...], tree)
                    default: nil
                    }
                }, "\(path)")
        }
    }

    /// What is no container gives way to an object.
    private func set(_ tree: JSONTree, _ path: ArraySlice<String>, _ value: JSONTree) -> JSONTree? {
        guard let part = path.first else { return value }
        let rest = path.dropFirst()
        if case .array(var elements) = tree {
            guard let index = Int(part), index >= 0, String(index) == part else { return nil }
            while elements.count <= index { elements.append(.null) }
            guard let inner = set(elements[index], rest, value) else { return nil }
            elements[index] = inner
            return .array(elements)
        }
        var members: [(name: String, value: JSONTree)] = []
        if case .object(let present) = tree { members = present }
        let current = members.first { $0.name.utf8.elementsEqual(part.utf8) }?.value ?? .null
        guard let inner = set(current, rest, value) else { return nil }
        return .object(members + [(part, inner)])
    }
}
