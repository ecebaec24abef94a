/// The journal of a node: all its logs share it. Appends from any thread are queued; one thread takes all
/// that is queued, writes it as one batch, syncs once and calls back in order.
public final class Journal: Sendable {
    private let worker: JournalWorker
    /// What was there when the journal was opened.
    public let contents: JournalContents

    /// Opens the journal in `directory`, which is made if it does not exist. `visit` gets every record,
    /// oldest first. On an error nothing on disk was changed, and what was visited must be thrown away.
    /// `onSpace` is told of each change of `space`, on one of the journal's threads; it returns soon and
    /// calls nothing of the journal.
    public static func open(
        directory: String, options: JournalOptions = JournalOptions(),
        onSpace: @escaping @Sendable (JournalSpace) -> Void = { _ in },
        visit: (JournalRecord) throws -> Void
    ) throws(JournalError) -> Journal {
        try open(directory: directory, options: options, disk: SystemDisk(), onSpace: onSpace, visit: visit)
    }

    /// For salts and sessions, which only have to differ.
    static func randomNumber() -> UInt64 { UInt64.random(in: 0...UInt64.max) }

    static func open(
        directory: String, options: JournalOptions, disk: any Disk,
        onSpace: @escaping @Sendable (JournalSpace) -> Void = { _ in },
        visit: (JournalRecord) throws -> Void
    ) throws(JournalError) -> Journal {
        let code = SystemDisk.makeDirectory(directory)
        guard code == 0 else { throw .systemCall("mkdir", code, file: directory) }
        let files = SegmentFiles(directory: directory, disk: disk)
        let (recovery, leftover) = try recover(files, options.keys, visit: visit)
        let start = try JournalStart.make(files, recovery, options, session: randomNumber())
        for sequence in leftover { try files.remove(sequence) }
        let sealer = try options.keys.map { (keys) throws(JournalError) in try makeSealer(keys, directory) }
        return Journal(
            worker: JournalWorker(
                files: files, options: options, start: start, sealer: sealer, gauge: SpaceGauge(onChange: onSpace)),
            contents: recovery.contents)
    }

    private static func recover(
        _ files: SegmentFiles, _ keys: DataKeys?, visit: (JournalRecord) throws -> Void
    ) throws(JournalError) -> (JournalRecovery, leftover: [UInt64]) {
        let span = try span(of: files, try files.sequences())
        var buffer: [UInt8] = []
        let opener = EnvelopeOpener(keys)
        let recovery = try JournalRecovery.run(span, opener: opener) { recovery, sequence, isVisited throws(JournalError) in
            try recovery.read(files, sequence, buffer: &buffer) { if isVisited { try visit($0) } }
        }
        return (recovery, span.leftover)
    }

    private static func makeSealer(_ keys: DataKeys, _ directory: String) throws(JournalError) -> EnvelopeSealer {
        do {
            return try EnvelopeSealer(keys)
        } catch {
            throw JournalError(
                .failed, "\(error)", place: directory, remedy: "Look at memory and OpenSSL, and start the node again")
        }
    }

    /// Which segments are the journal, by what they say at their starts.
    static func span(of files: SegmentFiles, _ sequences: [UInt64]) throws(JournalError) -> JournalSpan {
        var buffer: [UInt8] = []
        return try JournalSpan(sequences) { sequence throws(JournalError) in
            let size = try files.read(sequence, into: &buffer)
            return buffer.withUnsafeBytes { bytes in
                SegmentStart(reading: UnsafeRawBufferPointer(rebasing: bytes[0..<size]), fileBytes: size)
            }
        }
    }

    private init(worker: JournalWorker, contents: JournalContents) {
        self.worker = worker
        self.contents = contents
    }

    deinit {
        worker.abandon()
    }

    /// Queues `records`; they come back together after a crash, or not at all. `durable` is called on
    /// the journal's thread after the fdatasync, in the order of the appends. After a failure every
    /// append fails. A full disk is no failure: `durable` waits until there is room. After `close`, `durable`
    /// is called at once, on the caller's thread.
    public func append(
        _ records: [JournalRecord], durable: @escaping @Sendable (Result<Void, JournalError>) -> Void
    ) {
        worker.append(JournalAppend(records: records, durable: durable))
    }

    /// Writes what is queued and a mark that nothing is missing, calls back, and ends the journal's
    /// threads. What waits for space fails. Not to be called from a `durable` callback.
    public func close() {
        worker.close()
    }

    /// Ends as a killed process would: what is queued is not written, and there is no mark.
    func abandon() {
        worker.abandon()
    }

    public var space: JournalSpace { worker.gauge.space }

    /// Tries at once to go on: somebody has made room. It is tried again every `retryMs` anyway.
    public func retry() { worker.retry() }

    public var statistics: JournalStatistics { worker.currentStatistics }

    /// For tests: blocks until what is told of the archive is so.
    func waitForArchive(until holds: (JournalStatistics) -> Bool) { worker.waitForArchive(until: holds) }

    /// The groups whose entries hold the segments that would have to go for the journal to have no more
    /// than `bytes`, by number: to be covered first. A segment goes when the journal moves on to a new one.
    public func pressure(aboveBytes bytes: Int) -> [UInt64] {
        worker.ledger { $0.pressure(aboveBytes: bytes) }
    }

    /// For whoever wants to be rid of what earlier processes wrote: answers the groups that have to be covered first,
    /// and moves on, with the next appends, as far as that helps. To be repeated until there are no former segments.
    public func retireFormerSegments() -> [UInt64] { worker.retireFormerSegments() }

    /// For each group that still needs a segment, the oldest one that it needs, by group.
    public func oldestNeeded() -> [(group: UInt64, segment: UInt64)] { worker.ledger { $0.oldestNeeded() } }
}

extension JournalRecovery {
    /// Takes the next segment from its file.
    mutating func read(
        _ files: SegmentFiles, _ sequence: UInt64, buffer: inout [UInt8], visit: (JournalRecord) throws -> Void
    ) throws(JournalError) {
        let size = try files.read(sequence, into: &buffer)
        // A `rethrows` closure would lose the error's type.
        let result = buffer.withUnsafeBytes { bytes in
            Result<Void, JournalError> { () throws(JournalError) in
                try read(
                    UnsafeRawBufferPointer(rebasing: bytes[0..<size]), fileBytes: size,
                    file: files.path(of: sequence), sequence: sequence, visit: visit)
            }
        }
        try result.get()
    }
}
