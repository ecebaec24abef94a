import Testing

@testable import ObjectRuntime

@Suite struct JSONTextTests {
    private func edits(_ json: inout RandomJSON, length: Int) -> [TextEdit] {
        var cuts = (0..<2 * (1 + json.below(3))).map { _ in json.below(length + 1) }
        cuts.sort()
        return stride(from: 0, to: cuts.count, by: 2).map { position in
            let inserted = (0..<json.below(json.below(20) == 0 ? 3000 : 12)).map { _ in
                UInt8(97 + json.below(26))
            }
            return TextEdit(
                offset: cuts[position], removed: min(cuts[position + 1] - cuts[position], json.below(200)),
                inserted: inserted)
        }
    }

    private func applied(_ edits: [TextEdit], to bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        for edit in edits.reversed() {
            result.replaceSubrange(edit.offset..<edit.offset + edit.removed, with: edit.inserted)
        }
        return result
    }

    @Test(arguments: [10, 4000, 4097, 70_000])
    func manyEditsMakeTheSameTextAsOnAnArray(length: Int) throws {
        var json = RandomJSON(seed: UInt64(length))
        var bytes = (0..<length).map { UInt8(97 + $0 % 26) }
        var text = JSONText(bytes)
        for _ in 0..<400 {
            let edits = edits(&json, length: bytes.count)
            let before = text
            bytes = applied(edits, to: bytes)
            text = try #require(text.applying(edits))
            #expect(text.count == bytes.count)
            #expect(text == JSONText(bytes))
            if !bytes.isEmpty {
                let position = json.below(bytes.count)
                #expect(text[position] == bytes[position])
            }
            #expect(before.count == before.bytes.count)
        }
    }

    @Test func editsThatDoNotFitAreRefused() {
        for text in [JSONText(Array("[1,2,3]".utf8)), JSONText(Array(repeating: 0x20, count: 9000))] {
            #expect(text.applying([TextEdit(offset: text.count + 1, removed: 0, inserted: [])]) == nil)
            #expect(text.applying([TextEdit(offset: 3, removed: text.count - 2, inserted: [])]) == nil)
            #expect(
                text.applying([
                    TextEdit(offset: 3, removed: 2, inserted: []),
                    TextEdit(offset: 4, removed: 0, inserted: []),
                ]) == nil)
            #expect(text.applying([TextEdit(offset: 0, removed: Int.max, inserted: [])]) == nil)
        }
    }

    @Test func aRopeStaysBalancedAndItsLeavesStayFull() throws {
        var json = RandomJSON(seed: 5)
        var root = try #require(RopeNode.build(Array(repeating: UInt8(ascii: "x"), count: 1 << 20)[...]))
        for _ in 0..<5000 {
            let offset = json.below(root.count)
            let (before, after) = RopeNode.split(root, at: offset)
            let inserted = RopeNode(leaf: [UInt8(ascii: ","), UInt8(ascii: "1")])
            root = try #require(RopeNode.concatenate(RopeNode.concatenate(before, inserted), after))
        }
        #expect(isBalanced(root))
        #expect(root.height < 20)
        #expect(leaves(root) < 4 * root.count / RopeNode.leafLimitBytes)
    }

    private func isBalanced(_ node: RopeNode) -> Bool {
        guard let left = node.left, let right = node.right else {
            return node.height == 0 && node.count == node.bytes.count
        }
        return abs(left.height - right.height) <= 1 && node.height == max(left.height, right.height) + 1
            && node.count == left.count + right.count && isBalanced(left) && isBalanced(right)
    }

    private func leaves(_ node: RopeNode) -> Int {
        guard let left = node.left, let right = node.right else { return 1 }
        return leaves(left) + leaves(right)
    }

    @Test func anEditSharesWhatItLeavesAlone() throws {
        let root = try #require(RopeNode.build(Array(repeating: UInt8(ascii: "x"), count: 1 << 20)[...]))
        let (before, after) = RopeNode.split(root, at: root.count - 1)
        let edited = try #require(
            RopeNode.concatenate(RopeNode.concatenate(before, RopeNode(leaf: [1])), after))
        var known: Set<ObjectIdentifier> = []
        collect(root, into: &known)
        let size = known.count
        collect(edited, into: &known)
        #expect(known.count - size < 20)
    }

    private func collect(_ node: RopeNode, into known: inout Set<ObjectIdentifier>) {
        known.insert(ObjectIdentifier(node))
        if let left = node.left { collect(left, into: &known) }
        if let right = node.right { collect(right, into: &known) }
    }
}
