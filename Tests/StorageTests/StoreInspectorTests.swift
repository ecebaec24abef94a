import Glibc
import Testing

@testable import Storage

@Suite struct StoreInspectorTests {
    private static let ranges: [(shard: UInt32, range: StoredRange)] = [
        (1, StoredRange(start: 0, end: 99)), (2, StoredRange(start: 100, end: 199)),
        (70000, StoredRange(start: 200, end: .max)),
    ]

    /// Where files live in memory, if the system has such a place: tens of thousands of them are opened.
    private static func fastDirectory() -> TemporaryDirectory { TemporaryDirectory(in: "/dev/shm") }

    /// Three shards on a branch, several leaves, overflow pages and free pages.
    private static func makeStore(in directory: String) throws -> StoreContents {
        let store = try ObjectStore.open(directory: directory, options: smallOptions())
        for (shard, range) in ranges {
            try store.perform(create(shard, range))
            let puts = (0..<11).map { number in
                storedObject(
                    range.start + number, expiresAtMs: number % 4 == 0 ? 500 + number : .max,
                    byteCount: shard == 2 && number == 7 ? 2200 : 100)
            }
            try store.perform(checkpoint(shard, range, index: 1, puts: puts))
        }
        try store.perform(checkpoint(2, ranges[1].range, index: 2, removes: [storeKey(103)]))
        let contents = try StoreContents(store)
        store.close()
        return contents
    }

    private static func contents(of directory: String) throws -> StoreContents {
        let environment = try StoreEnvironment(directory: directory, options: smallOptions())
        return try StoreContents(StoreView(environment), StoreReader(environment))
    }

    @Test func soundStoreIsSound() throws {
        let directory = TemporaryDirectory()
        _ = try Self.makeStore(in: directory.path)
        #expect(StoreInspector.inspect(directory: directory.path) == .sound)
    }

    @Test func missingAndEmptyAreMissing() throws {
        let directory = TemporaryDirectory()
        #expect(StoreInspector.inspect(directory: directory.path) == .missing)
        writeFile(directory.path + "/data.mdb", [])
        #expect(StoreInspector.inspect(directory: directory.path) == .missing)
        do { _ = try ObjectStore.open(directory: directory.path) }
        #expect(StoreInspector.inspect(directory: directory.path) == .sound)
    }

    /// Whatever byte is flipped: it is found, or nothing that can be read is another.
    @Test func everyFlippedByteIsFoundOrHarmless() throws {
        let source = TemporaryDirectory()
        let expected = try Self.makeStore(in: source.path)
        let good = readFile(source.path + "/data.mdb")
        let directory = Self.fastDirectory()
        var generator = SeededGenerator(state: 4)
        var found = 0
        var harmless: [Int: UInt8] = [:]
        var named: Set<UInt32> = []
        placeStore(good, in: directory.path)
        let file = open(directory.path + "/data.mdb", O_RDWR)
        defer { close(file) }
        for offset in good.indices {
            let mask = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
            var byte = good[offset] ^ mask
            #expect(pwrite(file, &byte, 1, off_t(offset)) == 1)
            switch StoreInspector.inspect(directory: directory.path) {
            case .sound: harmless[offset] = mask
            case .damagedShards(let shards):
                found += 1
                named.formUnion(shards.map(\.shard))
            case .damaged, .otherVersion: found += 1
            case .missing: Issue.record("the file is there: \(offset)")
            }
            byte = good[offset]
            #expect(pwrite(file, &byte, 1, off_t(offset)) == 1)
            // Those that were not found, all together.
            guard offset % 128 == 127, !harmless.isEmpty else { continue }
            var flipped = good
            for (place, mask) in harmless { flipped[place] ^= mask }
            placeStore(flipped, in: directory.path + "/flipped")
            let contents = try Self.contents(of: directory.path + "/flipped")
            #expect(contents == expected, "flips before \(offset): \(harmless.keys.sorted())")
            harmless = [:]
        }
        #expect(found > 3000)
        #expect(named == [1, 2, 70000])
    }

    @Test func damagedValueNamesItsShardOnly() throws {
        let directory = TemporaryDirectory()
        _ = try Self.makeStore(in: directory.path)
        let good = readFile(directory.path + "/data.mdb")
        // The value of an object of shard 2, wherever it stands: old pages have it too.
        let value = RecordFormat.encode(storedObject(105, byteCount: 100))
        var places = 0
        for offset in 0..<(good.count - value.count) where good[offset] == value[0] {
            guard Array(good[offset..<offset + value.count]) == value else { continue }
            var bad = good
            bad[offset + 50] ^= 4
            placeStore(bad, in: directory.path + "/copy")
            let result = StoreInspector.inspect(directory: directory.path + "/copy")
            if result == .sound { continue }
            places += 1
            guard case .damagedShards(let shards) = result else {
                Issue.record("found as \(result)")
                continue
            }
            #expect(shards.map(\.shard) == [2])
            // The others are there; what is damaged throws, and is erased, damaged as it is.
            let store = try ObjectStore.open(directory: directory.path + "/copy", options: smallOptions())
            let reader = try store.makeReader()
            let error = #expect(throws: StoreError.self) { try reader.get(storeKey(105)) }
            #expect(error?.kind == .damaged)
            #expect(try reader.get(storeKey(5)) != nil)
            guard case .damaged(let damage) = try store.makeView().verify(2) else {
                Issue.record("a scrub finds nothing")
                continue
            }
            #expect(damage.shard == 2)
            let refused = #expect(throws: StoreError.self) {
                try store.perform(
                    checkpoint(2, Self.ranges[1].range, index: 3, puts: [storedObject(105, version: 2)]))
            }
            #expect(refused?.kind == .damaged)
            #expect(refused?.shard == 2)
            try store.perform(.erase(StoreErasure(shard: 2, range: Self.ranges[1].range)))
            store.close()
            #expect(StoreInspector.inspect(directory: directory.path + "/copy") == .sound)
        }
        #expect(places == 1)
    }

    /// A damaged head leaves objects that no head claims: they go with it, whatever range the caller thinks it had.
    @Test func damagedHeadNamesItsShardAndIsErasedWhole() throws {
        let directory = TemporaryDirectory()
        _ = try Self.makeStore(in: directory.path)
        let environment = try StoreEnvironment(directory: directory.path, options: smallOptions())
        do {
            let transaction = try WriteTransaction(environment)
            var value = try #require(try transaction.value(.head(2)))
            value[value.count - 1] ^= 1
            try transaction.write(.head(2), value)
            try transaction.commit()
        }
        let result = StoreInspector.inspect(directory: directory.path)
        guard case .damagedShards(let shards) = result else {
            Issue.record("found as \(result)")
            return
        }
        #expect(shards.map(\.shard) == [2])
        let writer = StoreWriter(environment, smallOptions())
        let snapshots = try SnapshotDirectory(directory.path + "/snapshots")
        let found = try StoreOpening.finish(environment, writer, snapshots)
        #expect(found.heads.map(\.shard) == [1, 70000])
        #expect(found.lost.map(\.shard) == [2])
        let small = StoredRange(start: 120, end: 130)
        guard case .failure(let refused) = writer.apply([create(9, StoredRange(start: 100, end: 130))])[0] else {
            Issue.record("a shard was made over objects of another")
            return
        }
        #expect(refused.kind == .refused)
        _ = try writer.apply([.erase(StoreErasure(shard: 2, range: small))])[0].get()
        let marker = try #require(try ReadTransaction.begin(environment).read { (records) throws(StoreError) in
            try records.markers().first
        })
        #expect(marker.range == Self.ranges[1].range)
        var job = StoreJob(marker, source: nil)
        while !job.isDone { _ = try writer.step(&job) }
        #expect(StoreInspector.inspect(directory: directory.path) == .sound)
    }

    /// Power is lost before a commit's meta page is written: any of its other pages may be there.
    @Test func tornCommitIsTheStateBefore() throws {
        let source = TemporaryDirectory()
        let expected = try Self.makeStore(in: source.path)
        let before = readFile(source.path + "/data.mdb")
        do {
            let environment = try StoreEnvironment(directory: source.path, options: smallOptions())
            let writer = StoreWriter(environment, smallOptions())
            let puts = (0..<11).map { storedObject(100 + $0, version: 3, byteCount: $0 == 2 ? 9000 : 70) }
            _ = try writer.apply([checkpoint(2, Self.ranges[1].range, index: 5, puts: puts)])[0].get()
        }
        let after = readFile(source.path + "/data.mdb")
        let changed = stride(from: 2 * 4096, to: after.count, by: 4096).filter {
            $0 >= before.count || before[$0..<$0 + 4096] != after[$0..<$0 + 4096]
        }
        #expect(changed.count > 4)
        let directory = Self.fastDirectory()
        var generator = SeededGenerator(state: 2)
        for number in 0..<60 {
            var torn = before
            for page in changed where Bool.random(using: &generator) {
                if torn.count < page + 4096 {
                    torn.append(contentsOf: repeatElement(0, count: page + 4096 - torn.count))
                }
                torn.replaceSubrange(page..<page + 4096, with: after[page..<page + 4096])
            }
            if number % 3 == 0 { torn.append(contentsOf: after.suffix(700)) }
            placeStore(torn, in: directory.path)
            #expect(StoreInspector.inspect(directory: directory.path) == .sound)
            #expect(try Self.contents(of: directory.path) == expected)
        }
        placeStore(after, in: directory.path)
        #expect(StoreInspector.inspect(directory: directory.path) == .sound)
        #expect(try Self.contents(of: directory.path) != expected)
    }

    @Test func everyCutIsFoundOrHarmless() throws {
        let source = TemporaryDirectory()
        let expected = try Self.makeStore(in: source.path)
        let good = readFile(source.path + "/data.mdb")
        let directory = Self.fastDirectory()
        for end in stride(from: 0, to: good.count, by: 1024) {
            let path = directory.path + "/\(end)"
            placeStore(Array(good[..<end]), in: path)
            switch StoreInspector.inspect(directory: path) {
            case .sound: #expect(try Self.contents(of: path) == expected, "cut at \(end)")
            case .missing: #expect(end == 0)
            case .damaged: break
            default: Issue.record("cut at \(end)")
            }
        }
    }

    /// An old state whose meta page claims to be newer, and the newest whose meta page claims to be older.
    @Test(arguments: [true, false])
    func oldStateCannotPassForTheNewest(_ raisesTheOlder: Bool) throws {
        let directory = TemporaryDirectory()
        _ = try Self.makeStore(in: directory.path)
        // An even number on page 0 and an odd one on page 1, so both can be the newest.
        for _ in 0..<2 {
            var bytes = readFile(directory.path + "/data.mdb")
            let place = 16 + 128
            func transaction(_ page: Int) -> UInt64 {
                bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: page * 4096 + place, as: UInt64.self) }
            }
            let older = transaction(0) < transaction(1) ? 0 : 1
            let page = raisesTheOlder ? older : 1 - older
            let claimed = raisesTheOlder ? transaction(page) + 2 : transaction(page) - 2
            bytes.withUnsafeMutableBytes {
                $0.storeBytes(of: claimed, toByteOffset: page * 4096 + place, as: UInt64.self)
            }
            placeStore(bytes, in: directory.path + "/copy")
            guard case .damaged(let error) = StoreInspector.inspect(directory: directory.path + "/copy") else {
                Issue.record("an old state passed")
                return
            }
            #expect(error.what.contains("another transaction"))
            let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
            store.close()
        }
    }

    /// After many changes of every kind the inspector agrees with LMDB about its own file.
    @Test func agreesWithLMDBAfterMuchChange() throws {
        let directory = TemporaryDirectory(in: "/dev/shm")
        var generator = SeededGenerator(state: 9)
        var model = StoreModel(shards: 3)
        for _ in 0..<6 {
            do {
                let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
                for _ in 0..<40 {
                    if let next = model.next(using: &generator, largestBytes: 20_000) { try store.perform(next) }
                }
                store.close()
            }
            #expect(StoreInspector.inspect(directory: directory.path) == .sound)
        }
    }
}

/// Beside a process that has the store open.
@Suite struct StoreInspectorBesideTests {
    @Test func aStoreInUseIsSoundAndDamageIsFound() throws {
        let directory = TemporaryDirectory()
        let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
        let range = StoredRange(start: 0, end: 99)
        try store.perform(create(1, range))
        for index in 1...20 {
            let puts = (0..<10).map { storedObject(UInt64($0), byteCount: 100 + index) }
            try store.perform(checkpoint(1, range, index: UInt64(index), puts: puts))
            #expect(StoreInspector.inspectBesideWriter(directory: directory.path) == .sound)
        }
        store.close()
        var bytes = readFile(directory.path + "/data.mdb")
        bytes[16] ^= 1
        writeFile(directory.path + "/data.mdb", bytes)
        guard case .damaged = StoreInspector.inspectBesideWriter(directory: directory.path) else {
            Issue.record("damage that stays is no change")
            return
        }
        #expect(StoreInspector.inspectBesideWriter(directory: directory.path + "/none") == .missing)
    }
}
