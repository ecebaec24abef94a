import Glibc
import Testing

@testable import Storage

/// Files of snapshots under a data key.
struct SealedFileTests {
    private let temporary = TemporaryDirectory()
    private var path: String { temporary.path + "/file" }

    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    private func write(_ content: [UInt8], pieces: Int, keys: DataKeys?) throws {
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(file) }
        var writer = try RestingFileWriter(file, path: path, keys: keys)
        for start in stride(from: 0, to: content.count, by: pieces) {
            try writer.append(content[start..<min(content.count, start + pieces)])
        }
        try writer.finish()
    }

    private static let block = SealedFile.blockBytes

    @Test(arguments: [0, 1, block - 1, block, block + 1, 2 * block, 3 * block + 4_711])
    func whatIsWrittenIsReadFromAnywhere(_ count: Int) throws {
        let keys = try dataKeys("a", "b")
        let content = Self.content(count)
        for pieces in [1_000, Self.block, 3 * Self.block + 1] {
            try write(content, pieces: pieces, keys: keys)
            let file = try SnapshotFile(path: path, keys: try dataKeys("b", "a"))
            #expect(file.byteCount == UInt64(count))
            #expect(try file.read(at: 0, count: count) == content)
            for start in stride(from: 0, to: count, by: 20_011) {
                let length = min(count - start, 70_000)
                #expect(try file.read(at: UInt64(start), count: length) == Array(content[start..<start + length]))
            }
            #expect(throws: StoreError.self) { try file.read(at: UInt64(count), count: 1) }
        }
    }

    @Test func withoutKeysAFileIsPlain() throws {
        try write(Self.content(100_000), pieces: 999, keys: nil)
        #expect(readFile(path) == Self.content(100_000))
        #expect(try SnapshotFile(path: path, keys: dataKeys("a")).read(at: 5, count: 10) == Array(Self.content(100)[5..<15]))
    }

    @Test func noFileHasTheBytesOfAnother() throws {
        let content = Self.content(1_000)
        try write(content, pieces: 100, keys: dataKeys("a"))
        let first = readFile(path)
        try write(content, pieces: 100, keys: dataKeys("a"))
        #expect(zip(first, readFile(path)).dropFirst(SealedFile.headBytes).filter { $0 == $1 }.count < 50)
    }

    @Test func otherKeysOpenNothing() throws {
        try write(Self.content(1_000), pieces: 100, keys: dataKeys("a"))
        for keys in [nil, try dataKeys("b")] {
            let error = #expect(throws: StoreError.self) { try SnapshotFile(path: path, keys: keys) }
            #expect(error?.kind == .sealed)
        }
    }

    @Test func whatWasChangedOrPutElsewhereIsNotRead() throws {
        let keys = try dataKeys("a")
        try write(Self.content(2 * Self.block + 100), pieces: 4_096, keys: keys)
        let good = readFile(path)
        let blocks = [good[32..<32 + SealedFile.sealedBlockBytes], good[(32 + SealedFile.sealedBlockBytes)...]]
        var bad = [Array(good[..<32]) + blocks[1].prefix(SealedFile.sealedBlockBytes) + blocks[0]]
        for place in [20, 32, 40, SealedFile.sealedBlockBytes + 31, good.count - 1] {
            var changed = good
            changed[place] ^= 4
            bad.append(changed)
        }
        bad.append(Array(good.dropLast()))
        for bytes in bad {
            writeFile(path, bytes)
            #expect(throws: StoreError.self) {
                let file = try SnapshotFile(path: path, keys: keys)
                _ = try file.read(at: 0, count: 2 * Self.block + 100)
            }
        }
    }

    /// From a store under one key, by a file under it, to a store under another.
    @Test func aSnapshotTravelsBetweenKeysAndLiesNowhereInTheClear() throws {
        let range = StoredRange(start: 0, end: 999)
        let marker = Array("marker-of-a-client-77e1".utf8)
        func options(_ digits: Character) throws -> StoreOptions {
            var options = smallOptions()
            options.keys = try dataKeys(digits)
            return options
        }
        func hasMarker(_ path: String) -> Bool {
            let bytes = readFile(path)
            return bytes.indices.contains { bytes[$0...].starts(with: marker) }
        }
        let source = try ObjectStore.open(directory: temporary.path + "/a", options: options("a"))
        try source.perform(create(1, range))
        var objects = (0..<40).map { storedObject($0, version: 1, expiresAtMs: .max, byteCount: 40) }
        objects[7].bytes = marker
        try source.perform(checkpoint(1, range, index: 40, puts: objects))
        let outgoing = temporary.path + "/out.snapshot"
        let sent = try SnapshotWriter.write(shard: 1, of: source.makeView(), to: outgoing, keys: dataKeys("a"))
        #expect(!hasMarker(outgoing))

        let target = try ObjectStore.open(directory: temporary.path + "/b", options: options("b"))
        try target.perform(create(1, range))
        let file = try SnapshotFile(path: outgoing, keys: dataKeys("a"))
        let halves = [try file.read(at: 0, count: 100), try file.read(at: 100, count: Int(sent.byteCount) - 100)]
        _ = try target.snapshots.intake(title: "s1", byteCount: sent.byteCount, hash: sent.hash).append(halves[0], at: 0)
        let intake = try target.snapshots.intake(title: "s1", byteCount: sent.byteCount, hash: sent.hash)
        #expect(intake.received == 0, "what another intake began is begun anew")
        _ = try intake.append(halves[0], at: 0)
        _ = try intake.append(halves[1], at: 100)
        let snapshot = try intake.finish()
        #expect(snapshot.hash == sent.hash && snapshot.byteCount == sent.byteCount && !hasMarker(snapshot.path))
        let install = StoreInstall(shard: 1, snapshot: snapshot, head: headContent(40, range, payload: [8]))
        try target.perform(.install(install))
        let found = try target.makeView().objects(in: range, after: nil)
        #expect(found.map(\.bytes) == objects.map(\.bytes))
        #expect(!hasMarker(temporary.path + "/b/data.mdb"))
    }
}
