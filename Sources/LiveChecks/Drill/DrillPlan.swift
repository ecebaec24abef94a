import Simulation

/// What the clients of a drill do with its one object: they count, and push values that nobody pushes twice.
public struct DrillPlan: Sendable {
    /// A list is left for a fresh one at this length, so that answers stay small.
    private static let listLengthMax: UInt64 = 100

    public let object: String
    private var turn: UInt64 = 0

    public init(object: String) { self.object = object }

    public mutating func next() -> LiveCall {
        turn += 1
        switch turn % 5 {
        case 0: return LiveCall(object: object, item: "counter", call: .read)
        case 1, 3: return LiveCall(object: object, item: "counter", call: .increment(by: 1))
        default: return LiveCall(object: object, item: "list-\(turn / Self.listLengthMax)", call: .push(turn))
        }
    }

    /// All items that were written.
    public var items: [String] { ["counter"] + (0...turn / Self.listLengthMax).map { "list-\($0)" } }
}
