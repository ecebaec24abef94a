import Binary
import Raft

extension Command {
    enum Kind: UInt8 {
        case register = 1
        case fence = 2
        case bury = 3
        case appoint = 4
        case assign = 5
        case yield = 6
        case recordReplicas = 7
        case reportLost = 8
        case planSplit = 9
        case split = 10
        case planMerge = 11
        case merge = 12
        case cancelPlan = 13
        case setStanding = 14
        case removeNode = 15
        case setLeaseDuration = 16
        case settleLeaseDuration = 17
        case setClockDrift = 18
        case setReadMode = 19
        case setReplacement = 20
        case setReplicasPerShard = 21
        case createProject = 32
        case createKey = 33
        case revokeKey = 34
        case setClass = 35
        case addSigningKey = 36
        case setAdmin = 37
        case setQuota = 38
        case setObjectLimits = 39
        /// A key with what keys of 0.3.0 did not have.
        case createScopedKey = 40
        case createAdministrator = 41
        case revokeAdministrator = 42
        case rotateKey = 43
        case setOrigins = 44
        case setAuditRetention = 45
        case audited = 46
        case removeNodeAt = 47
    }
}

extension Command: BinaryCoded {
    /// Version 2 has more kinds, and registers a node under a name that is its own.
    static let formatVersion: UInt8 = 2
    static let firstFormatVersion: UInt8 = 1

    public func encode(into writer: inout ByteWriter) {
        writer.write(isOfFirstFormat ? Self.firstFormatVersion : Self.formatVersion)
        if !encodeOwnership(into: &writer), !encodeReplicas(into: &writer), !encodeDivision(into: &writer),
            !encodeSetting(into: &writer), !encodeAccess(into: &writer)
        {
            encodeTenancy(into: &writer)
        }
    }

    private var isOfFirstFormat: Bool {
        if case .register(let registration) = self { registration.isOfFirstFormat } else { false }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self = try Self.read(from: &reader, isAudited: false)
    }

    /// - Parameter isAudited: within another command; there is one level of that.
    static func read(from reader: inout ByteReader, isAudited: Bool) throws(DecodingFailure) -> Command {
        let version = try reader.readUInt8()
        guard version == Self.firstFormatVersion || version == Self.formatVersion else {
            throw DecodingFailure("a placement command has version \(version), not 1 or \(Self.formatVersion)")
        }
        guard let kind = Kind(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown kind of placement command")
        }
        switch kind {
        case .register:
            var registration = try Registration(from: &reader)
            registration.isOfFirstFormat = version == Self.firstFormatVersion
            return .register(registration)
        case .fence, .bury, .appoint, .assign, .yield:
            return try Self.readOwnership(kind, from: &reader)
        case .recordReplicas, .reportLost, .setStanding, .removeNode, .removeNodeAt:
            return try Self.readReplicas(kind, from: &reader)
        case .planSplit, .split, .planMerge, .merge, .cancelPlan:
            return try Self.readDivision(kind, from: &reader)
        case .setLeaseDuration, .settleLeaseDuration, .setClockDrift, .setReadMode, .setReplacement,
            .setReplicasPerShard:
            return try Self.readSetting(kind, from: &reader)
        case .createProject, .createKey, .revokeKey, .setClass, .addSigningKey, .setAdmin, .setQuota,
            .setObjectLimits:
            return try Self.readTenancy(kind, from: &reader)
        case .createScopedKey, .createAdministrator, .revokeAdministrator, .rotateKey, .setOrigins,
            .setAuditRetention:
            return try Self.readAccess(kind, from: &reader)
        case .audited:
            guard !isAudited else { throw DecodingFailure("an audited command within another") }
            return try Self.readAudited(from: &reader)
        }
    }

    private func encodeOwnership(into writer: inout ByteWriter) -> Bool {
        switch self {
        case .register(let registration):
            writer.write(Kind.register.rawValue)
            writer.write(registration)
        case .fence(let process, let candidates, let cause):
            writer.write(Kind.fence.rawValue)
            writer.write(process)
            writer.writeAll(candidates)
            writer.write(cause.rawValue)
        case .bury(let node, let nonce, let candidates):
            writer.write(Kind.bury.rawValue)
            writer.write(node.rawValue)
            writer.write(nonce)
            writer.writeAll(candidates)
        case .appoint(let candidates):
            writer.write(Kind.appoint.rawValue)
            writer.writeAll(candidates)
        case .assign(let shard, let expected, let proposer, let target):
            writer.write(Kind.assign.rawValue)
            writer.writeHolding(shard, expected, proposer)
            writer.write(target)
        case .yield(let shard, let expected, let proposer, let reached):
            writer.write(Kind.yield.rawValue)
            writer.writeHolding(shard, expected, proposer)
            writer.writeArray(reached) { $0.write($1.rawValue) }
        default:
            return false
        }
        return true
    }

    private func encodeSetting(into writer: inout ByteWriter) -> Bool {
        switch self {
        case .setLeaseDuration(let milliseconds):
            writer.write(Kind.setLeaseDuration.rawValue)
            writer.writeVariable(milliseconds)
        case .settleLeaseDuration(let revision):
            writer.write(Kind.settleLeaseDuration.rawValue)
            writer.writeVariable(revision)
        case .setClockDrift(let perMille):
            writer.write(Kind.setClockDrift.rawValue)
            writer.writeVariable(perMille)
        case .setReadMode(let mode):
            writer.write(Kind.setReadMode.rawValue)
            writer.write(mode)
        case .setReplacement(let afterMs):
            writer.write(Kind.setReplacement.rawValue)
            writer.writeVariable(afterMs)
        case .setReplicasPerShard(let count):
            writer.write(Kind.setReplicasPerShard.rawValue)
            writer.writeVariable(count)
        default:
            return false
        }
        return true
    }

    private func encodeTenancy(into writer: inout ByteWriter) {
        switch self {
        case .createProject(let id, let createdAtMs):
            writer.write(Kind.createProject.rawValue)
            writer.writeString(id)
            writer.writeVariable(createdAtMs)
        case .createKey(let key):
            writer.write(Kind.createKey.rawValue)
            writer.write(key)
        case .revokeKey(let project, let keyID):
            writer.write(Kind.revokeKey.rawValue)
            writer.writeString(project)
            writer.writeString(keyID)
        case .setClass(let project, let name, let settings):
            writer.write(Kind.setClass.rawValue)
            writer.writeString(project)
            writer.writeString(name)
            writer.write(settings)
        case .addSigningKey(let key):
            writer.write(Kind.addSigningKey.rawValue)
            writer.write(key)
        case .setAdmin(let credential):
            writer.write(Kind.setAdmin.rawValue)
            writer.write(credential)
        case .setQuota(let project, let quota):
            writer.write(Kind.setQuota.rawValue)
            writer.writeString(project)
            writer.write(quota)
        case .setObjectLimits(let limits):
            writer.write(Kind.setObjectLimits.rawValue)
            writer.write(limits)
        default:
            preconditionFailure("a command without an encoding")
        }
    }

    private static func readOwnership(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure)
        -> Command
    {
        switch kind {
        case .fence:
            let process = try NodeProcess(from: &reader)
            let candidates = try reader.readCandidates()
            guard let cause = FenceCause(rawValue: try reader.readUInt8()) else {
                throw DecodingFailure("an unknown cause of a fence")
            }
            return .fence(process, candidates: candidates, cause: cause)
        case .bury:
            let node = NodeID(rawValue: try reader.readUInt64())
            let nonce = try reader.readUInt64()
            return .bury(node: node, nonce: nonce, candidates: try reader.readCandidates())
        case .appoint:
            return .appoint(candidates: try reader.readCandidates())
        case .assign:
            let (shard, expected, proposer) = try reader.readHolding()
            let target = try NodeProcess(from: &reader)
            return .assign(shard, expected: expected, proposer: proposer, target: target)
        default:
            let (shard, expected, proposer) = try reader.readHolding()
            let reached = try reader.readNodes(limit: PlacementLimits.candidates)
            return .yield(shard, expected: expected, proposer: proposer, reached: reached)
        }
    }

    private static func readSetting(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure)
        -> Command
    {
        switch kind {
        case .setLeaseDuration: .setLeaseDuration(milliseconds: try reader.readVariable())
        case .settleLeaseDuration: .settleLeaseDuration(revision: try reader.readVariable())
        case .setClockDrift: .setClockDrift(perMille: try reader.readVariable())
        case .setReadMode: .setReadMode(try ReadMode(from: &reader))
        case .setReplacement: .setReplacement(afterMs: try reader.readVariable())
        default: .setReplicasPerShard(try reader.readCount(limit: Int(UInt32.max)))
        }
    }

    private static func readTenancy(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure)
        -> Command
    {
        switch kind {
        case .createProject:
            let id = try reader.readText()
            return .createProject(id: id, createdAtMs: try reader.readVariable())
        case .createKey:
            return .createKey(try APIKey(from: &reader))
        case .revokeKey:
            let project = try reader.readText()
            return .revokeKey(project: project, keyID: try reader.readText())
        case .setClass:
            let project = try reader.readText()
            let name = try reader.readText()
            return .setClass(project: project, name: name, settings: try ClassSettings(from: &reader))
        case .addSigningKey:
            return .addSigningKey(try SigningKey(from: &reader))
        case .setQuota:
            let project = try reader.readText()
            return .setQuota(project: project, try Quota(from: &reader))
        case .setObjectLimits:
            return .setObjectLimits(try ObjectLimits(from: &reader))
        default:
            return .setAdmin(try Credential(from: &reader))
        }
    }
}

extension ByteWriter {
    /// The three values by which an owner proves that it may give a shard away.
    mutating func writeHolding(_ shard: ShardID, _ expected: Epoch, _ proposer: NodeProcess) {
        write(shard)
        writeVariable(expected.rawValue)
        write(proposer)
    }
}

extension ByteReader {
    mutating func readHolding() throws(DecodingFailure) -> (ShardID, Epoch, NodeProcess) {
        let shard = try ShardID(from: &self)
        let expected = Epoch(rawValue: try readVariable())
        return (shard, expected, try NodeProcess(from: &self))
    }

    fileprivate mutating func readCandidates() throws(DecodingFailure) -> [NodeProcess] {
        try readAll(limit: PlacementLimits.candidates)
    }

    fileprivate mutating func readText() throws(DecodingFailure) -> String {
        try readString(limit: PlacementLimits.decodedBytes)
    }
}

extension ProposalEnvelope: BinaryCoded {
    static let formatVersion: UInt8 = 1

    public func encode(into writer: inout ByteWriter) {
        writer.write(Self.formatVersion)
        writer.write(id.node)
        writer.write(id.counter)
        writer.write(command)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        id = try Self.readID(from: &reader)
        command = try Command(from: &reader)
    }

    /// Whose proposal an entry's payload is, without reading the command; nil if it is none.
    public static func id(of payload: [UInt8]) -> ProposalID? {
        var reader = ByteReader(payload)
        return try? readID(from: &reader)
    }

    private static func readID(from reader: inout ByteReader) throws(DecodingFailure) -> ProposalID {
        try reader.readVersion(formatVersion, of: "a proposal")
        let node = try reader.readUInt64()
        return ProposalID(node: node, counter: try reader.readUInt64())
    }
}
