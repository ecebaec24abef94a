import Binary
import Raft

/// Who asks, when and from where: what the node that took an administrator's call puts around a command.
public struct AuditNote: Sendable, Equatable {
    /// Drawn for each command: one that reaches the log twice is one entry.
    public var callID: UInt64
    public var atMs: UInt64
    public var actor: String
    public var role: AdminRole
    public var address: String
    /// Of what passes no command: what was done to what, and how it went. Else the command says it.
    public var action = ""
    public var target = ""
    public var outcome = ""

    public init(callID: UInt64, atMs: UInt64, actor: String, role: AdminRole, address: String) {
        self.callID = callID
        self.atMs = atMs
        self.actor = actor
        self.role = role
        self.address = address
    }
}

/// One line of the audit.
public struct AuditEntry: Sendable, Equatable {
    /// Rises by one from entry to entry, and never begins anew.
    public var index: UInt64
    public var note: AuditNote
}

/// Who has done what, as an append-only list that is the same on every node. Bounded by count and by age;
/// the oldest go first.
public struct AuditLog: Sendable, Equatable {
    /// Copies of the state share all of these but the last.
    private var chunks: [[AuditEntry]] = []
    public private(set) var count = 0
    public private(set) var lastIndex: UInt64 = 0
    public internal(set) var entriesMax = 4_000
    public internal(set) var ageMaxMs: UInt64 = 180 * 86_400_000

    private static var entriesPerChunk: Int { 64 }
    /// Two for each that comes: a clock that is wrong once cannot empty the list.
    private static var droppedPerEntry: Int { 2 }

    init() {}

    /// In order.
    public var entries: some Sequence<AuditEntry> { chunks.lazy.joined() }

    public func entries(after index: UInt64) -> some Sequence<AuditEntry> {
        chunks.lazy.filter { ($0.last?.index ?? 0) > index }.joined().lazy.filter { $0.index > index }
    }

    mutating func append(_ note: AuditNote) {
        // By number, not by chunks: how those are divided differs between nodes. Two hold as many.
        let latest = chunks.suffix(2).joined().suffix(Self.entriesPerChunk)
        guard latest.allSatisfy({ $0.note.callID != note.callID }) else { return }
        lastIndex += 1
        let entry = AuditEntry(index: lastIndex, note: note.bounded)
        if let last = chunks.indices.last, chunks[last].count < Self.entriesPerChunk {
            chunks[last].append(entry)
        } else {
            chunks.append([entry])
        }
        count += 1
        for _ in 0..<Self.droppedPerEntry where isOverdue(note.atMs) { dropFirst() }
    }

    private func isOverdue(_ nowMs: UInt64) -> Bool {
        guard count > 1, let first = chunks.first?.first else { return false }
        return count > entriesMax || nowMs > first.note.atMs && nowMs - first.note.atMs > ageMaxMs
    }

    private mutating func dropFirst() {
        chunks[0].removeFirst()
        if chunks[0].isEmpty { chunks.removeFirst() }
        count -= 1
    }

    /// Equal contents are equal, however they came to be divided.
    public static func == (left: AuditLog, right: AuditLog) -> Bool {
        left.lastIndex == right.lastIndex && left.count == right.count && left.entriesMax == right.entriesMax
            && left.ageMaxMs == right.ageMaxMs && left.chunks.joined().elementsEqual(right.chunks.joined())
    }
}

extension PlacementState {
    /// Does what the command says, and writes down who asked for it and how it went. Refused ones are
    /// written down too.
    mutating func executeAudited(_ note: AuditNote, _ command: Command?) -> CommandResult {
        var note = note
        guard let command else {
            audit.append(note)
            return .done
        }
        let result = execute(command)
        (note.action, note.target) = command.auditName
        note.outcome = if case .refused(let refusal) = result { "refused: \(refusal)" } else { "done" }
        audit.append(note)
        return result
    }

    mutating func setAuditRetention(entries: Int, ageMs: UInt64) -> CommandResult {
        guard PlacementLimits.auditEntries.contains(entries), PlacementLimits.auditAgeMs.contains(ageMs) else {
            return .refused(.outOfRange)
        }
        audit.entriesMax = entries
        audit.ageMaxMs = ageMs
        return .done
    }
}

extension Command {
    /// What the audit calls it, and what it is done to. Never a secret.
    var auditName: (action: String, target: String) {
        switch self {
        case .createProject(let id, _): ("project.create", id)
        case .createKey(let key): ("key.create", "\(key.project)/\(key.keyID)")
        case .revokeKey(let project, let keyID): ("key.revoke", "\(project)/\(keyID)")
        case .rotateKey(let rotation): ("key.rotate", "\(rotation.project)/\(rotation.keyID)")
        case .setClass(let project, let name, _): ("class.set", "\(project)/\(name)")
        case .setQuota(let project, _): ("project.quota", project)
        case .setOrigins(let project, _): ("project.origins", project)
        case .addSigningKey(let key): ("signingKey.add", "\(key.id)")
        case .setAdmin: ("admin.secret", "")
        case .createAdministrator(let new): ("admin.create", "\(new.name) as \(new.role.name)")
        case .revokeAdministrator(let name): ("admin.revoke", name)
        case .setStanding(let node, let standing): ("node.\(standing)", auditText(node))
        case .removeNode(let node, _): ("node.remove", auditText(node))
        case .planSplit(let shard, _, _): ("shard.split", "\(shard)")
        case .planMerge(let left, _, let right, _): ("shard.merge", "\(left) and \(right)")
        case .setObjectLimits: ("cluster.limits", "")
        case .setReplacement(let afterMs): ("cluster.settings", "replaceAfterMs \(afterMs)")
        case .setReplicasPerShard(let count): ("cluster.settings", "replicasPerShard \(count)")
        case .setLeaseDuration(let milliseconds): ("cluster.settings", "leaseMs \(milliseconds)")
        case .setClockDrift(let perMille): ("cluster.settings", "clockDriftPerMille \(perMille)")
        case .setReadMode(let mode): ("cluster.settings", "reads \(mode)")
        case .setAuditRetention(let entries, let ageMs): ("cluster.settings", "audit \(entries) entries, \(ageMs) ms")
        case .appoint: ("backup.placement", "")
        default: ("cluster.command", "")
        }
    }
}

private func auditText(_ node: NodeID) -> String {
    let digits = String(node.rawValue, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

extension AuditNote {
    /// Texts cut to what an entry holds, at whole characters: they are for people.
    fileprivate var bounded: AuditNote {
        var note = self
        note.actor = cut(actor, PlacementLimits.nameBytes)
        note.address = cut(address, PlacementLimits.nameBytes)
        note.action = cut(action, PlacementLimits.nameBytes)
        note.target = cut(target, PlacementLimits.auditTargetBytes)
        note.outcome = cut(outcome, PlacementLimits.nameBytes)
        return note
    }

    fileprivate var isBounded: Bool { bounded == self }
}

private func cut(_ text: String, _ bytes: Int) -> String {
    guard text.utf8.count > bytes else { return text }
    var rest = Substring(text)
    rest = rest.prefix(bytes)
    while rest.utf8.count > bytes { rest.removeLast() }
    return String(rest)
}

// MARK: - Bytes

extension AuditNote: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(callID)
        writer.writeVariable(atMs)
        writer.write(role.rawValue)
        for text in [actor, address, action, target, outcome] { writer.writeString(text) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        callID = try reader.readUInt64()
        atMs = try reader.readVariable()
        guard let role = AdminRole(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown role in the audit")
        }
        self.role = role
        actor = try reader.readString(limit: PlacementLimits.decodedBytes)
        address = try reader.readString(limit: PlacementLimits.decodedBytes)
        action = try reader.readString(limit: PlacementLimits.decodedBytes)
        target = try reader.readString(limit: PlacementLimits.decodedBytes)
        outcome = try reader.readString(limit: PlacementLimits.decodedBytes)
    }
}

extension AuditLog: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(entriesMax)
        writer.writeVariable(ageMaxMs)
        writer.writeVariable(lastIndex)
        writer.writeAll(entries.map(\.note))
    }

    /// Indexes have no gaps: the last one tells them all.
    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        entriesMax = try reader.readCount(limit: PlacementLimits.auditEntries.upperBound)
        ageMaxMs = try reader.readVariable()
        lastIndex = try reader.readVariable()
        let notes: [AuditNote] = try reader.readAll(limit: PlacementLimits.auditEntries.upperBound + 1)
        guard PlacementLimits.auditEntries.contains(entriesMax), PlacementLimits.auditAgeMs.contains(ageMaxMs),
            lastIndex < UInt64.max / 2, UInt64(notes.count) <= lastIndex, notes.allSatisfy(\.isBounded)
        else { throw DecodingFailure("the audit is out of its bounds") }
        count = notes.count
        var index = lastIndex - UInt64(notes.count)
        for note in notes {
            index += 1
            let entry = AuditEntry(index: index, note: note)
            if let last = chunks.indices.last, chunks[last].count < Self.entriesPerChunk {
                chunks[last].append(entry)
            } else {
                chunks.append([entry])
            }
        }
    }
}
