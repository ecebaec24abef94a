/// The only source of chance in a simulation: xoshiro256** (Blackman and Vigna), filled from the seed
/// by SplitMix64. Whole numbers and basic floating-point operations only, so that every machine draws
/// the same numbers.
public struct SeededGenerator: Sendable {
    private var s0, s1, s2, s3: UInt64

    public init(seed: UInt64) {
        var state = seed
        s0 = SeededGenerator.splitMix(&state)
        s1 = SeededGenerator.splitMix(&state)
        s2 = SeededGenerator.splitMix(&state)
        s3 = SeededGenerator.splitMix(&state)
    }

    /// One step of SplitMix64: also useful to make unrelated numbers out of counters.
    public static func splitMix(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return scramble(state)
    }

    static func scramble(_ word: UInt64) -> UInt64 {
        var mixed = word
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    public mutating func next() -> UInt64 {
        let product = s1 &* 5
        let result = (product << 7 | product >> 57) &* 9
        let shifted = s1 << 17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= shifted
        s3 = s3 << 45 | s3 >> 19
        return result
    }

    /// A generator of its own for one part of the world, so that parts do not disturb each other.
    public mutating func split() -> SeededGenerator {
        SeededGenerator(seed: next())
    }

    /// A number in `0..<bound`; `bound` must not be 0.
    public mutating func below(_ bound: UInt64) -> UInt64 {
        precondition(bound > 0, "nothing lies below 0")
        return next().multipliedFullWidth(by: bound).high
    }

    public mutating func below(_ bound: Int) -> Int {
        Int(below(UInt64(bound)))
    }

    public mutating func within(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    public mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// A number in `0..<1` with 53 bits.
    public mutating func fraction() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    public mutating func chance(_ probability: Double) -> Bool {
        probability > 0 && fraction() < probability
    }

    public mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    /// Roughly exponential with the given mean: a piecewise-linear logarithm, because a machine's own
    /// `log` may differ in the last bit.
    public mutating func exponential(meanNs: UInt64) -> UInt64 {
        let word = next() | 1
        let halvings = Double(word.leadingZeroBitCount)
        let rest = Double((word << UInt64(word.leadingZeroBitCount)) << 1) * 0x1p-64
        return UInt64((halvings + 1 - rest) * 0.6931471805599453 * Double(meanNs))
    }

    public mutating func shuffle<Element>(_ elements: inout [Element]) {
        guard elements.count > 1 else { return }
        for last in stride(from: elements.count - 1, to: 0, by: -1) {
            elements.swapAt(last, below(last + 1))
        }
    }
}
