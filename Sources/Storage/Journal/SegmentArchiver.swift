import Binary
import Glibc

/// Where the journal's segments are copied before they are dropped.
public struct JournalArchive: Sendable, Equatable {
    public var directory: String
    /// The disk's identity, and its cluster's; 0 while there is none.
    public var node: UInt64
    public var cluster: UInt64
    /// Segments that wait for the archive hold the journal up to so many bytes; beyond, they are dropped and the
    /// archive has a gap.
    public var lagBytes = 1 << 30
    /// A segment is sealed so long after the one before, if there is anything new in it.
    public var intervalMs = 60_000

    public init(directory: String, node: UInt64, cluster: UInt64) {
        self.directory = directory
        self.node = node
        self.cluster = cluster
    }
}

/// Copies sealed segments into an archive, in order, on a thread of its own. Nothing that happens to it stops the
/// journal: it tries again, and says what is wrong.
final class SegmentArchiver: @unchecked Sendable {
    private let files: SegmentFiles
    private let archive: JournalArchive
    private let directory: String
    private let retryMs: Int
    private let monitor = Monitor()

    // Guarded by the monitor.
    /// The next one that is to be copied.
    private var next: UInt64
    /// Segments up to this one are sealed.
    private var sealed: UInt64 = 0
    /// Segments below may have been dropped.
    private var lost: UInt64 = 0
    private var isStopped = false
    private var hasEnded = false
    private var archived: UInt64 = 0
    private var error: String?

    private var thread: WorkerThread?

    /// `first` is the lowest segment that the journal still has.
    init(files: SegmentFiles, archive: JournalArchive, first: UInt64, sealed: UInt64, retryMs: Int) {
        self.files = files
        self.archive = archive
        self.retryMs = retryMs
        directory = archive.directory + "/" + ArchiveNames.directory(of: archive.node)
        self.sealed = sealed
        let known = SystemDisk.names(in: directory) ?? []
        let last = known.compactMap { ArchiveNames.sequence($0) ?? ArchiveNames.lastOfGap($0) }.max()
        next = (last ?? first - 1) + 1
        lost = first
        thread = WorkerThread(name: "archive") { self.run() }
    }

    /// The lowest segment that has to stay for the archive.
    var limit: UInt64 { monitor.locked { next } }

    /// The segments up to this one are complete.
    func seal(through sequence: UInt64) {
        monitor.locked {
            sealed = max(sealed, sequence)
            monitor.signal()
        }
    }

    /// The segments below are no longer kept for the archive.
    func giveUp(below sequence: UInt64) {
        monitor.locked {
            lost = max(lost, sequence)
            monitor.signal()
        }
    }

    func read(into statistics: inout JournalStatistics) { monitor.locked { tell(&statistics) } }

    /// Only inside `locked`.
    private func tell(_ statistics: inout JournalStatistics) {
        statistics.archivedSegments = archived
        statistics.archiveLagSegments = sealed + 1 - min(next, sealed + 1)
        statistics.archiveError = error
    }

    /// Blocks until what it tells is so: for tests.
    func wait(until holds: (JournalStatistics) -> Bool) {
        monitor.locked {
            var statistics = JournalStatistics()
            tell(&statistics)
            while !holds(statistics) {
                monitor.wait()
                tell(&statistics)
            }
        }
    }

    /// Waits a little for what is being copied. An archive that hangs must not hold up the end of the node: what is
    /// not whole has no name, and is copied by the next process.
    func stop() {
        let (thread, hasEnded): (WorkerThread?, Bool) = monitor.locked {
            isStopped = true
            monitor.signal()
            while !self.hasEnded {
                if !monitor.wait(milliseconds: Self.patienceMs) { break }
            }
            defer { self.thread = nil }
            return (self.thread, self.hasEnded)
        }
        if hasEnded { thread?.join() } else { thread?.detach() }
    }

    private static let patienceMs = 5_000

    private enum Work {
        case copy(UInt64)
        case gap(UInt64, UInt64)
    }

    private func run() {
        while let work = waitForWork() {
            let before = monitor.locked { lost }
            do throws(JournalError) {
                try carryOut(work)
                done(work)
            } catch {
                monitor.locked {
                    self.error = "\(error)"
                    monitor.signal()
                    // If it was dropped meanwhile, what comes next is to note the gap.
                    if !isStopped, lost == before { _ = monitor.wait(milliseconds: retryMs) }
                }
            }
        }
        monitor.locked {
            hasEnded = true
            monitor.signal()
        }
    }

    private func waitForWork() -> Work? {
        monitor.locked {
            while !isStopped, next > sealed, lost <= next { monitor.wait() }
            if isStopped { return nil }
            return lost > next ? .gap(next, lost - 1) : .copy(next)
        }
    }

    private func done(_ work: Work) {
        monitor.locked {
            switch work {
            case .copy(let sequence):
                next = sequence + 1
                archived += 1
                error = nil
            case .gap(let first, let last):
                next = last + 1
                error = "segments \(first) to \(last) were dropped before they were archived"
            }
            monitor.signal()
        }
    }

    private func carryOut(_ work: Work) throws(JournalError) {
        for path in [archive.directory, directory] {
            let code = SystemDisk.makeDirectory(path)
            guard code == 0 else { throw .systemCall("mkdir", code, file: path) }
        }
        switch work {
        case .gap(let first, let last): try write([], to: ArchiveNames.gap(first, last))
        case .copy(let sequence): try copy(sequence)
        }
    }

    private func copy(_ sequence: UInt64) throws(JournalError) {
        var buffer: [UInt8] = []
        let size = try files.read(sequence, into: &buffer)
        let end = try Self.end(of: buffer, size: size, sequence, file: files.path(of: sequence))
        let head = ArchiveHead(
            node: archive.node, cluster: archive.cluster, sequence: sequence, capacity: UInt64(size),
            contentBytes: UInt64(end))
        try write(Self.encode(head, Array(buffer[..<end])), to: ArchiveNames.segment(sequence))
    }

    /// Reads the segment as recovery does: what is not whole is no copy worth keeping.
    private static func end(
        of buffer: [UInt8], size: Int, _ sequence: UInt64, file: String
    ) throws(JournalError) -> Int {
        var recovery = JournalRecovery()
        let result = buffer.withUnsafeBytes { bytes in
            Result<Void, JournalError> { () throws(JournalError) in
                try recovery.read(
                    UnsafeRawBufferPointer(rebasing: bytes[..<size]), fileBytes: size, file: file,
                    sequence: sequence) { _ in }
            }
        }
        try result.get()
        return recovery.offset
    }

    private static func encode(_ head: ArchiveHead, _ content: [UInt8]) -> [UInt8] {
        var bytes = head.encode()
        var frames: UInt64 = 0
        var rest = content[...]
        while !rest.isEmpty {
            bytes += SnapshotFormat.encodeFrame(Array(rest.prefix(SnapshotFormat.frameBytes)), number: frames)
            rest = rest.dropFirst(SnapshotFormat.frameBytes)
            frames += 1
        }
        bytes += SnapshotFormat.encodeTrailer(frames: frames)
        var whole = BlockHash()
        whole.add(bytes)
        withUnsafeBytes(of: whole.value.littleEndian) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Content first, name second, both durable.
    private func write(_ bytes: [UInt8], to name: String) throws(JournalError) {
        let path = directory + "/" + name
        let partial = path + ".partial"
        let file = open(partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, file: partial) }
        defer { close(file) }
        do throws(StoreError) {
            let code = bytes.withUnsafeBytes { SystemDisk().write($0, to: file, at: 0) }
            guard code == 0 else { throw .systemCall("pwrite", code, path: partial) }
            try SnapshotWriter.publish(file, partial, as: path, in: directory)
        } catch {
            unlink(partial)
            throw .archive(error, file: path)
        }
    }
}

extension JournalError {
    fileprivate static func archive(_ error: StoreError, file: String) -> JournalError {
        JournalError(error.kind == .noSpace ? .diskFull : .failed, error.what, place: file,
            remedy: "Make room in the archive, or repair it")
    }
}
