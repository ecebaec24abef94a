/// What a run is made from: a seed, how long its faulty phase lasts, and what is left out of all that the seed draws.
/// Its text is what the command line takes, so that every run can be had again.
public struct Recipe: Hashable, Sendable, CustomStringConvertible {
    public var seed: UInt64
    /// Virtual milliseconds of the phase with faults.
    public var milliseconds: UInt64
    /// Another course of chance under the same circumstances and misfortunes.
    public var luck: UInt64 = 0
    /// Kinds of misfortunes and circumstances that are switched off, by name.
    public var without: Set<String> = []
    /// Misfortunes that do not happen, by their number in the schedule.
    public var skipped: Set<Int> = []
    /// How much there is at most of what, by name.
    public var atMost: [String: Int] = [:]

    public init(seed: UInt64, seconds: Double = 20) {
        self.seed = seed
        milliseconds = UInt64((seconds * 1_000).rounded())
    }

    /// All that `without` knows.
    public static let omissions = Circumstance.allCases.map(\.rawValue) + FaultInjector.Kind.allCases.map(\.rawValue)
    /// All that `atMost` knows.
    public static let quantities = Quantity.allCases.map(\.rawValue)

    /// Options of `holdfast simulate`, in one order.
    public var description: String { arguments.joined(separator: " ") }

    public var arguments: [String] {
        var words = ["--seed", "\(seed)", "--seconds", secondsText]
        if luck > 0 { words += ["--luck", "\(luck)"] }
        if !without.isEmpty { words += ["--without", without.sorted().joined(separator: ",")] }
        if !skipped.isEmpty { words += ["--skip-misfortunes", NumberList.text(skipped)] }
        if !atMost.isEmpty {
            let limits = atMost.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            words += ["--at-most", limits.joined(separator: ",")]
        }
        return words
    }

    var secondsText: String {
        let thousandths = String(milliseconds % 1_000 + 1_000).dropFirst()
        return milliseconds % 1_000 == 0 ? "\(milliseconds / 1_000)" : "\(milliseconds / 1_000).\(thousandths)"
    }
}

extension Swarm {
    /// All that the seed draws, and then what the recipe takes away from it.
    init(recipe: Recipe) {
        self.init(seed: recipe.seed, safetyNs: recipe.milliseconds * 1_000_000)
        luck = recipe.luck
        for circumstance in Circumstance.allCases where recipe.without.contains(circumstance.rawValue) {
            circumstance.switchOff(in: &self)
        }
        faults.omitted = Set(recipe.without.compactMap(FaultInjector.Kind.init))
        faults.skipped = recipe.skipped
        for quantity in Quantity.allCases {
            if let most = recipe.atMost[quantity.rawValue] { quantity.limit(&self, to: most) }
        }
    }

    mutating func limitMachines(to count: Int) {
        machines = count
        founders = founders.map { min($0, count) }
    }
}

/// Numbers with their neighbours put together: `0-3,7`.
public enum NumberList {
    public static func text(_ numbers: Set<Int>) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in numbers.sorted() {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        let texts = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        return texts.joined(separator: ",")
    }

    /// Nil if it is no such list, or one of more than a million numbers.
    public static func numbers(in text: String) -> Set<Int>? {
        var numbers: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first >= 0,
                last >= first, last < 1_000_000
            else { return nil }
            numbers.formUnion(first...last)
        }
        return numbers
    }
}
