import HoldfastClient

/// Who was named as owner of an object at which epoch: one epoch has one owner.
public struct OwnerBook: Sendable {
    /// Older epochs of an object are forgotten.
    private static let epochsKept = 16

    private var owners: [String: [UInt64: String]] = [:]

    public init() {}

    /// A complaint, if another node was named before. A replay tells an old epoch beside the owner of today.
    public mutating func note(_ place: AnswerPlace, of object: String) -> String? {
        guard !place.isReplay else { return nil }
        guard !place.owner.isEmpty else { return "an answer that names no owner" }
        if let before = owners[object]?[place.epoch] {
            return before == place.owner ? nil : "epoch \(place.epoch) has two owners, \(before) and \(place.owner)"
        }
        owners[object, default: [:]][place.epoch] = place.owner
        if let known = owners[object], known.count > Self.epochsKept, let oldest = known.keys.min() {
            owners[object]?[oldest] = nil
        }
        return nil
    }
}
