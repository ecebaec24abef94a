/// Who a data directory belongs to.
public struct NodeIdentity: Equatable, Sendable {
    /// Random, drawn when the directory was made. Another disk is another number (O9).
    public var node: UInt64
    public var name: String
    /// 0 until the node is part of a cluster.
    public var cluster: UInt64

    public init(node: UInt64, name: String, cluster: UInt64 = 0) {
        self.node = node
        self.name = name
        self.cluster = cluster
    }

    public static let maximumNameBytes = 128

    /// A name is 1 to 128 bytes of UTF-8 without control characters and without spaces at its ends.
    static func isValid(name: String) -> Bool {
        guard (1...maximumNameBytes).contains(name.utf8.count) else { return false }
        guard name.utf8.first != UInt8(ascii: " "), name.utf8.last != UInt8(ascii: " ") else { return false }
        return name.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }

    private static let title = "holdfast identity 1"

    /// Lines of text, the last one a checksum of those before it.
    func encode() -> [UInt8] {
        let text = """
            \(Self.title)
            node = \(Self.hexadecimal(node))
            name = \(name)
            cluster = \(Self.hexadecimal(cluster))

            """
        let checksum = UInt64(Checksum.of([UInt8](text.utf8)))
        return [UInt8]((text + "checksum = \(Self.hexadecimal(checksum))\n").utf8)
    }

    /// Nil unless `bytes` are exactly what `encode` makes of some identity.
    init?(decoding bytes: [UInt8]) {
        guard bytes.count <= 4096, let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 6,
            let node = Self.value(lines[1], key: "node").flatMap({ UInt64($0, radix: 16) }),
            let name = Self.value(lines[2], key: "name"), Self.isValid(name: name),
            let cluster = Self.value(lines[3], key: "cluster").flatMap({ UInt64($0, radix: 16) })
        else { return nil }
        self.init(node: node, name: name, cluster: cluster)
        // Covers the title, the checksum and every way to write the same thing differently.
        guard encode() == bytes else { return nil }
    }

    private static func value(_ line: Substring, key: String) -> String? {
        let start = key + " = "
        return line.hasPrefix(start) ? String(line.dropFirst(start.count)) : nil
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
