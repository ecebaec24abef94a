import Glibc
import Testing

@testable import Storage

@Suite struct ObjectStoreTests {
    private let directory = TemporaryDirectory()

    private func open(_ options: StoreOptions = smallOptions()) throws(StoreError) -> ObjectStore {
        try ObjectStore.open(directory: directory.path + "/store", options: options)
    }

    private static let lower = StoredRange(start: 0, end: 99)
    private static let upper = StoredRange(start: 100, end: .max)

    @Test func comesBackAsItWas() throws {
        var expected: StoreContents
        do {
            let store = try open()
            #expect(store.heads.isEmpty)
            try store.perform(create(3))
            let puts = (1...200).map { storedObject($0, expiresAtMs: $0 % 3 == 0 ? $0 * 10 : .max) }
            let written = try store.perform(checkpoint(3, index: 5, puts: puts))
            #expect(written.map(\.objectCount) == [200])
            try store.perform(
                checkpoint(3, index: 9, puts: [storedObject(6, version: 2)], removes: [storeKey(7), storeKey(999)]))
            expected = try StoreContents(store)
            store.close()
        }
        let store = try open()
        #expect(try StoreContents(store) == expected)
        #expect(store.heads == expected.heads)
        #expect(store.heads.first?.objectCount == 199)
        #expect(store.heads.first?.index == 9)
        let reader = try store.makeReader()
        #expect(try reader.get(storeKey(6)) == storedObject(6, version: 2).bytes)
        #expect(try reader.get(storeKey(7)) == nil)
        #expect(try reader.get(StoreKey(object: 6, fingerprint: 8)) == nil)
        #expect(try store.readHead(3) == store.heads.first)
        #expect(try store.readHead(4) == nil)
    }

    @Test func fileIsPrivate() throws {
        let store = try open()
        try store.perform(create(1))
        var status = stat()
        #expect(stat(directory.path + "/store/data.mdb", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func expiriesComeInTheOrderOfTime() throws {
        let store = try open()
        try store.perform(create(1))
        try store.perform(
            checkpoint(
                1, index: 1,
                puts: [
                    storedObject(1, expiresAtMs: 300), storedObject(2, expiresAtMs: 100), storedObject(3),
                    storedObject(4, expiresAtMs: 200),
                ]))
        let reader = try store.makeReader()
        let due = try reader.dueExpiries(before: 200, limit: 10)
        #expect(due.map(\.key.object) == [2, 4])
        #expect(try reader.dueExpiries(before: 999, after: due[0], limit: 1).map(\.key.object) == [4])
        // A later expiry replaces the earlier one, and none removes it.
        try store.perform(
            checkpoint(1, index: 2, puts: [storedObject(2, expiresAtMs: 250), storedObject(4)]))
        #expect(try reader.dueExpiries(before: 999, limit: 10).map(\.key.object) == [2, 1])
        try store.perform(checkpoint(1, index: 3, removes: [storeKey(2)]))
        #expect(try reader.dueExpiries(before: 999, limit: 10).map(\.key.object) == [1])
    }

    @Test func keysComeInPages() throws {
        let store = try open()
        try store.perform(create(1))
        try store.perform(checkpoint(1, index: 1, puts: (0..<50).map { storedObject($0) }))
        let reader = try store.makeReader()
        let range = StoredRange(start: 10, end: 30)
        let first = try reader.keys(in: range, limit: 15)
        let rest = try reader.keys(in: range, after: first.last, limit: 15)
        #expect((first + rest).map(\.object) == Array(10...30))
        #expect(try reader.keys(in: range, after: storeKey(30), limit: 15).isEmpty)
    }

    @Test func digestSaysWhatIsThereAndNotHowItCame() throws {
        let store = try open()
        try store.perform(create(1, Self.lower))
        try store.perform(create(2, Self.upper))
        let objects = (1...9).map { storedObject($0) }
        let others = objects.map { storedObject($0.key.object, version: 8) }
        try store.perform(checkpoint(1, Self.lower, index: 1, puts: others))
        try store.perform(checkpoint(1, Self.lower, index: 2, puts: objects.reversed()))
        let once = MemoryStore()
        var twin = once
        try twin.perform(create(1, Self.lower))
        try twin.perform(checkpoint(1, Self.lower, index: 2, puts: objects))
        #expect(try store.readHead(1) == twin.readHead(1))
        try store.perform(checkpoint(1, Self.lower, index: 3, puts: [storedObject(9, expiresAtMs: 4)]))
        #expect(try store.readHead(1)?.digest != twin.readHead(1)?.digest)
        try store.perform(checkpoint(1, Self.lower, index: 4, removes: objects.map(\.key)))
        #expect(try store.readHead(1)?.tally == StoreTally.none)
    }

    @Test func splitAndMergeCopyNothing() throws {
        let store = try open()
        try store.perform(create(1))
        try store.perform(checkpoint(1, index: 1, puts: (50..<150).map { storedObject($0) }))
        let before = try StoreContents(store)
        let parent = StoreCheckpoint(shard: 1, puts: [], head: headContent(2, Self.lower))
        let heads = try store.perform(
            .split(StoreSplit(parent: parent, child: 65537, childHead: headContent(3, Self.upper, term: 2))))
        #expect(heads.map(\.shard) == [1, 65537])
        #expect(heads.map(\.objectCount) == [50, 50])
        #expect(heads[0].digest &+ heads[1].digest == before.heads[0].digest)
        #expect(try StoreContents(store).objects == before.objects)
        for shard: UInt32 in [1, 65537] {
            guard case .whole = try store.makeView().verify(shard) else {
                Issue.record("shard \(shard) is not whole after the split")
                continue
            }
        }
        let merged = try store.perform(
            .merge(StoreMerge(left: 1, right: 65537, into: 2, head: headContent(4, .all))))
        #expect(merged.map(\.tally) == before.heads.map(\.tally))
        #expect(try StoreContents(store).objects == before.objects)
        #expect(try store.makeView().heads().map(\.shard) == [2])
    }

    @Test func severalSplitsAtOnceAreOneTransaction() throws {
        let store = try open()
        var twin = MemoryStore()
        let parts = [(0, 99), (100, 119), (120, .max)].map { StoredRange(start: $0, end: $1) }
        let split = StoreSplit(
            parent: StoreCheckpoint(shard: 1, puts: [], head: headContent(5, parts[0])),
            children: [
                .init(shard: 65537, head: headContent(3, parts[2])),
                .init(shard: 131073, head: headContent(4, parts[1])),
            ])
        let objects = (50..<150).map { storedObject($0) }
        for transaction in [create(1), checkpoint(1, index: 1, puts: objects), .split(split)] {
            #expect(try store.perform(transaction) == twin.perform(transaction))
        }
        #expect(try store.makeView().heads().map(\.objectCount) == [50, 30, 20])
        #expect(try store.makeView().heads().map(\.range) == [parts[0], parts[2], parts[1]])
        let gap = StoreSplit(
            parent: StoreCheckpoint(shard: 1, puts: [], head: headContent(6, StoredRange(start: 0, end: 9))),
            children: [.init(shard: 7, head: headContent(6, StoredRange(start: 11, end: 99)))])
        #expect(throws: StoreError.self) { try store.perform(.split(gap)) }
    }

    @Test func erasesOneShardAndNoOther() throws {
        let store = try open()
        try store.perform(create(1, Self.lower))
        try store.perform(create(2, Self.upper))
        try store.perform(
            checkpoint(1, Self.lower, index: 1, puts: (0..<100).map { storedObject($0, expiresAtMs: 50 + $0) }))
        try store.perform(
            checkpoint(2, Self.upper, index: 1, puts: (100..<130).map { storedObject($0, expiresAtMs: 1) }))
        try store.perform(.erase(StoreErasure(shard: 1, range: Self.lower)))
        let after = try StoreContents(store)
        #expect(after.heads.map(\.shard) == [2])
        #expect(try store.makeReader().keys(in: .all, limit: .max).map(\.object) == Array(100..<130))
        #expect(after.expiries.map(\.key.object) == Array(100..<130))
        // The range is free again, and truly empty.
        try store.perform(create(9, Self.lower))
        #expect(try store.makeView().verify(9) == .whole(store.readHead(9)!))
    }

    /// Stopped after any of its commits, an erasure never shows the shard again, and the next opening ends it.
    @Test func erasureIsFinishedAfterACrashAtAnyCommit() throws {
        var commits: UInt64 = 0
        var wasDone = false
        while !wasDone {
            let directory = TemporaryDirectory(in: "/dev/shm")
            let limit = CommitLimit()
            var options = smallOptions()
            options.survivesCommit = { _ in limit.takeOne() }
            do {
                let store = try ObjectStore.open(directory: directory.path, options: options)
                try store.perform(create(1, Self.lower))
                try store.perform(create(2, Self.upper))
                let puts = (0..<20).map { storedObject($0, expiresAtMs: 9 + $0) }
                try store.perform(checkpoint(1, Self.lower, index: 1, puts: puts))
                try store.perform(checkpoint(2, Self.upper, index: 1, puts: [storedObject(100, expiresAtMs: 5)]))
                limit.set(commits)
                store.apply(.erase(StoreErasure(shard: 1, range: Self.lower))) { _ in limit.end() }
                wasDone = limit.waitForEnd()
                store.abandon()
            }
            #expect(StoreInspector.inspect(directory: directory.path) == .sound)
            let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
            #expect(store.heads.map(\.shard) == [2])
            // A new shard there waits for the rest of the erasure, and is truly empty.
            try store.perform(create(3, Self.lower))
            let contents = try StoreContents(store)
            #expect(contents.objects == [storedObject(100, expiresAtMs: 5)])
            #expect(contents.expiries.map(\.key.object) == [100])
            #expect(try store.makeReader().keys(in: .all, limit: 99) == [storeKey(100)])
            commits += 1
        }
        #expect(commits > 6)
    }

    @Test(arguments: [
        ("unknown shard", checkpoint(9, index: 1)),
        ("older index", checkpoint(1, lower, index: 4)),
        ("other range", checkpoint(1, upper, index: 6)),
        ("object of another shard", checkpoint(1, lower, index: 6, puts: [storedObject(100)])),
        ("removal of another shard's", checkpoint(1, lower, index: 6, removes: [storeKey(100)])),
        ("shard that exists", create(1, StoredRange(start: 500, end: 600))),
        ("range that is taken", create(4, StoredRange(start: 90, end: 95))),
        ("other range erased", .erase(StoreErasure(shard: 1, range: upper))),
        ("range of another erased", .erase(StoreErasure(shard: 7, range: lower))),
        ("merge of no neighbours", .merge(StoreMerge(left: 1, right: 1, into: 3, head: headContent(9)))),
        (
            "split with a gap",
            .split(
                StoreSplit(
                    parent: StoreCheckpoint(
                        shard: 1, puts: [], head: headContent(9, StoredRange(start: 0, end: 40))),
                    child: 2, childHead: headContent(9, StoredRange(start: 42, end: 99))))
        ),
    ])
    func refusesWithoutChangingAnything(_ name: String, _ transaction: StoreTransaction) throws {
        let store = try open()
        try store.perform(create(1, Self.lower))
        try store.perform(checkpoint(1, Self.lower, index: 5, puts: [storedObject(1)]))
        let before = try StoreContents(store)
        let error = #expect(throws: StoreError.self, "\(name)") { try store.perform(transaction) }
        #expect(error?.kind == .refused)
        #expect(try StoreContents(store) == before)
        try store.perform(checkpoint(1, Self.lower, index: 6, puts: [storedObject(2)]))
    }

    @Test func oneThatIsRefusedSparesThoseOfTheSameCommit() throws {
        let store = try open()
        try store.perform(create(1))
        let gate = Answer<Bool>()
        let started = Answer<Bool>()
        store.apply(
            making: {
                started.give(true)
                _ = gate.wait()
                return checkpoint(1, index: 1)
            }, done: { _ in })
        _ = started.wait()
        let order = Outcomes()
        let commits = store.statistics.commits
        let answers = (2...9).map { index in
            let answer = Answer<Result<[StoredHead], StoreError>>()
            store.apply(checkpoint(index == 5 ? 77 : 1, index: UInt64(index), puts: [storedObject(UInt64(index))])) {
                order.callback(UInt64(index))(.success(()))
                answer.give($0)
            }
            return answer
        }
        gate.give(true)
        let results = answers.map { $0.wait() }
        for (index, result) in zip(2..., results) {
            switch result {
            case .success(let heads):
                #expect(index != 5)
                #expect(heads.first?.index == UInt64(index))
            case .failure(let error):
                #expect(index == 5)
                #expect(error.kind == .refused)
            }
        }
        #expect(order.wait(8).map(\.number) == Array(2...9))
        #expect(store.statistics.commits <= commits + 2)
        #expect(try store.readHead(1)?.objectCount == 7)
    }

    @Test func growsWhileReadersAndViewsAreOpen() throws {
        let store = try open(StoreOptions(initialMapBytes: 256 << 10, commitBytes: 64 << 10))
        try store.perform(create(1))
        try store.perform(checkpoint(1, index: 1, puts: [storedObject(1)]))
        let view = try store.makeView()
        let reader = try store.makeReader()
        let stop = Answer<Bool>()
        let isStopped = SnapshotWriter.Cancellation()
        WorkerThread(name: "reader") {
            var failures = 0
            guard let own = try? store.makeReader() else { return stop.give(false) }
            while !isStopped.isCancelled {
                if (try? own.get(storeKey(1))) != storedObject(1).bytes { failures += 1 }
            }
            stop.give(failures == 0)
        }.detach()
        for index in 2...60 {
            let object = storedObject(UInt64(index), byteCount: 100_000)
            try store.perform(checkpoint(1, index: UInt64(index), puts: [object]))
        }
        isStopped.cancel()
        #expect(stop.wait())
        #expect(store.statistics.growths >= 4)
        #expect(store.mapBytes >= 6_000_000)
        #expect(try reader.get(storeKey(60)) == storedObject(60, byteCount: 100_000).bytes)
        // The view still shows the state from before all that.
        #expect(try view.heads().map(\.index) == [1])
        #expect(try view.objects(in: .all) == [storedObject(1)])
    }

    @Test func boundOfTheMapIsNoSpaceAndNotTheEnd() throws {
        let store = try open(StoreOptions(initialMapBytes: 256 << 10, maximumMapBytes: 512 << 10))
        try store.perform(create(1))
        let large = storedObject(1, byteCount: 600_000)
        let error = #expect(throws: StoreError.self) { try store.perform(checkpoint(1, index: 1, puts: [large])) }
        #expect(error?.kind == .noSpace)
        #expect(try store.readHead(1)?.index == 0)
        try store.perform(checkpoint(1, index: 1, puts: [storedObject(1)]))
        #expect(try store.makeReader().get(storeKey(1)) == storedObject(1).bytes)
    }

    @Test func closedStoreSaysSo() throws {
        let store = try open()
        store.close()
        let error = #expect(throws: StoreError.self) { try store.perform(create(1)) }
        #expect(error?.kind == .closed)
    }

    /// What is read stays mapped, up to the limit only, and can be read again.
    @Test(arguments: [Int.max, 0]) func memoryIsGivenBack(residentBytes: Int) throws {
        let store = try open(StoreOptions(residentBytes: residentBytes))
        try store.perform(create(1))
        for index in 1...150 {
            let large = storedObject(UInt64(index), byteCount: 200_000)
            try store.perform(checkpoint(1, index: UInt64(index), puts: [large]))
        }
        let reader = try store.makeReader()
        var most = 0
        for _ in 1...2 {
            for index in 1...150 { #expect(try reader.get(storeKey(UInt64(index)))?.count == 200_000) }
            most = max(most, try residentKilobytes(ofFile: directory.path + "/store/data.mdb"))
        }
        // 30 MB in all; between two looks at most 128 reads.
        #expect(residentBytes == 0 ? most < 27_000 : most > 29_000)
        #expect(try reader.get(storeKey(17)) == storedObject(17, byteCount: 200_000).bytes)
    }

    /// Of the mapping of one file: the other tests of this process map theirs.
    private func residentKilobytes(ofFile path: String) throws -> Int {
        let file = Glibc.open("/proc/self/smaps", O_RDONLY)
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 4 << 20)
        let count = try #require(text.withUnsafeMutableBytes { SystemDisk.read(file, at: 0, into: $0) })
        let maps = String(decoding: text[..<count], as: UTF8.self).split(separator: "\n")
        let start = try #require(maps.firstIndex { $0.hasSuffix(path) })
        let line = try #require(maps[start...].first { $0.hasPrefix("Rss:") })
        return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    }

    @Test func refusesOtherVersionsByName() throws {
        do {
            let store = try open()
            try store.perform(create(1))
        }
        let environment = try StoreEnvironment(directory: directory.path + "/store", options: smallOptions())
        do {
            let transaction = try WriteTransaction(environment)
            var value = try #require(try transaction.value(.about))
            value[4] = 9
            let checksum = Checksum.of(Array(value[4...]), seed: RecordKey.about.checksum)
            for byte in 0..<4 { value[byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
            try transaction.write(.about, value)
            try transaction.commitUnmarked()
        }
        let error = #expect(throws: StoreError.self) {
            try StoreOpening.settle(environment, StoreWriter(environment, smallOptions()))
        }
        #expect(error?.kind == .otherVersion)
        #expect(error?.what.contains("9") == true)
    }

    @Test(arguments: [
        (ENOSPC, 1 << 40, true), (EDQUOT, 1 << 40, true), (EFBIG, 1 << 40, true), (EIO, 4096, true),
        (EIO, 1 << 20, false), (EROFS, 0, false), (EBADF, 0, false),
    ] as [(Int32, UInt64, Bool)])
    func tellsAFullDiskFromABadOne(_ code: Int32, _ freeBytes: UInt64, _ isFull: Bool) {
        #expect(StoreWriter.meansFullDisk(code, freeBytes: freeBytes) == isFull)
    }
}

/// A real disk that is full: a small file system in memory, where the tests may mount one.
@Suite(.enabled(if: SmallDisk.isPossible, "needs the right to mount")) struct StoreOnAFullDiskTests {
    @Test func fullDiskIsSurvived() throws {
        let disk = try #require(SmallDisk(bytes: 2 << 20))
        let path = disk.path + "/store"
        do {
            let store = try ObjectStore.open(directory: path, options: smallOptions())
            try store.perform(create(1))
            try store.perform(checkpoint(1, index: 1, puts: [storedObject(1)]))
            var index: UInt64 = 2
            var failed: StoreError?
            while failed == nil, index < 40 {
                do throws(StoreError) {
                    let large = storedObject(index, byteCount: 150_000)
                    try store.perform(checkpoint(1, index: index, puts: [large]))
                    index += 1
                } catch {
                    failed = error
                }
            }
            #expect(failed?.kind == .noSpace)
            #expect(try store.readHead(1)?.index == index - 1)
            #expect(try store.makeReader().get(storeKey(1)) == storedObject(1).bytes)
            // Smaller things still fit, and removing makes room.
            try store.perform(checkpoint(1, index: index, puts: [storedObject(1, version: 2)]))
            try store.perform(checkpoint(1, index: index + 1, removes: [storeKey(2), storeKey(3)]))
            try store.perform(checkpoint(1, index: index + 2, removes: [storeKey(4)]))
            try store.perform(
                checkpoint(1, index: index + 3, puts: [storedObject(50, byteCount: 150_000)]))
            #expect(store.statistics.refusedForSpace > 0)
            store.close()
        }
        #expect(StoreInspector.inspect(directory: path) == .sound)
        let store = try ObjectStore.open(directory: path, options: smallOptions())
        #expect(try store.makeView().verify(1) == .whole(store.readHead(1)!))
    }
}

/// A file system of its own for one test.
final class SmallDisk {
    private let directory = TemporaryDirectory()
    var path: String { directory.path }

    static let isPossible = SmallDisk(bytes: 1 << 20) != nil

    init?(bytes: Int) {
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=\(bytes)") == 0 else { return nil }
    }

    deinit { umount2(directory.path, Int32(MNT_DETACH)) }
}
