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
            writer.writeVariable(UInt64(shard.rawValue))
            writer.writeVariable(epoch.rawValue)
            writer.writePresent(owner)
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
            let shard = ShardID(rawValue: UInt32(try reader.readCount(limit: Int(UInt32.max))))
            let epoch = Epoch(rawValue: try reader.readVariable())
            self = .moved(shard, epoch: epoch, owner: try reader.readPresent())
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
