import Glibc

/// The files of one journal directory: what they are called, and how a segment comes to be.
struct SegmentFiles: Sendable {
    let directory: String
    let disk: any Disk

    private static let suffix = ".segment"
    private static let zeroChunkBytes = 1 << 20

    static func name(of sequence: UInt64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits + suffix
    }

    func path(of sequence: UInt64) -> String { directory + "/" + Self.name(of: sequence) }

    /// A file with all its blocks written, waiting to become a segment. Whatever it holds can't pass for
    /// a batch of that segment, so a dropped segment may be renamed to this instead of writing zeros anew.
    var sparePath: String { directory + "/spare" }
    private var unfinishedPath: String { directory + "/spare.unfinished" }

    /// The numbers of the segments in `directory`, rising. Other files are not ours and are left alone.
    func sequences() throws(JournalError) -> [UInt64] {
        guard let names = SystemDisk.names(in: directory) else {
            throw .systemCall("opendir", errno, file: directory)
        }
        return Self.sequences(among: names)
    }

    static func sequences(among names: [String]) -> [UInt64] {
        names.compactMap { name in
            guard name.hasSuffix(suffix), let sequence = UInt64(name.dropLast(suffix.count)) else {
                return nil
            }
            return Self.name(of: sequence) == name ? sequence : nil
        }.sorted()
    }

    func open(_ path: String, _ flags: Int32) throws(JournalError) -> Int32 {
        let file = Glibc.open(path, flags | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, file: path) }
        return file
    }

    func size(of file: Int32, _ path: String) throws(JournalError) -> Int {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw .systemCall("fstat", errno, file: path) }
        return Int(status.st_size)
    }

    func bytes(of sequence: UInt64) throws(JournalError) -> Int {
        var status = stat()
        let path = path(of: sequence)
        guard stat(path, &status) == 0 else { throw .systemCall("stat", errno, file: path) }
        return Int(status.st_size)
    }

    /// Reads a whole segment into `buffer`, which grows as needed; answers the size of the file.
    func read(_ sequence: UInt64, into buffer: inout [UInt8]) throws(JournalError) -> Int {
        let path = path(of: sequence)
        let file = try open(path, O_RDONLY)
        defer { close(file) }
        let size = try size(of: file, path)
        if buffer.count < size { buffer = [UInt8](repeating: 0, count: size) }
        try read(file, path, at: 0, count: size, into: &buffer)
        return size
    }

    private func read(
        _ file: Int32, _ path: String, at offset: Int, count: Int, into buffer: inout [UInt8]
    ) throws(JournalError) {
        let got = buffer.withUnsafeMutableBytes { bytes in
            SystemDisk.read(file, at: offset, into: UnsafeMutableRawBufferPointer(rebasing: bytes[0..<count]))
        }
        guard let got else { throw .systemCall("pread", errno, file: "\(path), offset \(offset)") }
        guard got == count else {
            throw .damaged("a segment ends while it is being read", file: path, offset: offset + got)
        }
    }

    /// Writes the same bytes again and syncs them. After a crash, or after an fdatasync that failed, what
    /// recovery has just read may exist in the page cache only, and the kernel may think that it is clean.
    func settle(_ extent: Extent) throws(JournalError) {
        let path = path(of: extent.segment)
        let file = try open(path, O_RDWR)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: extent.range.count)
        try read(file, path, at: extent.range.lowerBound, count: bytes.count, into: &bytes)
        try write(bytes, count: bytes.count, to: file, path, at: extent.range.lowerBound)
    }

    /// One write, one sync.
    func write(
        _ bytes: [UInt8], count: Int, to file: Int32, _ path: @autoclosure () -> String, at offset: Int
    ) throws(JournalError) {
        let code = bytes.withUnsafeBytes {
            disk.write(UnsafeRawBufferPointer(rebasing: $0[0..<count]), to: file, at: offset)
        }
        guard code == 0 else { throw .systemCall("pwrite", code, file: "\(path()), offset \(offset)") }
        let synced = disk.syncData(file)
        guard synced == 0 else { throw .systemCall("fdatasync", synced, file: "\(path()), offset \(offset)") }
    }

    func syncDirectory() throws(JournalError) {
        let code = disk.syncDirectory(directory)
        guard code == 0 else { throw .systemCall("fsync of the directory", code, file: directory) }
    }

    /// Takes a segment away that is needed no more.
    func remove(_ sequence: UInt64) throws(JournalError) {
        let path = path(of: sequence)
        let code = disk.remove(path)
        guard code == 0 else { throw .systemCall("unlink", code, file: path) }
    }

    /// Makes the spare of a segment that is needed no more.
    func recycle(_ sequence: UInt64) throws(JournalError) {
        try rename(path(of: sequence), to: sparePath)
    }

    private func rename(_ path: String, to newPath: String) throws(JournalError) {
        let code = disk.rename(path, to: newPath)
        guard code == 0 else { throw .systemCall("rename", code, file: path) }
    }

    /// The size of the spare that an earlier process left, if there is one.
    func spareBytes() -> Int? {
        var status = stat()
        return stat(sparePath, &status) == 0 ? Int(status.st_size) : nil
    }

    /// Makes a spare by writing `capacity` zeros: an fdatasync over blocks that were written before
    /// costs half. False if stopped. A spare that is not finished is removed.
    func makeSpare(capacity: Int, isStopped: () -> Bool) throws(JournalError) -> Bool {
        let file = try open(unfinishedPath, O_RDWR | O_CREAT | O_TRUNC)
        defer { close(file) }
        do throws(JournalError) {
            guard try writeZeros(to: file, unfinishedPath, capacity: capacity, isStopped: isStopped) else {
                unlink(unfinishedPath)
                return false
            }
            try rename(unfinishedPath, to: sparePath)
            return true
        } catch {
            unlink(unfinishedPath)
            throw error
        }
    }

    /// In small pieces, so that the journal's own syncs wait for one piece at most.
    private func writeZeros(
        to file: Int32, _ path: String, capacity: Int, isStopped: () -> Bool
    ) throws(JournalError) -> Bool {
        let zeros = [UInt8](repeating: 0, count: min(Self.zeroChunkBytes, capacity))
        for offset in stride(from: 0, to: capacity, by: zeros.count) {
            if isStopped() { return false }
            try write(zeros, count: min(zeros.count, capacity - offset), to: file, path, at: offset)
        }
        return true
    }

    /// Turns the spare into the segment of `header` and opens it. Header first, name second, both synced.
    func install(_ header: SegmentHeader) throws(JournalError) -> Int32 {
        let file = try open(sparePath, O_RDWR)
        let path = path(of: header.sequence)
        do throws(JournalError) {
            let bytes = header.encode()
            try write(bytes, count: bytes.count, to: file, path, at: 0)
            try rename(sparePath, to: path)
            try syncDirectory()
            return file
        } catch {
            close(file)
            throw error
        }
    }
}
