import Testing

@testable import Storage

@Suite struct MemoryStoreTests {
    @Test(arguments: 1...4)
    func theTwinAndTheStoreAreOne(_ seed: UInt64) throws {
        let directory = TemporaryDirectory(in: "/dev/shm")
        var generator = SeededGenerator(state: seed)
        var model = StoreModel(shards: 1)
        var twin = MemoryStore(sliceRecords: 5)
        let store = try ObjectStore.open(directory: directory.path, options: smallOptions())
        for step in 0..<120 {
            guard let transaction = model.next(using: &generator) else { continue }
            let expected = try twin.perform(transaction)
            #expect(try store.perform(transaction) == expected)
            guard step % 10 == 9 else { continue }
            #expect(try StoreContents(store) == StoreContents(twin))
            #expect(twin.inspect() == .sound)
        }
    }

    @Test func crashLosesWhatWasNotCommitted() throws {
        for crash in [MemoryStore.Crash.process, .power] {
            var store = MemoryStore()
            try store.perform(create(1))
            try store.perform(checkpoint(1, index: 1, puts: [storedObject(1)]))
            _ = try store.begin(checkpoint(1, index: 2, puts: [storedObject(2)]))
            #expect(store.hasUncommitted)
            #expect(try store.get(storeKey(2)) == nil)
            store.crash(crash)
            #expect(try store.recover().map(\.index) == [1])
            #expect(try store.get(storeKey(1)) != nil)
            #expect(try store.get(storeKey(2)) == nil)
        }
    }

    @Test func refusedChangeSparesTheOthersOfTheCommit() throws {
        var store = MemoryStore()
        try store.perform(create(1))
        _ = try store.begin(checkpoint(1, index: 1, puts: [storedObject(1)]))
        let refused = #expect(throws: StoreError.self) {
            try store.begin(checkpoint(1, index: 0, puts: [storedObject(2)]))
        }
        #expect(refused?.kind == .refused)
        try store.commit()
        #expect(try store.keys(in: .all, limit: 9) == [storeKey(1)])
    }

    @Test func fullDiskChangesNothingAndPasses() throws {
        var store = MemoryStore()
        try store.perform(create(1))
        store.isFull = true
        _ = try store.begin(checkpoint(1, index: 1, puts: [storedObject(1)]))
        let full = #expect(throws: StoreError.self) { try store.commit() }
        #expect(full?.kind == .noSpace)
        #expect(try store.readHead(1)?.index == 0)
        store.isFull = false
        try store.perform(checkpoint(1, index: 1, puts: [storedObject(1)]))
        #expect(try store.readHead(1)?.objectCount == 1)
    }

    @Test func damageIsFoundAndNeverRead() throws {
        for seed: UInt64 in 1...40 {
            var generator = SeededGenerator(state: seed)
            var store = MemoryStore()
            try store.perform(create(1))
            try store.perform(checkpoint(1, index: 1, puts: (1...5).map { storedObject($0) }))
            let damaged = store.damage(using: &generator)
            let key = try #require(damaged)
            let error = #expect(throws: StoreError.self) { try store.get(key) }
            #expect(error?.kind == .damaged)
            guard case .damagedShards(let shards) = store.inspect() else {
                Issue.record("seed \(seed): not found")
                continue
            }
            #expect(shards.map(\.shard) == [1])
        }
    }

    /// A crash after any commit of an erasure: the shard is never seen again, and its range becomes empty.
    @Test func erasureIsFinishedAfterACrashAtAnyStep() throws {
        var stops = 0
        while true {
            var store = MemoryStore(sliceRecords: 4)
            try store.perform(create(1))
            try store.perform(checkpoint(1, index: 1, puts: (1...10).map { storedObject($0, expiresAtMs: $0) }))
            _ = try store.begin(.erase(StoreErasure(shard: 1, range: .all)))
            try store.commit()
            for _ in 0..<stops where store.hasJobs {
                _ = try store.step()
                try store.commit()
            }
            let wasDone = !store.hasJobs
            store.crash(.power)
            #expect(try store.recover().isEmpty)
            #expect(try store.readHead(1) == nil)
            while store.hasJobs {
                _ = try store.step()
                try store.commit()
            }
            #expect(try store.keys(in: .all, limit: 99).isEmpty)
            #expect(try store.dueExpiries(before: .max, limit: 99).isEmpty)
            if wasDone { break }
            stops += 1
        }
        #expect(stops > 4)
    }
}
