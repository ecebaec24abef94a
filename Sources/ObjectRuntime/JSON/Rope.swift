/// A long byte string as a balanced tree of immutable pieces. An edit makes a new tree that shares
/// all but the pieces it touches and the path above them, so old and new versions live side by side
/// for about two kilobytes each.
///
/// Joining and splitting follow the join-based balanced trees of Blelloch, Ferizovic and Sun (2016)
/// with the balance rule of AVL trees.
final class RopeNode: Sendable {
    /// A leaf takes at most this much; neighbours that fit into one are merged when they meet.
    static let leafLimitBytes = 1024

    let count: Int
    let height: Int
    let bytes: [UInt8]
    let left: RopeNode?
    let right: RopeNode?

    init(leaf bytes: [UInt8]) {
        count = bytes.count
        height = 0
        self.bytes = bytes
        left = nil
        right = nil
    }

    init(_ left: RopeNode, _ right: RopeNode) {
        count = left.count + right.count
        height = max(left.height, right.height) + 1
        bytes = []
        self.left = left
        self.right = right
    }

    /// A perfectly balanced tree of full leaves.
    static func build(_ bytes: ArraySlice<UInt8>) -> RopeNode? {
        if bytes.isEmpty { return nil }
        if bytes.count <= leafLimitBytes { return RopeNode(leaf: Array(bytes)) }
        let leaves = (bytes.count + leafLimitBytes - 1) / leafLimitBytes
        let middle = bytes.startIndex + (leaves / 2) * leafLimitBytes
        guard let left = build(bytes[..<middle]), let right = build(bytes[middle...]) else { return nil }
        return RopeNode(left, right)
    }

    /// Both strings, one after the other. Leaves that meet are merged if they fit into one, so that
    /// many small edits do not leave many small leaves.
    static func concatenate(_ left: RopeNode?, _ right: RopeNode?) -> RopeNode? {
        guard let left else { return right }
        guard let right else { return left }
        let meeting = (left.edgeLeaf(last: true), right.edgeLeaf(last: false))
        guard left.height > 0, right.height > 0, meeting.0.count + meeting.1.count <= leafLimitBytes else {
            return join(left, right)
        }
        let merged = RopeNode(leaf: meeting.0.bytes + meeting.1.bytes)
        let before = split(left, at: left.count - meeting.0.count).0
        let after = split(right, at: meeting.1.count).1
        let start = before.map { join($0, merged) } ?? merged
        return after.map { join(start, $0) } ?? start
    }

    private func edgeLeaf(last: Bool) -> RopeNode {
        var node = self
        while let next = last ? node.right : node.left { node = next }
        return node
    }

    private static func join(_ left: RopeNode, _ right: RopeNode) -> RopeNode {
        if left.height == 0, right.height == 0, left.count + right.count <= leafLimitBytes {
            return RopeNode(leaf: left.bytes + right.bytes)
        }
        if left.height > right.height + 1 || (left.height > 0 && right.height == 0),
            let inner = left.left, let outer = left.right
        {
            return balanced(inner, join(outer, right))
        }
        if right.height > left.height + 1 || (right.height > 0 && left.height == 0),
            let outer = right.left, let inner = right.right
        {
            return balanced(join(left, outer), inner)
        }
        return RopeNode(left, right)
    }

    /// A node over two trees whose heights differ by at most two.
    private static func balanced(_ left: RopeNode, _ right: RopeNode) -> RopeNode {
        if left.height > right.height + 1, let outer = left.left, let inner = left.right {
            if inner.height > outer.height, let innerLeft = inner.left, let innerRight = inner.right {
                return RopeNode(RopeNode(outer, innerLeft), RopeNode(innerRight, right))
            }
            return RopeNode(outer, RopeNode(inner, right))
        }
        if right.height > left.height + 1, let inner = right.left, let outer = right.right {
            if inner.height > outer.height, let innerLeft = inner.left, let innerRight = inner.right {
                return RopeNode(RopeNode(left, innerLeft), RopeNode(innerRight, outer))
            }
            return RopeNode(RopeNode(left, inner), outer)
        }
        return RopeNode(left, right)
    }

    /// The string before and from `offset` on.
    static func split(_ node: RopeNode?, at offset: Int) -> (RopeNode?, RopeNode?) {
        guard let node else { return (nil, nil) }
        if offset <= 0 { return (nil, node) }
        if offset >= node.count { return (node, nil) }
        guard let left = node.left, let right = node.right else {
            return (
                RopeNode(leaf: Array(node.bytes[..<offset])), RopeNode(leaf: Array(node.bytes[offset...]))
            )
        }
        if offset < left.count {
            let (before, after) = split(left, at: offset)
            return (before, after.map { join($0, right) } ?? right)
        }
        let (before, after) = split(right, at: offset - left.count)
        return (before.map { join(left, $0) } ?? left, after)
    }

    /// The pieces from left to right.
    func leaves() -> [RopeNode] {
        var result: [RopeNode] = []
        var pending = [self]
        while let node = pending.popLast() {
            if let left = node.left, let right = node.right {
                pending.append(right)
                pending.append(left)
            } else {
                result.append(node)
            }
        }
        return result
    }

    func append(to output: inout [UInt8]) {
        if let left, let right {
            left.append(to: &output)
            right.append(to: &output)
        } else {
            output += bytes
        }
    }

    subscript(offset: Int) -> UInt8 {
        var node = self
        var rest = offset
        while let left = node.left, let right = node.right {
            if rest < left.count {
                node = left
            } else {
                rest -= left.count
                node = right
            }
        }
        return node.bytes[rest]
    }
}
