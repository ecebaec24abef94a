/// Text compared byte for byte. Swift's own comparison follows Unicode tables, which differ between
/// releases; replicas must agree whatever they were built with.
struct ExactText: Comparable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    static func < (left: ExactText, right: ExactText) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

/// Names of nodes, projects and API keys: they stand in paths, headers and tables without escapes.
func isPlainName(_ text: String) -> Bool {
    let bytes = text.utf8
    guard let first = bytes.first, bytes.count <= PlacementLimits.nameBytes else { return false }
    return isLetterOrDigit(first) && bytes.allSatisfy { isLetterOrDigit($0) || "-_.".utf8.contains($0) }
}

func isAddress(_ text: String) -> Bool {
    (1...PlacementLimits.addressBytes).contains(text.utf8.count)
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default:
        false
    }
}
