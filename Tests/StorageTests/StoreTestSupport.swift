import Glibc
import Testing

@testable import Storage

/// Waits for what the store's thread answers.
final class Answer<Value: Sendable>: @unchecked Sendable {
    private let monitor = Monitor()
    private var value: Value?

    func give(_ value: Value) {
        monitor.locked {
            self.value = value
            monitor.signal()
        }
    }

    func wait() -> Value {
        monitor.locked {
            while value == nil { monitor.wait() }
            return value!
        }
    }
}

extension ObjectStore {
    /// Carries out a change and waits until it is durable.
    @discardableResult
    func perform(_ transaction: StoreTransaction) throws(StoreError) -> [StoredHead] {
        let answer = Answer<Result<[StoredHead], StoreError>>()
        apply(transaction) { answer.give($0) }
        return try answer.wait().get()
    }
}

extension MemoryStore {
    /// Carries out a change to its end, as `ObjectStore.perform` does.
    @discardableResult
    mutating func perform(_ transaction: StoreTransaction) throws(StoreError) -> [StoredHead] {
        var heads = try begin(transaction)
        try commit()
        while hasJobs {
            if case .finished(_, let head) = try step() { heads = head.map { [$0] } ?? [] }
            try commit()
        }
        return heads
    }
}

func storeKey(_ object: UInt64, _ fingerprint: UInt64 = 7) -> StoreKey {
    StoreKey(object: object, fingerprint: fingerprint)
}

/// An object whose bytes say which one it is and which version.
func storedObject(
    _ object: UInt64, version: Int = 1, expiresAtMs: UInt64 = .max, byteCount: Int = 40
) -> StoredObject {
    var bytes = (0..<min(byteCount, 256)).map {
        UInt8(truncatingIfNeeded: UInt64($0) &* 37 &+ object &+ UInt64(version))
    }
    bytes += [UInt8](repeating: UInt8(truncatingIfNeeded: object), count: byteCount - bytes.count)
    return StoredObject(key: storeKey(object), expiresAtMs: expiresAtMs, bytes: bytes)
}

func headContent(
    _ index: UInt64, _ range: StoredRange = .all, term: UInt64 = 1, payload: [UInt8] = [1, 2, 3]
) -> HeadContent {
    HeadContent(index: index, term: term, range: range, payload: payload)
}

func create(_ shard: UInt32, _ range: StoredRange = .all) -> StoreTransaction {
    .create(StoreCreation(shard: shard, head: headContent(0, range)))
}

func checkpoint(
    _ shard: UInt32, _ range: StoredRange = .all, index: UInt64, puts: [StoredObject] = [],
    removes: [StoreKey] = []
) -> StoreTransaction {
    .checkpoint(StoreCheckpoint(shard: shard, puts: puts, removes: removes, head: headContent(index, range)))
}

/// Removes a data file's neighbours, so that a copy of it can be opened.
func placeStore(_ bytes: [UInt8], in directory: String) {
    _ = SystemDisk.makeDirectory(directory)
    unlink(directory + "/lock.mdb")
    writeFile(directory + "/data.mdb", bytes)
}

/// Everything that a store shows of itself.
struct StoreContents: Equatable {
    var heads: [StoredHead]
    var objects: [StoredObject]
    var expiries: [StoreExpiry]

    init(_ store: ObjectStore) throws {
        try self.init(store.makeView(), store.makeReader())
    }

    init(_ view: StoreView, _ reader: StoreReader) throws {
        heads = try view.heads()
        objects = []
        for head in heads.sorted(by: { $0.range.start < $1.range.start }) {
            var after: StoreKey?
            while true {
                let slice = try view.objects(in: head.range, after: after)
                guard let last = slice.last else { break }
                objects += slice
                after = last.key
            }
        }
        expiries = try reader.dueExpiries(before: .max, limit: .max)
    }

    init(_ store: MemoryStore) throws {
        heads = store.heads
        objects = []
        for head in heads.sorted(by: { $0.range.start < $1.range.start }) {
            for key in try store.keys(in: head.range, limit: .max) {
                if let object = try store.object(key) { objects.append(object) }
            }
        }
        expiries = try store.dueExpiries(before: .max, limit: .max)
    }
}

func smallOptions() -> StoreOptions {
    var options = StoreOptions(initialMapBytes: 1 << 20)
    options.slice = StoreJob.Slice(records: 5, bytes: 5 * 64)
    return options
}

/// Lets so many commits pass, and notices when one was stopped.
final class CommitLimit: @unchecked Sendable {
    private let monitor = Monitor()
    private var left: UInt64?
    private var hasEnded = false
    private var isOver = false

    /// The next `count` commits pass; before that, all do.
    func set(_ count: UInt64) { monitor.locked { left = count } }

    func takeOne() -> Bool {
        monitor.locked {
            guard let left else { return true }
            guard left > 0 else {
                isOver = true
                monitor.signal()
                return false
            }
            self.left = left - 1
            return true
        }
    }

    func end() {
        monitor.locked {
            hasEnded = true
            monitor.signal()
        }
    }

    /// True if it came to its end, false if it was stopped.
    func waitForEnd() -> Bool {
        monitor.locked {
            while !hasEnded && !isOver { monitor.wait() }
            return hasEnded
        }
    }
}
