import Binary
import Raft

/// A state machine that remembers every entry it has applied; its snapshot is that list.
struct TestMachine {
    private(set) var applied: [Entry] = []
    /// Where a group began whose base holds nothing.
    private var base = LogIndex.zero

    var index: LogIndex { base + applied.count }

    mutating func begin(at index: LogIndex) { base = index }

    mutating func apply(_ entry: Entry) {
        precondition(entry.index == index.next, "applied out of order: \(entry.index) after \(index)")
        applied.append(entry)
    }

    func snapshotData(through last: LogIndex) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeArray(applied.prefix(Int(last.rawValue))) { writer, entry in
            writer.writeVariable(entry.term.rawValue)
            writer.write(entry.kind.rawValue)
            writer.writeBytes(entry.payload)
        }
        return writer.bytes
    }

    mutating func install(_ snapshot: Snapshot) {
        applied = Self.decode(snapshot)
        if applied.isEmpty { base = snapshot.index }
        precondition(
            index == snapshot.index || applied.isEmpty,
            "a snapshot of \(index) says that it is of \(snapshot.index)")
    }

    private static func decode(_ snapshot: Snapshot) -> [Entry] {
        guard !snapshot.data.isEmpty else { return [] }
        var reader = ByteReader(snapshot.data)
        var index = LogIndex.zero
        do {
            let entries = try reader.readArray { (reader) throws(DecodingFailure) in
                index = index.next
                return Entry(
                    term: Term(try reader.readVariable()), index: index,
                    kind: EntryKind(rawValue: try reader.readUInt8())!, payload: try reader.readBytes())
            }
            try reader.finish()
            return entries
        } catch {
            preconditionFailure("a snapshot arrived damaged: \(error)")
        }
    }
}
