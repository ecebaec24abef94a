import Binary
import Raft

/// What a node process tells when it registers.
public struct Registration: Sendable, Equatable {
    public var node: NodeID
    /// Made by the parent for this one child, before the fork (O7).
    public var nonce: UInt64
    public var name: String
    public var peerAddress: String
    public var clientURL: String
    public var version: String
    /// From a journal of 0.2.0, which let several nodes go by one name. It keeps its effect, since
    /// snapshots of that time rest on it.
    var isOfFirstFormat = false

    public init(
        node: NodeID, nonce: UInt64, name: String, peerAddress: String, clientURL: String, version: String
    ) {
        self.node = node
        self.nonce = nonce
        self.name = name
        self.peerAddress = peerAddress
        self.clientURL = clientURL
        self.version = version
    }

    var isAcceptable: Bool {
        isPlainName(name) && isAddress(peerAddress) && isAddress(clientURL)
            && version.utf8.count <= PlacementLimits.labelBytes
    }
}

/// A run of a node together with the nonce that its parent gave it.
public struct Run: Sendable, Equatable {
    public let incarnation: Incarnation
    public let nonce: UInt64

    public init(incarnation: Incarnation, nonce: UInt64) {
        self.incarnation = incarnation
        self.nonce = nonce
    }
}

/// What a node is wanted for.
public enum NodeStanding: UInt8, Sendable, CaseIterable {
    case active = 1
    /// It shall own nothing and keep no replica: it is being emptied.
    case draining = 2
}

/// A node as the placement group knows it.
public struct NodeRecord: Sendable, Equatable {
    public let node: NodeID
    public internal(set) var name: String
    public internal(set) var peerAddress: String
    public internal(set) var clientURL: String
    public internal(set) var version: String
    /// The newest registered run: the only one whose links peers accept (O9).
    public internal(set) var newest: Run
    /// Whether the newest run is fenced.
    public internal(set) var isFenced: Bool
    /// Runs before the newest one that nobody has fenced yet, oldest first: a restart is no obituary
    /// of the run before it (O7), so such a run may still own shards.
    public internal(set) var older: [Run]
    /// Nonces of runs that are over, oldest first; a registration with one of them is refused.
    public internal(set) var graves: [UInt64]
    public internal(set) var standing = NodeStanding.active
    /// Another node has taken its name, as one with a new disk does: it is not coming back.
    public internal(set) var isReplaced = false

    public var incarnation: Incarnation { newest.incarnation }

    public var nonce: UInt64 { newest.nonce }

    /// The newest run, if it may be given shards.
    public var newestLive: NodeProcess? {
        isFenced ? nil : NodeProcess(node: node, incarnation: newest.incarnation)
    }

    /// All runs that are not fenced, oldest first.
    public var live: [Run] { isFenced ? older : older + [newest] }

    init(_ registration: Registration, incarnation: Incarnation, graves: [UInt64]) {
        node = registration.node
        name = registration.name
        peerAddress = registration.peerAddress
        clientURL = registration.clientURL
        version = registration.version
        newest = Run(incarnation: incarnation, nonce: registration.nonce)
        isFenced = false
        older = []
        self.graves = graves
    }

    /// A new run of the node: the one before stays as it is, fenced or not.
    mutating func begin(_ registration: Registration, incarnation: Incarnation) {
        if !isFenced { older.append(newest) }
        newest = Run(incarnation: incarnation, nonce: registration.nonce)
        isFenced = false
        name = registration.name
        peerAddress = registration.peerAddress
        clientURL = registration.clientURL
        version = registration.version
    }

    /// Ends a run for good.
    mutating func fence(_ run: Run) {
        if run.incarnation == newest.incarnation {
            isFenced = true
        } else {
            older.removeAll { $0.incarnation == run.incarnation }
        }
        dig(graveOf: run.nonce)
    }

    mutating func dig(graveOf nonce: UInt64) {
        if graves.contains(nonce) { return }
        if graves.count >= PlacementLimits.gravesPerNode { graves.removeFirst() }
        graves.append(nonce)
    }
}

extension Registration: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.write(nonce)
        writer.writeString(name)
        writer.writeString(peerAddress)
        writer.writeString(clientURL)
        writer.writeString(version)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        node = NodeID(rawValue: try reader.readUInt64())
        nonce = try reader.readUInt64()
        name = try reader.readString(limit: PlacementLimits.decodedBytes)
        peerAddress = try reader.readString(limit: PlacementLimits.decodedBytes)
        clientURL = try reader.readString(limit: PlacementLimits.decodedBytes)
        version = try reader.readString(limit: PlacementLimits.decodedBytes)
    }
}

extension Run: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(incarnation.rawValue)
        writer.write(nonce)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        incarnation = Incarnation(rawValue: try reader.readVariable())
        nonce = try reader.readUInt64()
    }
}

extension NodeRecord: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.writeString(name)
        writer.writeString(peerAddress)
        writer.writeString(clientURL)
        writer.writeString(version)
        writer.write(newest)
        writer.write(isFenced)
        writer.writeAll(older)
        writer.writeArray(graves) { $0.write($1) }
        writer.write(standing.rawValue)
        writer.write(isReplaced)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        try self.init(fromFirstFormat: &reader)
        guard let standing = NodeStanding(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown standing of a node")
        }
        self.standing = standing
        isReplaced = try reader.readBool()
    }

    /// As 0.2.0 wrote it.
    init(fromFirstFormat reader: inout ByteReader) throws(DecodingFailure) {
        node = NodeID(rawValue: try reader.readUInt64())
        name = try reader.readString(limit: PlacementLimits.decodedBytes)
        peerAddress = try reader.readString(limit: PlacementLimits.decodedBytes)
        clientURL = try reader.readString(limit: PlacementLimits.decodedBytes)
        version = try reader.readString(limit: PlacementLimits.decodedBytes)
        newest = try Run(from: &reader)
        isFenced = try reader.readBool()
        older = try reader.readAll(limit: PlacementLimits.unfencedRuns)
        graves = []
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.gravesPerNode)) {
            graves.append(try reader.readUInt64())
        }
        guard isStrictlyRising(older + [newest], by: { $0.incarnation < $1.incarnation }) else {
            throw DecodingFailure("the runs of a node are out of order")
        }
    }
}
