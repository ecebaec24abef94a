import Glibc
import Testing

@testable import Storage

@Suite struct SnapshotTests {
    private static let range = StoredRange(start: 0, end: 999)
    private static let other = StoredRange(start: 1000, end: .max)

    private static func objects(_ count: Int, version: Int = 1) -> [StoredObject] {
        (0..<count).map { number in
            let key = UInt64(number)
            return storedObject(
                key, version: version, expiresAtMs: number % 3 == 0 ? 1000 + key : .max,
                byteCount: number == 5 ? 400_000 : 30 + number % 50)
        }
    }

    private static func makeSource(in directory: String, _ count: Int = 300) throws -> ObjectStore {
        let store = try ObjectStore.open(directory: directory, options: StoreOptions(initialMapBytes: 4 << 20))
        try store.perform(create(1, range))
        try store.perform(checkpoint(1, range, index: 40, puts: objects(count)))
        return store
    }

    private static func all(_ reader: SnapshotReader) throws -> [StoredObject] {
        var reader = reader
        var objects: [StoredObject] = []
        while let next = try reader.next() { objects += next }
        return objects
    }

    @Test func holdsOneStateWhileWritesGoOn() throws {
        let directory = TemporaryDirectory()
        let store = try Self.makeSource(in: directory.path)
        let view = try store.makeView()
        try store.perform(checkpoint(1, Self.range, index: 41, puts: Self.objects(300, version: 2)))
        let answer = Answer<Result<VerifiedSnapshot, StoreError>>()
        let path = directory.path + "/a.snapshot"
        let writer = SnapshotWriter(shard: 1, of: view, to: path) { answer.give($0) }
        let snapshot = try answer.wait().get()
        writer.cancel()
        #expect(try SnapshotReader.verify(SnapshotFile(path: path), expectedHash: snapshot.hash) == snapshot)
        let reader = try SnapshotReader(SnapshotFile(path: path))
        #expect(reader.manifest.head == (try view.head(1)))
        #expect(reader.manifest.index == 40)
        #expect(try Self.all(reader) == Self.objects(300))
        #expect(UInt64(readFile(path).count) == snapshot.byteCount)
    }

    @Test func cancelledLeavesNothing() throws {
        let directory = TemporaryDirectory()
        let store = try Self.makeSource(in: directory.path)
        let error = #expect(throws: StoreError.self) {
            try SnapshotWriter.write(shard: 1, of: store.makeView(), to: directory.path + "/a.snapshot") { true }
        }
        #expect(error?.kind == .cancelled)
        #expect(SystemDisk.names(in: directory.path)?.contains { $0.hasPrefix("a.snapshot") } == false)
    }

    private static func bytes(_ count: Int) throws -> (bytes: [UInt8], hash: UInt64) {
        var store = MemoryStore()
        try store.perform(create(1, range))
        try store.perform(checkpoint(1, range, index: 40, puts: objects(count)))
        return try store.makeSnapshot(1)
    }

    @Test func everyFlippedByteIsFound() throws {
        let (good, hash) = try Self.bytes(5)
        for offset in good.indices {
            var bad = good
            bad[offset] ^= UInt8(1) << UInt8(offset % 8)
            let file = MemorySnapshot(name: "bad", bytes: bad)
            #expect(throws: StoreError.self, "offset \(offset)") {
                try SnapshotReader.verify(file, expectedHash: hash)
            }
            // A reader that verifies nothing first finds it too, but for the hash itself, or it ends.
            let read = try? Self.all(SnapshotReader(file))
            #expect(read == nil || read == Self.objects(5), "offset \(offset)")
        }
    }

    @Test func everyCutIsFound() throws {
        let (good, hash) = try Self.bytes(5)
        for end in 0..<good.count {
            let file = MemorySnapshot(name: "cut", bytes: Array(good[..<end]))
            #expect(throws: StoreError.self) { try SnapshotReader.verify(file, expectedHash: hash) }
            #expect(throws: StoreError.self) { try Self.all(SnapshotReader(file)) }
        }
    }

    @Test func otherVersionIsRefusedByName() throws {
        var (bytes, _) = try Self.bytes(1)
        bytes[8] = 9
        let error = #expect(throws: StoreError.self) {
            try SnapshotReader(MemorySnapshot(name: "other", bytes: bytes))
        }
        #expect(error?.kind == .otherVersion)
    }

    @Test func forgedSizesReserveNothing() {
        #expect(!SnapshotFormat.isPossible(rawBytes: 1 << 28, storedBytes: 100))
        #expect(!SnapshotFormat.isPossible(rawBytes: Int(UInt32.max), storedBytes: 1 << 30))
        #expect(!SnapshotFormat.isPossible(rawBytes: 100, storedBytes: 200))
        #expect(SnapshotFormat.isPossible(rawBytes: 25_500, storedBytes: 100))
    }

    @Test func hashDependsOnTheBytesAndNotOnThePieces() {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
        var whole = BlockHash()
        whole.add(bytes)
        for size in [1 << 10, 65535, 65536, 65537, 299_999] {
            var parts = BlockHash()
            for start in stride(from: 0, to: bytes.count, by: size) {
                parts.add(bytes[start..<min(bytes.count, start + size)])
            }
            #expect(parts.value == whole.value)
        }
    }

    // MARK: Taking in

    @Test func intakeGoesOnWhereItWasAndTakesNothingTwice() throws {
        let (good, hash) = try Self.bytes(60)
        let directory = TemporaryDirectory()
        let place = try SnapshotDirectory(directory.path + "/in")
        do {
            let intake = try place.intake(title: "s1", byteCount: UInt64(good.count), hash: hash)
            #expect(try intake.append(Array(good[100..<200]), at: 100) == 0)
            #expect(try intake.append(Array(good[..<100]), at: 0) == 100)
            #expect(try intake.append(Array(good[..<100]), at: 0) == 100)
            #expect(try intake.append(Array(good[50..<150]), at: 50) == 150)
        }
        // The link breaks, and so does the object; the file goes on.
        let intake = try place.intake(title: "s1", byteCount: UInt64(good.count), hash: hash)
        #expect(intake.received == 150)
        #expect(try intake.append(Array(good[150...]) + [1, 2, 3], at: 150) == UInt64(good.count))
        #expect(place.names().isEmpty)
        let snapshot = try intake.finish()
        #expect(try intake.finish() == snapshot)
        #expect(place.names() == [snapshot.name])
        #expect(readFile(snapshot.path) == good)
        // Offered again, it is there already.
        let again = try place.intake(title: "s1", byteCount: UInt64(good.count), hash: hash)
        #expect(again.isComplete)
        #expect(try again.finish() == snapshot)
    }

    @Test func intakeThrowsAwayWhatWasNotPromised() throws {
        let (good, hash) = try Self.bytes(10)
        let directory = TemporaryDirectory()
        let place = try SnapshotDirectory(directory.path)
        let intake = try place.intake(title: "s1", byteCount: UInt64(good.count), hash: hash)
        var bad = good
        bad[300] ^= 1
        #expect(try intake.append(bad, at: 0) == UInt64(good.count))
        let error = #expect(throws: StoreError.self) { try intake.finish() }
        #expect(error?.kind == .damaged)
        #expect(intake.received == 0)
        #expect(place.names().isEmpty)
        #expect(try intake.append(good, at: 0) == UInt64(good.count))
        #expect(try intake.finish().manifest.index == 40)
    }

    @Test func leftoversGoAtTheNextOpening() throws {
        let directory = TemporaryDirectory()
        let place = try SnapshotDirectory(directory.path + "/snapshots")
        writeFile(place.path(of: "a.partial"), [1])
        writeFile(place.path(of: "b.snapshot"), [1])
        _ = try ObjectStore.open(directory: directory.path, options: smallOptions())
        #expect(SystemDisk.names(in: place.path) == ["b.snapshot"])
    }

    // MARK: Installing

    /// A store with an old state of the shard and another shard beside it, and the new state as a file.
    private static func prepare(
        in directory: String, _ options: StoreOptions
    ) throws -> (store: ObjectStore, install: StoreTransaction, bytes: [UInt8]) {
        let (bytes, hash) = try bytes(40)
        let store = try ObjectStore.open(directory: directory, options: options)
        try store.perform(create(1, range))
        let old = (20..<60).map { storedObject($0, version: 9, expiresAtMs: 3) }
        try store.perform(checkpoint(1, range, index: 7, puts: old))
        try store.perform(create(2, other))
        try store.perform(checkpoint(2, other, index: 3, puts: [storedObject(2000, expiresAtMs: 4)]))
        let intake = try store.snapshots.intake(title: "s1", byteCount: UInt64(bytes.count), hash: hash)
        _ = try intake.append(bytes, at: 0)
        let snapshot = try intake.finish()
        let install = StoreInstall(shard: 1, snapshot: snapshot, head: headContent(40, range, payload: [8]))
        return (store, .install(install), bytes)
    }

    private static func expect(_ store: ObjectStore, _ contents: StoreContents, isNew: Bool) throws {
        let head = contents.heads.first { $0.shard == 1 }
        #expect(head?.index == (isNew ? 40 : 7))
        let mine = contents.objects.filter { range.contains($0.key.object) }
        #expect(mine == (isNew ? objects(40) : (20..<60).map { storedObject($0, version: 9, expiresAtMs: 3) }))
        #expect(contents.objects.contains(storedObject(2000, expiresAtMs: 4)))
        #expect(contents.expiries.count == (isNew ? 14 + 1 : 40 + 1))
        #expect(try store.makeView().verify(1) == .whole(head!))
    }

    @Test func installedStateReplacesTheOldOne() throws {
        let directory = TemporaryDirectory(in: "/dev/shm")
        let (store, install, _) = try Self.prepare(in: directory.path, smallOptions())
        let heads = try store.perform(install)
        #expect(heads.map(\.index) == [40])
        #expect(heads.first?.payload == [8])
        try Self.expect(store, StoreContents(store), isNew: true)
        #expect(store.snapshots.names().isEmpty)
        store.close()
        #expect(StoreInspector.inspect(directory: directory.path) == .sound)
    }

    /// Stops after every single commit, at which nobody heard of it, and opens again.
    @Test func crashAtAnyCommitLeavesTheOldStateOrTheNew() throws {
        var commits: UInt64 = 0
        var olds = 0
        var news = 0
        while true {
            let directory = TemporaryDirectory(in: "/dev/shm")
            var options = smallOptions()
            let limit = CommitLimit()
            options.survivesCommit = { _ in limit.takeOne() }
            var wasDone = false
            do {
                let (store, install, _) = try Self.prepare(in: directory.path, options)
                limit.set(commits)
                store.apply(install) { _ in limit.end() }
                // Stopped, it never answers.
                wasDone = limit.waitForEnd()
                store.abandon()
            }
            #expect(StoreInspector.inspect(directory: directory.path) == .sound)
            // The next opening is stopped as well, once; the one after that is not.
            var again = smallOptions()
            again.survivesCommit = { $0 < 3 }
            _ = try? ObjectStore.open(directory: directory.path, options: again)
            #expect(StoreInspector.inspect(directory: directory.path) == .sound)
            let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
            #expect(store.lost.isEmpty)
            let contents = try StoreContents(store)
            let isNew = contents.heads.first { $0.shard == 1 }?.index == 40
            try Self.expect(store, contents, isNew: isNew)
            if isNew { news += 1 } else { olds += 1 }
            if wasDone { break }
            commits += 1
            store.close()
        }
        #expect(olds == 0)
        #expect(news > 10)
    }

    @Test func lostFileIsNamedAndItsShardCanBeReplaced() throws {
        let directory = TemporaryDirectory(in: "/dev/shm")
        let limit = CommitLimit()
        var options = smallOptions()
        options.survivesCommit = { _ in limit.takeOne() }
        var good: [UInt8] = []
        do {
            let (store, install, bytes) = try Self.prepare(in: directory.path, options)
            good = bytes
            limit.set(0)
            store.apply(install) { _ in }
            #expect(!limit.waitForEnd())
            for name in store.snapshots.names() { store.snapshots.remove(name) }
            store.abandon()
        }
        #expect(StoreInspector.inspect(directory: directory.path) == .sound)
        let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
        #expect(store.lost.map(\.shard) == [1])
        #expect(store.lost.map(\.kind) == [.damaged])
        #expect(store.heads.map(\.shard) == [2])
        // Nothing else can take its place unseen.
        let refused = #expect(throws: StoreError.self) { try store.perform(create(1, Self.range)) }
        #expect(refused?.kind == .refused)
        let hash = try SnapshotReader.storedHash(MemorySnapshot(name: "", bytes: good))
        let intake = try store.snapshots.intake(title: "s1", byteCount: UInt64(good.count), hash: hash)
        _ = try intake.append(good, at: 0)
        let install = StoreInstall(
            shard: 1, snapshot: try intake.finish(), head: headContent(40, Self.range, payload: [8]))
        try store.perform(.install(install))
        try Self.expect(store, StoreContents(store), isNew: true)
    }

    @Test func olderSnapshotIsRefused() throws {
        let directory = TemporaryDirectory(in: "/dev/shm")
        let (store, install, _) = try Self.prepare(in: directory.path, smallOptions())
        try store.perform(checkpoint(1, Self.range, index: 41, puts: [storedObject(1)]))
        let before = try StoreContents(store)
        let error = #expect(throws: StoreError.self) { try store.perform(install) }
        #expect(error?.kind == .refused)
        #expect(try StoreContents(store) == before)
    }

    /// The same in the twin, where every step can be stopped at.
    @Test func twinInstallsAndSurvivesACrashAtAnyStep() throws {
        let (bytes, hash) = try Self.bytes(40)
        var stops = 0
        while true {
            var store = MemoryStore(sliceRecords: 6)
            try store.perform(create(1, Self.range))
            try store.perform(checkpoint(1, Self.range, index: 7, puts: [storedObject(800)]))
            let (name, offset) = store.intake(title: "s1", byteCount: UInt64(bytes.count), hash: hash)
            #expect(offset == 0)
            #expect(store.append(Array(bytes[..<90]), at: 0, to: name) == 90)
            #expect(store.append(bytes, at: 0, to: name) == UInt64(bytes.count))
            let snapshot = try store.finishIntake(name)
            let install = StoreInstall(shard: 1, snapshot: snapshot, head: headContent(40, Self.range))
            var taken = 0
            func goesOn() -> Bool {
                taken += 1
                return taken <= stops
            }
            _ = try store.begin(.install(install))
            let isSwitched = goesOn()
            if isSwitched { try store.commit() }
            while isSwitched, store.hasJobs, goesOn() {
                _ = try store.step()
                guard goesOn() else { break }
                try store.commit()
            }
            let wasDone = isSwitched && !store.hasJobs && !store.hasUncommitted
            store.crash(.process)
            #expect(try store.recover().map(\.index) == [isSwitched ? 40 : 7])
            #expect(store.lost.isEmpty)
            let contents = try StoreContents(store)
            #expect(contents.objects == (isSwitched ? Self.objects(40) : [storedObject(800)]))
            #expect(store.inspect() == .sound)
            #expect(store.snapshots.isEmpty == isSwitched)
            if wasDone { break }
            stops += 1
        }
        #expect(stops > 8)
    }
}
