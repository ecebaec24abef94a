import Simulation

/// Eight places, each of which names the next, all in one circle; and a stamp that makes the value unique. It is one
/// number on the wire, so that to every other checker it is a register's value.
struct Ring: Equatable {
    static let places = 8
    private static let bitsPerPlace: UInt64 = 3
    private static let ringBits: UInt64 = 24

    private(set) var next: [Int]
    var stamp: UInt64

    static func first(stamp: UInt64) -> Ring { Ring(next: (0..<places).map { ($0 + 1) % places }, stamp: stamp) }

    private init(next: [Int], stamp: UInt64) {
        self.next = next
        self.stamp = stamp
    }

    init(_ value: UInt64) {
        next = (0..<Self.places).map { Int(value >> (UInt64($0) * Self.bitsPerPlace) & 7) }
        stamp = value >> Self.ringBits
    }

    var value: UInt64 {
        next.enumerated().reduce(stamp << Self.ringBits) { word, place in
            word | UInt64(place.element) << (UInt64(place.offset) * Self.bitsPerPlace)
        }
    }

    /// Who goes from place to place meets all of them.
    var isWhole: Bool {
        var seen: Set<Int> = []
        var place = 0
        for _ in 0..<Self.places {
            guard seen.insert(place).inserted else { return false }
            place = next[place]
        }
        return place == 0
    }

    /// The two places behind `place` change theirs.
    func turned(at place: Int, stamp: UInt64) -> Ring {
        let (one, other) = (next[place], next[next[place]])
        var ring = Ring(next: next, stamp: stamp)
        ring.next[place] = other
        ring.next[one] = next[other]
        ring.next[other] = one
        return ring
    }

    /// One turn leads from `before` to this.
    func isTurn(of before: Ring) -> Bool {
        (0..<Self.places).contains { before.turned(at: $0, stamp: stamp) == self }
    }
}
