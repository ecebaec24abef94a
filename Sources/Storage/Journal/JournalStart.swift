import Glibc

/// Makes the disk agree with what recovery found, before anybody acts on it.
struct JournalStart {
    let writer: JournalWriter
    /// The segment's file, open for writing.
    let file: Int32
    let ledger: JournalLedger

    static func make(
        _ files: SegmentFiles, _ recovery: JournalRecovery, _ options: JournalOptions, session: UInt64
    ) throws(JournalError) -> JournalStart {
        guard let last = recovery.last else { return try first(files, options, session: session) }
        if let extent = recovery.lastBatch { try files.settle(extent) }
        try files.settle(Extent(segment: last.sequence, range: 0..<SegmentHeader.reservedBytes))
        if let unsealed = recovery.unsealed { try seal(unsealed, before: last, files, session: session) }
        try files.syncDirectory()
        let writer = JournalWriter(
            segment: last, offset: recovery.offset, nextBatch: recovery.nextBatch, session: session)
        return JournalStart(
            writer: writer, file: try files.open(files.path(of: last.sequence), O_RDWR),
            ledger: recovery.ledger)
    }

    private static func first(
        _ files: SegmentFiles, _ options: JournalOptions, session: UInt64
    ) throws(JournalError) -> JournalStart {
        let capacity = options.capacity(of: 1)
        _ = try files.makeSpare(capacity: capacity, isStopped: { false })
        let header = SegmentHeader(firstOf: capacity, salt: Journal.randomNumber())
        let file = try files.install(header)
        let writer = JournalWriter(
            segment: header, offset: SegmentHeader.reservedBytes, nextBatch: 1, session: session)
        var ledger = JournalLedger()
        ledger.begin(header)
        return JournalStart(writer: writer, file: file, ledger: ledger)
    }

    private static func seal(
        _ unsealed: (segment: SegmentHeader, offset: Int), before successor: SegmentHeader,
        _ files: SegmentFiles,
        session: UInt64
    ) throws(JournalError) {
        var writer = JournalWriter(
            segment: unsealed.segment, offset: unsealed.offset, nextBatch: successor.firstBatch - 1,
            session: session)
        var bytes: [UInt8] = []
        let extent = writer.encode(.seal, into: &bytes)
        let path = files.path(of: extent.segment)
        let file = try files.open(path, O_RDWR)
        defer { close(file) }
        try files.write(bytes, count: extent.range.count, to: file, path, at: extent.range.lowerBound)
    }
}
