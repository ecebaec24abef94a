import Binary
import ObjectRuntime
import Placement

// What a restore sends to a cluster.

/// One part of one object, named as clients name it: the key is another one in each cluster.
public struct RestoredPart: Sendable, Equatable {
    public var project: String
    public var objectClass: String
    public var id: String
    public var part: Restoration

    public init(project: String, objectClass: String, id: String, part: Restoration) {
        self.project = project
        self.objectClass = objectClass
        self.id = id
        self.part = part
    }

    public func encode(into writer: inout ByteWriter) {
        writer.writeString(project)
        writer.writeString(objectClass)
        writer.writeString(id)
        part.encode(into: &writer)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        project = try reader.readString(limit: 1 << 10)
        objectClass = try reader.readString(limit: 1 << 10)
        id = try reader.readString(limit: 1 << 10)
        part = try Restoration(from: &reader)
    }
}

/// The body of a call: a version, a count, and so many of them.
public enum RestoreBody {
    static let version: UInt8 = 1
    /// More in one call would wait for each other.
    public static let partsMax = 512
    public static let commandsMax = 512

    public static func encode(_ parts: [RestoredPart]) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(version)
        writer.writeArray(parts) { $1.encode(into: &$0) }
        return writer.bytes
    }

    public static func encode(_ commands: [Command]) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(version)
        writer.writeArray(commands) { $1.encode(into: &$0) }
        return writer.bytes
    }

    public static func parts(_ bytes: [UInt8]) throws(DecodingFailure) -> [RestoredPart] {
        var reader = try begin(bytes)
        let parts = try reader.readArray { (reader) throws(DecodingFailure) in try RestoredPart(from: &reader) }
        try reader.finish()
        guard parts.count <= partsMax else { throw DecodingFailure("more than \(partsMax) parts in one call") }
        return parts
    }

    public static func commands(_ bytes: [UInt8]) throws(DecodingFailure) -> [Command] {
        var reader = try begin(bytes)
        let commands = try reader.readArray { (reader) throws(DecodingFailure) in try Command(from: &reader) }
        try reader.finish()
        guard commands.count <= commandsMax, commands.allSatisfy(\.isRestorable) else {
            throw DecodingFailure("too many commands in one call, or one that no restore gives")
        }
        return commands
    }

    private static func begin(_ bytes: [UInt8]) throws(DecodingFailure) -> ByteReader {
        var reader = ByteReader(bytes)
        guard try reader.readUInt8() == version else {
            throw DecodingFailure("what is restored is of an unknown version")
        }
        return reader
    }
}

extension Command {
    /// About tenants and limits: what a backup has of the placement state and another cluster can take.
    var isRestorable: Bool {
        switch self {
        case .createProject, .createKey, .revokeKey, .setClass, .setQuota, .setObjectLimits, .setReadMode,
            .setClockDrift, .setReplacement:
            true
        default: false
        }
    }
}
