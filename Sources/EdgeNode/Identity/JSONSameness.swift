// When two JSON values mean the same, for proofs: to the byte where texts are compared.

extension JSONInput {
    /// Numbers are compared as doubles, objects regardless of the order of their members.
    func isSame(as other: JSONInput) -> Bool {
        switch (self, other) {
        case (.string(let left), .string(let right)): isSameText(left, right)
        case (.number(let left), .number(let right)): left == right && left.isFinite
        case (.boolean(let left), .boolean(let right)): left == right
        case (.null, .null): true
        case (.array(let left), .array(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
        case (.object(let left), .object(let right)): isSameObject(left, right)
        default: false
        }
    }
}

/// Not `==`, for which composed and decomposed letters are equal. Texts with a replacement character
/// are never the same: it stands for anything that is no Unicode.
func isSameText(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8) && isExactText(left)
}

/// Whether nothing of the text was lost when it was read.
func isExactText(_ text: String) -> Bool {
    !text.unicodeScalars.contains("\u{FFFD}")
}

/// An object that names a member twice is the same as no other: readers disagree about its meaning.
private func isSameObject(_ left: [JSONInput.Member], _ right: [JSONInput.Member]) -> Bool {
    guard left.count == right.count, let members = distinct(left), let others = distinct(right) else {
        return false
    }
    return members.allSatisfy { name, value in others[name]?.isSame(as: value) ?? false }
}

private func distinct(_ list: [JSONInput.Member]) -> [[UInt8]: JSONInput]? {
    var members: [[UInt8]: JSONInput] = [:]
    for member in list {
        guard members.updateValue(member.value, forKey: Array(member.name.utf8)) == nil else { return nil }
    }
    return members
}
