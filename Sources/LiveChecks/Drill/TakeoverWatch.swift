import HoldfastClient

/// A shard as the placement table has it.
public struct ShardView: Sendable, Equatable {
    public var name: String
    public var epoch: UInt64
    public var owner: String?
    /// Why the owner has it.
    public var cause: String?
    /// How long nobody served it before this epoch, as the nodes tell it afterwards.
    public var pauseMs: Int?

    public init(name: String, epoch: UInt64, owner: String?, cause: String? = nil, pauseMs: Int? = nil) {
        self.name = name
        self.epoch = epoch
        self.owner = owner
        self.cause = cause
        self.pauseMs = pauseMs
    }

    /// `nil` if `json` is not what `explain` answers.
    public init?(_ json: JSON) {
        guard let name = json["name"]?.text, let epoch = json["epoch"].flatMap(UInt64.init(json:)) else { return nil }
        self.init(
            name: name, epoch: epoch, owner: json["owner"]?.text, cause: json["cause"]?.text,
            pauseMs: json["history"]?.elements?.first?["pauseMs"]?.int)
    }
}

/// When what became known after an owner's death. Times count from the kill.
public struct TakeoverWatch: Sendable {
    public let epoch: UInt64
    public let killedNs: UInt64
    /// The table has ended the dead owner's epoch.
    public private(set) var detectedNs: UInt64?
    /// The table names the next owner.
    public private(set) var takenOverNs: UInt64?
    /// A write was acknowledged under a higher epoch than the dead owner's.
    public private(set) var firstAnswerNs: UInt64?
    /// As the table had it last.
    public private(set) var successor: ShardView?

    /// - Parameter epoch: that of the owner that is killed.
    public init(epoch: UInt64, killedNs: UInt64) {
        self.epoch = epoch
        self.killedNs = killedNs
    }

    public mutating func see(_ shard: ShardView, atNs now: UInt64) {
        guard shard.epoch > epoch, now >= killedNs else { return }
        if detectedNs == nil { detectedNs = now - killedNs }
        guard shard.owner != nil else { return }
        if takenOverNs == nil { takenOverNs = now - killedNs }
        successor = shard
    }

    public mutating func see(_ record: LiveRecord) {
        guard firstAnswerNs == nil, record.isAnswered, record.operation.call != .read, let place = record.place,
            place.epoch > epoch, !place.isReplay, let now = record.operation.returnedNs, now >= killedNs
        else { return }
        firstAnswerNs = now - killedNs
    }

    public var isOver: Bool { takenOverNs != nil && firstAnswerNs != nil }
}
