import Binary
import Raft

/// The whole state as bytes: what the placement group's snapshots carry.
extension PlacementState: BinaryCoded {
    /// Version 3 adds administrators, origins of projects, rights and versions of keys, the audit, and
    /// the names of removed nodes.
    static let formatVersion: UInt8 = 3

    public func encode(into writer: inout ByteWriter) {
        writer.write(Self.formatVersion)
        writer.write(genesis)
        writer.writeVariable(appliedIndex.rawValue)
        writer.write(registry)
        writer.write(table)
        writer.write(settings)
        writer.write(tenants)
        tenants.encodeAccess(into: &writer)
        writer.write(audit)
        registry.encodeRemovals(into: &writer)
    }

    /// Refuses bytes that would make a state in which an invariant is broken.
    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let version = try reader.readUInt8()
        guard (1...Self.formatVersion).contains(version) else {
            throw DecodingFailure("a placement snapshot has version \(version), not 1 to \(Self.formatVersion)")
        }
        let genesis = try Genesis(from: &reader)
        let index = LogIndex(rawValue: try reader.readVariable())
        let isOld = version == 1
        let registry = isOld ? try Registry(fromFirstFormat: &reader) : try Registry(from: &reader)
        let table = isOld ? try Table(fromFirstFormat: &reader) : try Table(from: &reader)
        let settings =
            isOld
            ? try ClusterSettings(fromFirstFormat: &reader, replicasPerShard: genesis.replicasPerShard)
            : try ClusterSettings(from: &reader)
        self.init(
            genesis: genesis, appliedIndex: index, registry: registry, table: table, settings: settings,
            tenants: isOld ? try Tenants(fromFirstFormat: &reader) : try Tenants(from: &reader))
        if version == Self.formatVersion {
            try tenants.readAccess(from: &reader)
            audit = try AuditLog(from: &reader)
            try self.registry.readRemovals(from: &reader)
        }
        guard namesNoFencedOwner else {
            throw DecodingFailure("the table names an owner that is not live (I5)")
        }
    }
}
