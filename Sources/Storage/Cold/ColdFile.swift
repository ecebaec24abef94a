import CHoldfast
import Glibc

/// The file that takes what an event loop wants out of memory for a while.
///
///     slot = checksum:4 length:4 bytes        little-endian, CRC-32C of length and bytes, seeded by the place
///
/// No durability: it is emptied when it is opened, and never synced. Calls block only as long as the page
/// cache does. Belongs to one event loop, which is what makes the unchecked `Sendable` true.
public final class ColdFile: @unchecked Sendable {
    public let path: String
    private let file: Int32
    private let disk: any Disk
    private var space = BlockSpace()
    /// As far as the file may reach at present.
    private var fileEnd = 0
    private var scratch: [UInt8] = []

    private static let headBytes = 8
    /// The file is cut when so much, and half of it, is unused at its end.
    static let slackBytes = 1 << 20

    /// Empties `cold-<loop>` in the directory, or makes it.
    public static func open(directory: String, loop: Int) throws(ColdFileError) -> ColdFile {
        try open(directory: directory, loop: loop, disk: SystemDisk())
    }

    static func open(directory: String, loop: Int, disk: any Disk) throws(ColdFileError) -> ColdFile {
        let path = "\(directory)/cold-\(loop)"
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, path: path) }
        return ColdFile(path: path, file: file, disk: disk)
    }

    /// Removes the files of all loops: there may be fewer loops now than in the run before.
    public static func removeAll(in directory: String) {
        for name in SystemDisk.names(in: directory) ?? [] where name.hasPrefix("cold-") {
            unlink(directory + "/" + name)
        }
    }

    private init(path: String, file: Int32, disk: any Disk) {
        self.path = path
        self.file = file
        self.disk = disk
    }

    deinit {
        close(file)
    }

    /// How much of the file system the file may take.
    public var byteCount: Int { Int(space.end) * BlockSpace.unitBytes }

    // MARK: - Slots

    /// Names the slot where the bytes are now. On an error nothing has changed.
    public func store(_ bytes: [UInt8]) throws(ColdFileError) -> UInt64 {
        guard let order = BlockSpace.order(bytes: bytes.count + ColdFile.headBytes),
            let start = space.take(order: order)
        else { throw ColdFileError("\(bytes.count) bytes find no place in it", path: path) }
        let slot = UInt64(start) << 8 | UInt64(order)
        encode(bytes, slot: slot)
        let code = scratch.withUnsafeBytes { disk.write($0, to: file, at: ColdFile.offset(of: slot)) }
        // One large object should not hold its size in memory for good.
        if scratch.count > ColdFile.slackBytes { scratch = [] }
        guard code == 0 else {
            space.giveBack(start, order: order)
            throw .systemCall("write", code, path: path)
        }
        fileEnd = max(fileEnd, byteCount)
        return slot
    }

    /// The bytes of the slot, certainly those that were stored last.
    public func load(_ slot: UInt64) throws(ColdFileError) -> [UInt8] {
        // Small objects come with the head, in one call.
        let size = BlockSpace.unitBytes << ColdFile.order(of: slot)
        var block = try read(slot, count: min(size, 4096), from: 0)
        guard block.count >= ColdFile.headBytes else { throw damaged(slot, "it lies behind the end") }
        let (checksum, length) = ColdFile.head(block)
        let end = ColdFile.headBytes + length
        guard end <= size else { throw damaged(slot, "its length cannot be") }
        if end > block.count { block += try read(slot, count: end - block.count, from: block.count) }
        guard block.count >= end else { throw damaged(slot, "its end is missing") }
        guard checksum == ColdFile.checksum(block[4..<end], slot: slot) else {
            throw damaged(slot, "its checksum is wrong")
        }
        return Array(block[ColdFile.headBytes..<end])
    }

    /// The slot may be used for something else.
    public func release(_ slot: UInt64) {
        space.giveBack(UInt32(slot >> 8), order: ColdFile.order(of: slot))
        guard fileEnd - byteCount >= ColdFile.slackBytes, byteCount <= fileEnd / 2 else { return }
        // If it fails the file is longer than it need be.
        _ = ftruncate(file, off_t(byteCount))
        fileEnd = byteCount
    }

    // MARK: - Format

    private static func order(of slot: UInt64) -> Int { Int(slot & 0xFF) }

    static func offset(of slot: UInt64) -> Int { Int(slot >> 8) * BlockSpace.unitBytes }

    private func encode(_ bytes: [UInt8], slot: UInt64) {
        scratch.removeAll(keepingCapacity: true)
        withUnsafeBytes(of: UInt64(bytes.count).littleEndian << 32) { scratch.append(contentsOf: $0) }
        scratch.append(contentsOf: bytes)
        let checksum = ColdFile.checksum(scratch[4...], slot: slot)
        for position in 0..<4 { scratch[position] = UInt8(truncatingIfNeeded: checksum >> (8 * position)) }
    }

    private static func head(_ block: [UInt8]) -> (checksum: UInt32, length: Int) {
        block.withUnsafeBytes {
            (
                UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self)),
                Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            )
        }
    }

    /// Seeded by the place, so that the bytes of one slot never pass for those of another.
    private static func checksum(_ bytes: ArraySlice<UInt8>, slot: UInt64) -> UInt32 {
        let seed = UInt32(truncatingIfNeeded: slot ^ slot >> 32)
        return bytes.withUnsafeBytes { holdfast_crc32c(seed, $0.baseAddress, $0.count) }
    }

    private func read(_ slot: UInt64, count: Int, from offset: Int) throws(ColdFileError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            let start = ColdFile.offset(of: slot) + offset
            let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
            if let got = SystemDisk.read(file, at: start, into: target) {
                initializedCount = got
            } else {
                code = errno
            }
        }
        guard code == 0 else { throw .systemCall("read", code, path: path) }
        return bytes
    }

    private func damaged(_ slot: UInt64, _ reason: String) -> ColdFileError {
        ColdFileError("the slot at offset \(ColdFile.offset(of: slot)) is damaged: \(reason)", path: path)
    }
}

/// What went wrong with the file of cold objects, and where.
public struct ColdFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ what: String, path: String) {
        description = "\(path): \(what)"
    }

    static func systemCall(_ call: String, _ code: Int32, path: String) -> ColdFileError {
        ColdFileError("\(call) failed: \(SystemDisk.text(of: code))", path: path)
    }
}
