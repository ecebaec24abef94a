/// The object store's twin for simulations: the same records, the same transactions, the same slices, in memory.
/// A value: copy it to try several crashes from one state.
///
/// `begin` carries out a change, not yet durable; `commit` makes durable what was begun. Reading sees what is
/// committed. An erasure or installation goes on with `step`, each followed by a `commit`.
public struct MemoryStore: Sendable {
    public enum Crash: Sendable {
        case process
        case power
    }

    /// What came of a slice.
    public enum Step: Equatable, Sendable {
        case goesOn
        /// The shard is erased; or installed, then with its new head. Counts once it is committed.
        case finished(shard: UInt32, StoredHead?)
    }

    /// When set, commits fail as on a full disk, and what was begun is undone.
    public var isFull = false
    /// How much a slice does, in records; in bytes it is 64 times that.
    public var sliceRecords: Int
    /// Whole snapshots, by name. Durable.
    public private(set) var snapshots: [String: [UInt8]] = [:]
    /// Shards that are there but cannot be used, as of the last recovery.
    public private(set) var lost: [StoreError] = []

    private var records = MemoryRecords()
    private var jobs: [StoreJob] = []
    /// As of the last commit.
    private var committedJobs: [StoreJob] = []
    /// Whether a slice of the first one is not committed yet.
    private var hasStepped = false
    private var partials: [String: Partial] = [:]
    private var isRunning = true
    /// Of installations whose last slice is not committed yet.
    private var finishedSnapshots: [String] = []

    private struct Partial: Sendable {
        let byteCount: UInt64
        let hash: UInt64
        var bytes: [UInt8] = []
    }

    public init(sliceRecords: Int = 64) {
        self.sliceRecords = sliceRecords
    }

    // MARK: Changes

    /// Carries out a change; those that were begun before and are not committed stay begun if it fails. Answers the
    /// heads that it wrote. Finishes earlier erasures and installations of the same range, as the real store does.
    public mutating func begin(_ transaction: StoreTransaction) throws(StoreError) -> [StoredHead] {
        precondition(isRunning, "a crashed store is recovered before it is used")
        if hasJobs(before: transaction) {
            try commit()
            while hasJobs {
                _ = try step()
                try commit()
            }
        }
        let before = records.changes
        do throws(StoreError) {
            let heads = try StoreLogic.apply(transaction, to: &records)
            try startJob(for: transaction)
            return heads
        } catch {
            records.restore(before)
            throw error
        }
    }

    private mutating func startJob(for transaction: StoreTransaction) throws(StoreError) {
        let shard: UInt32
        switch transaction {
        case .erase(let erasure): shard = erasure.shard
        case .install(let install): shard = install.shard
        default: return
        }
        let marker = try records.markers().first { $0.shard == shard }
        guard let marker else { preconditionFailure("a marker that was written is gone") }
        jobs.append(try job(for: marker))
    }

    private func job(for marker: StoreMarker) throws(StoreError) -> StoreJob {
        guard let plan = marker.plan else { return StoreJob(marker, source: nil) }
        guard let bytes = snapshots[plan.name] else {
            throw .damaged("the snapshot is gone", place: plan.name, shard: marker.shard)
        }
        let file = MemorySnapshot(name: plan.name, bytes: bytes)
        guard file.byteCount == plan.byteCount, try SnapshotReader.storedHash(file) == plan.hash else {
            throw .damaged("it is another snapshot than was meant", place: plan.name, shard: marker.shard)
        }
        return StoreJob(marker, source: try SnapshotReader(file))
    }

    /// Whether something was begun that is not durable.
    public var hasUncommitted: Bool { !records.changes.isEmpty }

    /// Makes durable what was begun. On an error all of it is undone.
    public mutating func commit() throws(StoreError) {
        precondition(isRunning, "a crashed store is recovered before it is used")
        guard !isFull else {
            records.dropChanges()
            // Whoever lost a slice ends, as in the real store; its marker stays.
            jobs = hasStepped ? Array(committedJobs.dropFirst()) : committedJobs
            settleJobs()
            throw .systemCall("writing", 28, path: "the memory store")
        }
        records.commit()
        for name in finishedSnapshots { snapshots[name] = nil }
        settleJobs()
    }

    private mutating func settleJobs() {
        committedJobs = jobs
        hasStepped = false
        finishedSnapshots = []
    }

    /// Whether an erasure or installation goes on.
    public var hasJobs: Bool { !jobs.isEmpty }

    /// Whose erasures and installations go on.
    public var shardsAtWork: [UInt32] { jobs.map(\.marker.shard) }

    /// Whether the transaction would have to wait for them to finish.
    public func hasJobs(before transaction: StoreTransaction) -> Bool {
        guard let range = transaction.claimedRange else { return false }
        return jobs.contains { $0.marker.range.overlaps(range) }
    }

    /// The next slice of the first one. On an error it ends, and its range stays out of use.
    public mutating func step() throws(StoreError) -> Step {
        precondition(isRunning, "a crashed store is recovered before it is used")
        guard !jobs.isEmpty else { preconditionFailure("there is nothing to go on with") }
        let before = records.changes
        hasStepped = true
        do throws(StoreError) {
            let head = try jobs[0].step(
                in: &records, StoreJob.Slice(records: sliceRecords, bytes: sliceRecords * 64))
            guard jobs[0].isDone else { return .goesOn }
            let marker = jobs.removeFirst().marker
            if let plan = marker.plan { finishedSnapshots.append(plan.name) }
            return .finished(shard: marker.shard, head)
        } catch {
            records.restore(before)
            jobs.removeFirst()
            throw error
        }
    }

    // MARK: Reading

    public func get(_ key: StoreKey) throws(StoreError) -> [UInt8]? { try object(key)?.bytes }

    public func object(_ key: StoreKey) throws(StoreError) -> StoredObject? { try records.committed.object(key) }

    public func keys(
        in range: StoredRange, after: StoreKey? = nil, limit: Int
    ) throws(StoreError) -> [StoreKey] {
        try records.committed.keys(in: range, after: after, limit: limit)
    }

    public func dueExpiries(
        before ms: UInt64, after: StoreExpiry? = nil, limit: Int
    ) throws(StoreError) -> [StoreExpiry] {
        try records.committed.dueExpiries(before: ms, after: after, limit: limit)
    }

    public func readHead(_ shard: UInt32) throws(StoreError) -> StoredHead? { try records.committed.head(shard) }

    /// The heads that can be read, rising by shard.
    public var heads: [StoredHead] { (try? records.committed.heads().whole) ?? [] }

    /// What an inspector would find.
    public func inspect() -> StoreInspection {
        var inspection = RecordInspection(place: "the memory store")
        let committed = records.committed
        for (key, value) in zip(committed.keys, committed.values) {
            value.withUnsafeBytes { inspection.add(key, $0) }
        }
        return inspection.finish()
    }

    /// What looking at every object of a shard finds.
    public func verify(_ shard: UInt32) throws(StoreError) -> StoreVerification {
        guard let head = try readHead(shard) else { throw .refused("the store has no such shard", shard: shard) }
        if case .damagedShards(let damages) = inspect(), let damage = damages.first(where: { $0.shard == shard }) {
            return .damaged(.damaged(damage.what, place: "the memory store", shard: shard))
        }
        return .whole(head)
    }

    // MARK: Crash and damage

    /// The node dies: what was not committed is gone, and so is what was not whole of snapshots.
    public mutating func crash(_ kind: Crash) {
        records.dropChanges()
        jobs = []
        settleJobs()
        partials = [:]
        isRunning = false
    }

    /// Starts again: finishes installations, and leaves erasures to `step`. Answers the heads.
    public mutating func recover() throws(StoreError) -> [StoredHead] {
        precondition(!isRunning, "a running store is not recovered")
        isRunning = true
        jobs = []
        lost = try records.heads().damaged
        for marker in try records.markers() {
            guard marker.plan != nil else {
                jobs.append(StoreJob(marker, source: nil))
                continue
            }
            do throws(StoreError) {
                try finish(marker)
            } catch {
                records.dropChanges()
                lost.append(error)
            }
        }
        settleJobs()
        return heads
    }

    private mutating func finish(_ marker: StoreMarker) throws(StoreError) {
        var job = try job(for: marker)
        while !job.isDone {
            _ = try job.step(in: &records, StoreJob.Slice(records: sliceRecords, bytes: sliceRecords * 64))
            records.commit()
        }
        if let plan = marker.plan { snapshots[plan.name] = nil }
    }

    /// Flips a bit of some object of a range; reading it throws from then on. Answers which; nil if there is none.
    public mutating func damage(
        in range: StoredRange = .all, using generator: inout some RandomNumberGenerator
    ) -> StoreKey? {
        let span = RecordKey.objects(in: range)
        let places = records.keys.indices.filter { span.contains(records.keys[$0]) }
        guard let place = places.randomElement(using: &generator) else { return nil }
        let byte = Int.random(in: records.values[place].indices, using: &generator)
        records.flip(place, byte: byte, bit: UInt8.random(in: 0..<8, using: &generator))
        return records.keys[place].storeKey
    }
}

/// A snapshot's bytes in memory.
struct MemorySnapshot: SnapshotBytes {
    let name: String
    let bytes: [UInt8]

    var byteCount: UInt64 { UInt64(bytes.count) }

    func read(at offset: UInt64, count: Int) throws(StoreError) -> [UInt8] {
        guard offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw .damaged("the file ends too early", place: name)
        }
        return Array(bytes[Int(offset)..<Int(offset) + count])
    }
}

// MARK: - Snapshots

extension MemoryStore {
    /// A snapshot of the shard's committed state; its bytes are not kept.
    public func makeSnapshot(_ shard: UInt32) throws(StoreError) -> (bytes: [UInt8], hash: UInt64) {
        let committed = records.committed
        guard let head = try committed.head(shard) else {
            throw .refused("the store has no such shard", shard: shard)
        }
        var encoder = SnapshotEncoder(SnapshotManifest(head: head))
        var bytes = encoder.begin()
        for key in try committed.keys(in: head.range, after: nil, limit: .max) {
            if let object = try committed.object(key) { bytes += encoder.add(object) }
        }
        let end = try encoder.finish()
        return (bytes + end.bytes, end.hash)
    }

    /// Begins, or goes on, to take in a snapshot; answers its name and the offset that is wanted next.
    public mutating func intake(title: String, byteCount: UInt64, hash: UInt64) -> (name: String, offset: UInt64) {
        let name = title + "-" + String(hash, radix: 16) + SnapshotDirectory.suffix
        if let whole = snapshots[name] { return (name, UInt64(whole.count)) }
        if partials[name] == nil { partials[name] = Partial(byteCount: byteCount, hash: hash) }
        return (name, UInt64(partials[name]?.bytes.count ?? 0))
    }

    /// Takes bytes as `SnapshotIntake.append` does; answers the offset that is wanted next.
    public mutating func append(_ bytes: [UInt8], at offset: UInt64, to name: String) -> UInt64 {
        guard var partial = partials[name] else { return UInt64(snapshots[name]?.count ?? 0) }
        let received = UInt64(partial.bytes.count)
        guard offset <= received, received - offset < UInt64(bytes.count) else { return received }
        let fresh = bytes[Int(received - offset)...].prefix(Int(partial.byteCount - received))
        partial.bytes.append(contentsOf: fresh)
        partials[name] = partial
        return UInt64(partial.bytes.count)
    }

    /// Makes a snapshot that has arrived durable. If it is not what was promised, it is thrown away.
    public mutating func finishIntake(_ name: String) throws(StoreError) -> VerifiedSnapshot {
        if let whole = snapshots[name] {
            return try SnapshotReader.verify(MemorySnapshot(name: name, bytes: whole))
        }
        guard let partial = partials.removeValue(forKey: name) else {
            throw .damaged("no such snapshot was begun", place: name)
        }
        guard !isFull else { throw .systemCall("writing", 28, path: name) }
        let verified = try SnapshotReader.verify(
            MemorySnapshot(name: name, bytes: partial.bytes), expectedHash: partial.hash)
        snapshots[name] = partial.bytes
        return verified
    }

    /// Whoever knows what they are for removes those that are not needed.
    public mutating func removeSnapshot(_ name: String) { snapshots[name] = nil }
}
