/// What a look at a journal has found.
public struct JournalInspection: Sendable {
    public struct Segment: Sendable, Equatable {
        public let sequence: UInt64
        public let file: String
        public let bytes: Int
        public fileprivate(set) var batches: UInt64 = 0
        public fileprivate(set) var records: UInt64 = 0
        /// Below the floor: the next start removes it. It was not read.
        public fileprivate(set) var isLeftover = false
    }

    public struct Group: Sendable, Equatable {
        public let group: UInt64
        /// Entries up to here are needed no more; the last one there is.
        public let covered: UInt64
        public let last: UInt64
        /// The oldest segment that the group needs; nil if it needs none.
        public let oldestSegment: UInt64?
    }

    /// By number.
    public fileprivate(set) var segments: [Segment] = []
    /// By number.
    public fileprivate(set) var groups: [Group] = []
    public fileprivate(set) var contents = JournalContents()
    /// What is wrong, and where. What was found behind it is not counted above.
    public fileprivate(set) var damage: JournalError?
    /// With damage: the groups of which the journal has anything. The checksum of a record covers its group
    /// as well, so any of them may be hit (O9).
    public fileprivate(set) var groupsAtRisk: [UInt64] = []
}

/// Reads a journal as recovery does, changes nothing and locks nothing. Of a running node it may see a batch
/// half written, which it takes for a torn one; a segment that is dropped meanwhile is looked for again.
public enum JournalInspector {
    private static let attempts = 3

    /// Throws if the directory or a file cannot be read. Damage is no error: it is in the answer.
    public static func inspect(directory: String) throws(JournalError) -> JournalInspection {
        let files = SegmentFiles(directory: directory, disk: SystemDisk())
        for _ in 1..<attempts {
            let before = try files.sequences()
            do throws(JournalError) {
                return try inspect(files, before)
            } catch {
                guard try files.sequences() != before else { throw error }
            }
        }
        return try inspect(files, try files.sequences())
    }

    private static func inspect(
        _ files: SegmentFiles, _ sequences: [UInt64]
    ) throws(JournalError) -> JournalInspection {
        var inspection = JournalInspection()
        var recovery = JournalRecovery()
        do throws(JournalError) {
            recovery = try read(files, sequences, &inspection)
            inspection.contents = recovery.contents
        } catch {
            guard error.kind == .damaged || error.kind == .otherVersion else { throw error }
            inspection.damage = error
            inspection.groupsAtRisk = try groups(files, sequences)
        }
        let oldest = recovery.ledger.oldestNeeded()
        inspection.groups = recovery.ledger.coverage().map { group in
            JournalInspection.Group(
                group: group.group, covered: group.covered, last: group.last,
                oldestSegment: oldest.first { $0.group == group.group }?.segment)
        }
        return inspection
    }

    private static func read(
        _ files: SegmentFiles, _ sequences: [UInt64], _ inspection: inout JournalInspection
    ) throws(JournalError) -> JournalRecovery {
        let span = try Journal.span(of: files, sequences)
        for sequence in span.leftover {
            var segment = JournalInspection.Segment(
                sequence: sequence, file: files.path(of: sequence), bytes: try files.bytes(of: sequence))
            segment.isLeftover = true
            inspection.segments.append(segment)
        }
        var buffer: [UInt8] = []
        return try JournalRecovery.run(span) { recovery, sequence, _ throws(JournalError) in
            var segment = JournalInspection.Segment(
                sequence: sequence, file: files.path(of: sequence), bytes: try files.bytes(of: sequence))
            let before = recovery.contents
            try recovery.read(files, sequence, buffer: &buffer) { _ in }
            segment.batches = recovery.contents.batches - before.batches
            segment.records = recovery.contents.records - before.records
            inspection.segments.append(segment)
        }
    }

    /// All groups of whole batches, wherever they stand.
    private static func groups(
        _ files: SegmentFiles, _ sequences: [UInt64]
    ) throws(JournalError) -> [UInt64] {
        var groups: Set<UInt64> = []
        var buffer: [UInt8] = []
        for sequence in sequences {
            let size = try files.read(sequence, into: &buffer)
            buffer.withUnsafeBytes { bytes in
                let content = UnsafeRawBufferPointer(rebasing: bytes[0..<size])
                for record in wholeRecords(in: content) { groups.insert(record.group) }
            }
        }
        return groups.sorted()
    }

    private static func wholeRecords(in bytes: UnsafeRawBufferPointer) -> [JournalRecord] {
        guard let segment = try? SegmentHeader(reading: bytes, fileBytes: bytes.count, file: "") else { return [] }
        var found: [JournalRecord] = []
        var offset = SegmentHeader.reservedBytes
        while let next = BatchFormat.nextHeader(from: offset, in: bytes, segmentSeed: segment.seed) {
            found += BatchFormat.records(
                of: next.header, at: next.offset, in: bytes, segmentSeed: segment.seed) ?? []
            offset = next.offset + BatchFormat.alignment
        }
        return found
    }
}
