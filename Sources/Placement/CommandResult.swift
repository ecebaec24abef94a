import Binary

/// What applying a command did. The same on every node; travels back to the proposer.
public enum CommandResult: Sendable, Equatable {
    /// No effect, for this reason. Trying the same command again may give another answer.
    case refused(CommandRefusal)
    /// The state is now as the command wants it, whether or not it was so before.
    case done
    case registered(NodeProcess)
    /// The process is fenced; so many shards were taken from it now (0 if it was fenced before).
    case fenced(NodeProcess, shards: Int)
    /// The run that the nonce names is over or was never registered; it never will be.
    case barred
    /// So many shards got an owner.
    case appointed(shards: Int)
    /// The shard has this owner, or none, from this epoch on.
    case moved(ShardID, epoch: Epoch, owner: NodeProcess?)
    /// This plan stands; its shard's owner is asked to carry it out.
    case planned(ShardPlan)
}

/// Why a command had no effect.
public enum CommandRefusal: UInt8, Sendable, CaseIterable {
    /// The payload is of no known version and kind, or damaged.
    case malformed = 1
    case unknownShard = 2
    /// The shard's epoch is not the expected one (O1).
    case epochMoved = 3
    /// The proposer does not own the shard (O1).
    case notOwner = 4
    /// No process was ever registered under this name.
    case unknownProcess = 5
    /// The target is fenced, or an earlier run of its node.
    case targetNotLive = 6
    /// The target keeps no log of the shard.
    case targetNotReplica = 7
    /// The run is over: an obituary or a fence came before its registration (O7).
    case runIsOver = 8
    case limitReached = 9
    case outOfRange = 10
    /// The settings have changed since the command was made.
    case revisionMoved = 11
    /// A name, key or setting breaks the rules for such values.
    case invalidValue = 12
    case unknownProject = 13
    case unknownKey = 14
    /// Something else exists under the same name.
    case conflict = 15
    /// A newer report of the shard's configuration is known, or the membership is not the present one.
    case configurationMoved = 16
    /// No node has registered under this id.
    case unknownNode = 17
    /// The node was removed; its id is not accepted again.
    case nodeRemoved = 18
    /// Another node has taken this one's name.
    case nodeReplaced = 19
    /// A live process of another node goes by this name.
    case nameInUse = 20
    /// The node keeps replicas or owns shards.
    case nodeInUse = 21
    /// The node has a process that is not over, and is not being drained.
    case nodeIsLive = 22
    /// The shard has another plan.
    case planned = 23
    case noSuchPlan = 24
    /// Not neighbours of one home with one owner and the same replicas, or a change is under way.
    case unfitForMerge = 25
    /// No administrator has this name.
    case unknownAdministrator = 26
    /// Without the node's vote the placement group could decide nothing any more.
    case voteNeeded = 27

    /// For people, without a full stop.
    public var text: String {
        switch self {
        case .malformed: "the command cannot be read by this version"
        case .unknownShard: "there is no such shard"
        case .epochMoved: "the shard has changed hands meanwhile"
        case .notOwner: "only its owner may do this to a shard"
        case .unknownProcess: "no such process was ever registered"
        case .targetNotLive: "the process is over, or its node runs a newer one"
        case .targetNotReplica: "the node keeps no usable log of the shard"
        case .runIsOver: "this run of the node is over"
        case .limitReached: "the cluster keeps no more of these"
        case .outOfRange: "the value is out of its bounds"
        case .revisionMoved: "the settings have changed meanwhile"
        case .invalidValue: "the value breaks the rules for such values"
        case .unknownProject: "there is no such project"
        case .unknownKey: "there is no such key"
        case .conflict: "something else exists under the same name"
        case .configurationMoved: "a newer configuration of the shard is recorded"
        case .unknownNode: "there is no such node"
        case .nodeRemoved: "this node was removed from the cluster; start it with an empty data directory"
        case .nodeReplaced: "another node has taken this node's name; give it another, or an empty data directory"
        case .nameInUse: "a running node has this name"
        case .nodeInUse: "the node still keeps replicas or owns shards: drain it first"
        case .nodeIsLive: "the node is running and not being drained"
        case .planned: "another change of the shard is planned"
        case .noSuchPlan: "the plan does not stand any more"
        case .unfitForMerge:
            "only settled neighbours of one home with the same owner and replicas can be merged"
        case .voteNeeded: "the placement group needs the node's vote, for too few others are live"
        case .unknownAdministrator: "there is no administrator of this name"
        }
    }
}

extension CommandResult: BinaryCoded {
    static let formatVersion: UInt8 = 1

    public func encode(into writer: inout ByteWriter) {
        writer.write(Self.formatVersion)
        switch self {
        case .refused(let refusal):
            writer.write(UInt8(0))
            writer.write(refusal.rawValue)
        case .done:
            writer.write(UInt8(1))
        case .registered(let process):
            writer.write(UInt8(2))
            writer.write(process)
        case .fenced(let process, let shards):
            writer.write(UInt8(3))
            writer.write(process)
            writer.writeVariable(shards)
        case .barred:
            writer.write(UInt8(4))
        case .appointed(let shards):
            writer.write(UInt8(5))
            writer.writeVariable(shards)
        case .moved(let shard, let epoch, let owner):
            writer.write(UInt8(6))
            writer.write(shard)
            writer.writeVariable(epoch.rawValue)
            writer.writePresent(owner)
        case .planned(let plan):
            writer.write(UInt8(7))
            writer.write(plan)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        try reader.readVersion(Self.formatVersion, of: "a command's result")
        switch try reader.readUInt8() {
        case 0:
            self = .refused(try CommandRefusal(from: &reader))
        case 1:
            self = .done
        case 2:
            self = .registered(try NodeProcess(from: &reader))
        case 3:
            let process = try NodeProcess(from: &reader)
            self = .fenced(process, shards: try reader.readCount(limit: PlacementLimits.shards))
        case 4:
            self = .barred
        case 5:
            self = .appointed(shards: try reader.readCount(limit: PlacementLimits.shards))
        case 6:
            let shard = try ShardID(from: &reader)
            let epoch = Epoch(rawValue: try reader.readVariable())
            self = .moved(shard, epoch: epoch, owner: try reader.readPresent())
        case 7:
            self = .planned(try ShardPlan(from: &reader))
        default:
            throw DecodingFailure("an unknown kind of result")
        }
    }
}

extension CommandRefusal: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        guard let refusal = CommandRefusal(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown refusal")
        }
        self = refusal
    }
}
