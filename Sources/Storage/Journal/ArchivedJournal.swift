/// What one disk's archive holds, read in order and checked as recovery checks a journal.
public struct ArchivedJournal: Sendable {
    public struct Disk: Sendable, Equatable {
        public var directory: String
        public var node: UInt64
    }

    /// Segments that follow each other; between two runs something is missing.
    public struct Run: Sendable, Equatable {
        public var first: UInt64
        public var last: UInt64
    }

    public let disk: Disk
    public let runs: [Run]

    /// The disks that an archive has directories of, by number.
    public static func disks(in directory: String) -> [Disk] {
        (SystemDisk.names(in: directory) ?? []).compactMap { name in
            guard let node = UInt64(name, radix: 16), ArchiveNames.directory(of: node) == name else { return nil }
            return Disk(directory: directory + "/" + name, node: node)
        }.sorted { $0.node < $1.node }
    }

    public init(_ disk: Disk) {
        self.disk = disk
        var runs: [Run] = []
        for sequence in (SystemDisk.names(in: disk.directory) ?? []).compactMap(ArchiveNames.sequence).sorted() {
            if let last = runs.last, last.last + 1 == sequence {
                runs[runs.count - 1].last = sequence
            } else {
                runs.append(Run(first: sequence, last: sequence))
            }
        }
        self.runs = runs
    }

    /// Hands out every record of a run, oldest first. Blocks.
    public func read(
        _ run: Run, keys: DataKeys? = nil, visit: (JournalRecord) throws -> Void
    ) throws(JournalError) {
        var recovery = JournalRecovery(opener: EnvelopeOpener(keys))
        for sequence in run.first...run.last {
            let path = disk.directory + "/" + ArchiveNames.segment(sequence)
            let segment = try ArchivedSegment(path: path)
            guard segment.head.node == disk.node, segment.head.sequence == sequence else {
                throw .damaged("it is the segment of another disk, or another one", file: path, offset: 0)
            }
            let result = segment.content.withUnsafeBytes { bytes in
                Result<Void, JournalError> { () throws(JournalError) in
                    try recovery.read(
                        bytes, fileBytes: Int(segment.head.capacity), file: path, sequence: sequence, visit: visit)
                }
            }
            try result.get()
        }
    }
}
