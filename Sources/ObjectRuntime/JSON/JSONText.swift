import Binary

/// One replacement in a text: `removed` bytes at `offset` give way to `inserted`.
public struct TextEdit: Sendable, Equatable {
    public var offset: Int
    public var removed: Int
    public var inserted: [UInt8]

    public init(offset: Int, removed: Int, inserted: [UInt8]) {
        self.offset = offset
        self.removed = removed
        self.inserted = inserted
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(offset)
        writer.writeVariable(removed)
        writer.writeBytes(inserted)
    }

    static let offsetLimit = 1 << 40

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        offset = try reader.readCount(limit: TextEdit.offsetLimit)
        removed = try reader.readCount(limit: TextEdit.offsetLimit)
        inserted = try reader.readBytes()
    }
}

/// A value as the JSON text that was sent: flat while it is small, a rope of shared pieces when large.
/// Which of the two is never visible outside; equality and encoding look at the bytes.
public struct JSONText: Sendable {
    /// Texts up to this size are copied when they change; larger ones share what stays.
    static let flatLimitBytes = 4096

    private enum Storage: Sendable {
        case flat([UInt8])
        case rope(RopeNode)
    }

    private var storage: Storage

    public init(_ bytes: [UInt8]) {
        if bytes.count > JSONText.flatLimitBytes, let root = RopeNode.build(bytes[...]) {
            storage = .rope(root)
        } else {
            storage = .flat(bytes)
        }
    }

    private init(root: RopeNode?) {
        guard let root, root.count > JSONText.flatLimitBytes else {
            var bytes: [UInt8] = []
            root?.append(to: &bytes)
            storage = .flat(bytes)
            return
        }
        storage = .rope(root)
    }

    public var count: Int {
        switch storage {
        case .flat(let bytes): bytes.count
        case .rope(let root): root.count
        }
    }

    public var bytes: [UInt8] {
        switch storage {
        case .flat(let bytes): return bytes
        case .rope(let root):
            var output: [UInt8] = []
            output.reserveCapacity(root.count)
            root.append(to: &output)
            return output
        }
    }

    func append(to output: inout [UInt8]) {
        switch storage {
        case .flat(let bytes): output += bytes
        case .rope(let root): root.append(to: &output)
        }
    }

    subscript(offset: Int) -> UInt8 {
        switch storage {
        case .flat(let bytes): bytes[offset]
        case .rope(let root): root[offset]
        }
    }

    /// Texts are never empty: they are valid JSON.
    public var kind: JSONKind { count == 0 ? .null : JSONKind(firstByte: self[0]) }

    /// The text after the edits, which are in order of offset, do not overlap and count offsets in
    /// the text before. Nil if they do not fit.
    public func applying(_ edits: [TextEdit]) -> JSONText? {
        var last = 0
        for edit in edits {
            guard edit.offset >= last, edit.removed >= 0, edit.offset <= count,
                edit.removed <= count - edit.offset
            else { return nil }
            last = edit.offset + edit.removed
        }
        switch storage {
        case .flat(let bytes): return JSONText.edited(bytes, edits)
        case .rope(let root): return JSONText.edited(root, edits)
        }
    }

    private static func edited(_ bytes: [UInt8], _ edits: [TextEdit]) -> JSONText {
        var output: [UInt8] = []
        output.reserveCapacity(edits.reduce(bytes.count) { $0 + $1.inserted.count - $1.removed })
        var position = 0
        for edit in edits {
            output += bytes[position..<edit.offset]
            output += edit.inserted
            position = edit.offset + edit.removed
        }
        output += bytes[position...]
        return JSONText(output)
    }

    /// From the last edit to the first, so that the offsets before stay what they are.
    private static func edited(_ root: RopeNode, _ edits: [TextEdit]) -> JSONText {
        var tree: RopeNode? = root
        for edit in edits.reversed() {
            let (before, rest) = RopeNode.split(tree, at: edit.offset)
            let (_, after) = RopeNode.split(rest, at: edit.removed)
            let inserted = RopeNode.build(edit.inserted[...])
            tree = RopeNode.concatenate(RopeNode.concatenate(before, inserted), after)
        }
        return JSONText(root: tree)
    }
}

extension JSONText {
    /// The one edit that leads to `text`: between what the two have in common at their ends. Pieces
    /// that both share are not looked into.
    func difference(to text: JSONText) -> TextEdit {
        let shorter = min(count, text.count)
        let (sharedHead, sharedTail) = sharedEnds(with: text)
        let (base, other) = (bytes, text.bytes)
        return base.withUnsafeBufferPointer { base in
            other.withUnsafeBufferPointer { other in
                var head = min(sharedHead, shorter)
                while head < shorter, base[head] == other[head] { head += 1 }
                var tail = min(sharedTail, shorter - head)
                while tail < shorter - head, base[base.count - 1 - tail] == other[other.count - 1 - tail] {
                    tail += 1
                }
                return TextEdit(
                    offset: head, removed: base.count - head - tail,
                    inserted: Array(other[head..<other.count - tail]))
            }
        }
    }

    /// Bytes at the beginning and at the end that are the same pieces in memory.
    private func sharedEnds(with text: JSONText) -> (head: Int, tail: Int) {
        guard case .rope(let base) = storage, case .rope(let other) = text.storage else { return (0, 0) }
        if base === other { return (count, 0) }
        let (baseLeaves, otherLeaves) = (base.leaves(), other.leaves())
        func shared(_ pairs: some Sequence<(RopeNode, RopeNode)>) -> Int {
            var bytes = 0
            for (first, second) in pairs {
                guard first === second else { break }
                bytes += first.count
            }
            return bytes
        }
        return (
            shared(zip(baseLeaves, otherLeaves)), shared(zip(baseLeaves.reversed(), otherLeaves.reversed()))
        )
    }
}

extension JSONText: Equatable {
    public static func == (left: JSONText, right: JSONText) -> Bool {
        switch (left.storage, right.storage) {
        case (.flat(let first), .flat(let second)): first == second
        case (.rope(let first), .rope(let second)) where first === second: true
        default: left.count == right.count && left.bytes == right.bytes
        }
    }
}

extension JSONText: CustomStringConvertible {
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension JSONText {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(count)
        append(to: &writer.bytes)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(try reader.readBytes())
    }
}
