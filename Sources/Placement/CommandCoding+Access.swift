import Binary

// Commands that 0.3.0 did not have.

extension Command {
    func encodeAccess(into writer: inout ByteWriter) -> Bool {
        switch self {
        case .createKey(let key) where key.hasAccess:
            writer.write(Kind.createScopedKey.rawValue)
            writer.write(key)
            key.encodeAccess(into: &writer)
        case .createAdministrator(let administrator):
            writer.write(Kind.createAdministrator.rawValue)
            writer.write(administrator)
        case .revokeAdministrator(let name):
            writer.write(Kind.revokeAdministrator.rawValue)
            writer.writeString(name)
        case .rotateKey(let rotation):
            writer.write(Kind.rotateKey.rawValue)
            writer.write(rotation)
        case .setOrigins(let project, let origins):
            writer.write(Kind.setOrigins.rawValue)
            writer.writeString(project)
            writer.writeArray(origins) { $0.writeString($1) }
        case .setAuditRetention(let entries, let ageMs):
            writer.write(Kind.setAuditRetention.rawValue)
            writer.writeVariable(entries)
            writer.writeVariable(ageMs)
        case .audited(let note, let command):
            writer.write(Kind.audited.rawValue)
            writer.write(note)
            writer.writePresent(command)
        default:
            return false
        }
        return true
    }

    static func readAccess(_ kind: Kind, from reader: inout ByteReader) throws(DecodingFailure) -> Command {
        switch kind {
        case .createScopedKey:
            var key = try APIKey(from: &reader)
            try key.readAccess(from: &reader)
            guard key.hasAccess else { throw DecodingFailure("a key has two forms") }
            return .createKey(key)
        case .createAdministrator:
            return .createAdministrator(try Administrator(from: &reader))
        case .revokeAdministrator:
            return .revokeAdministrator(name: try reader.readString(limit: PlacementLimits.decodedBytes))
        case .rotateKey:
            return .rotateKey(try KeyRotation(from: &reader))
        case .setOrigins:
            let project = try reader.readString(limit: PlacementLimits.decodedBytes)
            return .setOrigins(
                project: project, try reader.readTexts(limit: PlacementLimits.decodedBytes))
        default:
            let entries = try reader.readCount(limit: Int(UInt32.max))
            return .setAuditRetention(entries: entries, ageMs: try reader.readVariable())
        }
    }

    static func readAudited(from reader: inout ByteReader) throws(DecodingFailure) -> Command {
        let note = try AuditNote(from: &reader)
        guard try reader.readBool() else { return .audited(note, nil) }
        return .audited(note, try read(from: &reader, isAudited: true))
    }
}
