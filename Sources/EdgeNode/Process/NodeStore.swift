import Cluster
import Glibc
import Logging
import NIOCore
import NIOPosix
import Placement
import Raft
import Storage
import StoreBinding
import Synchronization

/// Carries out what the loops ask of the object store, and brings its answers to them.
///
/// Transactions go to the store's own thread. Files of snapshots are read and written by one more thread, in the
/// order in which they were asked for; each snapshot is made by a thread of its own.
final class NodeStore: @unchecked Sendable {
    private let store: ObjectStore
    private let files: SnapshotFiles
    private let shelf: BackupShelf
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let scrubPool = NIOThreadPool(numberOfThreads: 1)
    /// Between slices of about a thousand objects.
    private static let scrubPauseUs: UInt32 = 10_000
    private let logger: Logger
    private let space: SpaceWatch
    private let snapshotsMade = Atomic<UInt64>(0)
    /// What was there at the start, as far as its head can be read.
    let found: [StoredReplica]
    /// What of it, or beside it, cannot be relied on: whatever the journal says of these is lost too (O9).
    let damaged: [ShardID]

    /// Looks at the whole file before it is used. What is damaged of it counts as lost (O9).
    static func open(
        directory: String, keys: DataKeys? = nil, space: SpaceWatch, logger: Logger
    ) throws -> NodeStore {
        let path = directory + "/store"
        var lost: Set<UInt32> = []
        switch StoreInspector.inspect(directory: path, keys: keys) {
        case .missing, .sound: break
        case .damagedShards(let damages):
            for damage in damages {
                lost.insert(damage.shard)
                logger.critical("the object store is damaged", metadata: [
                    "shard": "\(damage.shard)", "because": "\(damage.what)",
                ])
            }
        case .damaged(let error):
            logger.critical("the object store is damaged as a whole, and is set aside", metadata: [
                "because": "\(error)",
            ])
            try setAside(path)
        case .otherVersion(let error): throw error
        }
        var options = StoreOptions()
        options.keys = keys
        let store = try ObjectStore.open(directory: path, options: options)
        for lost in store.lost {
            logger.critical("the object store has lost a shard", metadata: ["because": "\(lost)"])
        }
        lost.formUnion(store.lost.compactMap(\.shard))
        return NodeStore(
            store: store, found: store.heads.map(StoredReplica.init), damaged: lost.sorted().map { ShardID(rawValue: $0) }, directory: directory,
            keys: keys, space: space, logger: logger)
    }

    /// Kept for whoever wants to look at it; the shards come back from the other replicas.
    private static func setAside(_ path: String) throws {
        let target = "\(path).damaged-\(SystemClocks.wallMs())"
        guard rename(path, target) == 0 else {
            throw StartFailure("cannot rename \(path) to \(target), which a damaged store has to be. Do it by hand.")
        }
    }

    private init(
        store: ObjectStore, found: [StoredReplica], damaged: [ShardID], directory: String, keys: DataKeys?,
        space: SpaceWatch, logger: Logger
    ) {
        self.store = store
        self.found = found
        self.damaged = damaged
        self.logger = logger
        self.space = space
        files = SnapshotFiles(incoming: store.snapshots, outgoingDirectory: directory + "/outgoing", keys: keys)
        shelf = BackupShelf(directory: directory + "/backup", firstID: SystemRandom.number() >> 12, keys: keys)
        pool.start()
        scrubPool.start()
    }

    /// What an event loop reads with.
    func makeObjects() throws -> LoopObjects { LoopObjects(try store.makeReader()) }

    func close() { store.close() }

    var isEncrypted: Bool { shelf.keys != nil }

    /// Any thread.
    func report() -> StoreReport {
        let statistics = store.statistics
        var report = StoreReport()
        report.fileBytes = store.fileBytes
        report.commits = statistics.commits
        report.writtenBytes = statistics.valueBytes
        report.refusedForSpace = statistics.refusedForSpace
        report.snapshotsMade = snapshotsMade.load(ordering: .relaxed)
        report.dataKeys = shelf.keys?.fingerprints ?? []
        report.resealed = statistics.resealed
        report.isResealing = statistics.isResealing
        return report
    }

    /// Once a second, by any thread.
    func tick() {
        pool.submit { _ in self.shelf.sweep(nowMs: SystemClocks.now().rawNs / 1_000_000) }
    }

    func carryOut(_ requests: [StoreRequest], for loop: NodeLoop) {
        for request in requests { carryOut(request, for: loop) }
    }

    private func carryOut(_ request: StoreRequest, for loop: NodeLoop) {
        let answer: @Sendable (StoreResult) -> Void = { result in
            loop.eventLoop.execute { loop.input(.store(result)) }
        }
        switch request {
        case .write(let job, let write): apply(request, job, write.shard, answer)
        case .scrub(let job, let write, let id): scrub(request, job, write, id, answer)
        case .split(let job, let parent, _): apply(request, job, parent.shard, answer)
        case .merge(let job, _, _, let into): apply(request, job, into.shard, answer)
        case .erase(let job, let shard, let range): erase(job, shard, range, answer)
        case .findDue(let job, let beforeMs, let after, let limit):
            loop.findDue(job, beforeMs: beforeMs, after: after, limit: limit)
        case .install(let job, let shard, let hash): install(job, shard, hash, answer)
        case .makeSnapshot, .readSnapshot, .releaseSnapshots, .stage, .finishStaging, .dropStaged:
            pool.submit { _ in self.serveFiles(request, answer) }
        }
    }

    // MARK: - Transactions

    private func apply(
        _ request: StoreRequest, _ job: Cluster.StoreJob, _ shard: ShardID,
        _ answer: @escaping @Sendable (StoreResult) -> Void
    ) {
        apply(job, shard, answer) {
            guard let transaction = StoreTransaction(request) else {
                preconditionFailure("only what changes the store is asked of it")
            }
            return transaction
        }
    }

    private func apply(
        _ job: Cluster.StoreJob, _ shard: ShardID, _ answer: @escaping @Sendable (StoreResult) -> Void,
        making make: @escaping @Sendable () -> StoreTransaction
    ) {
        store.apply(making: make) { result in
            switch result {
            case .success:
                self.space.storeIsFull(false)
                answer(.done(job))
            case .failure(let error): self.fail(error, job, shard, answer)
            }
        }
    }

    /// The view is opened before the next commit: it shows exactly what the scrub has written.
    private func scrub(
        _ request: StoreRequest, _ job: Cluster.StoreJob, _ write: StoredWrite, _ id: UInt64,
        _ answer: @escaping @Sendable (StoreResult) -> Void
    ) {
        apply(request, job, write.shard) { result in
            answer(result)
            guard case .done = result else { return }
            let view = try? self.store.makeView()
            self.scrubPool.submit { _ in
                let found = self.verify(write.shard, view)
                answer(.scrubbed(ScrubReport(write, id: id, found: found)))
            }
        }
    }

    /// Nil if nothing can be said.
    private func verify(_ shard: ShardID, _ view: StoreView?) -> StoreVerification? {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)  // of this thread only
        let found = try? view?.verify(shard.rawValue) {
            usleep(Self.scrubPauseUs)
            return false
        }
        if case .damaged(let error)? = found {
            logger.critical("a scrub found damage", metadata: ["shard": "\(shard)", "because": "\(error)"])
        }
        return found
    }

    private func fail(
        _ error: StoreError, _ job: Cluster.StoreJob, _ shard: ShardID,
        _ answer: @Sendable (StoreResult) -> Void
    ) {
        // Of a full disk the watch speaks, once.
        if error.kind == .noSpace {
            space.storeIsFull(true)
        } else {
            logger.warning("the object store has not done what was asked", metadata: [
                "shard": "\(shard)", "because": "\(error)",
            ])
        }
        if error.kind == .damaged { answer(.damaged(shard, error.what)) }
        answer(.failed(job))
    }

    private func erase(
        _ job: Cluster.StoreJob, _ shard: ShardID, _ range: ClosedRange<UInt64>,
        _ answer: @escaping @Sendable (StoreResult) -> Void
    ) {
        // What the store has may be wider: a split may not have reached it.
        let known = try? store.readHead(shard.rawValue)?.range
        let erasure = StoreErasure(shard: shard.rawValue, range: known ?? StoredRange(range))
        apply(job, shard, answer) { .erase(erasure) }
    }

    private func install(
        _ job: Cluster.StoreJob, _ shard: ShardID, _ hash: UInt64,
        _ answer: @escaping @Sendable (StoreResult) -> Void
    ) {
        pool.submit { _ in
            guard let snapshot = self.files.verified(hash) else { return answer(.failed(job)) }
            let content = snapshot.manifest.head.content
            let install = StoreInstall(shard: shard.rawValue, snapshot: snapshot, head: content)
            self.store.apply(.install(install)) { result in
                switch result {
                case .success(let heads):
                    guard let head = heads.first(where: { $0.shard == shard.rawValue }) else {
                        return answer(.failed(job))
                    }
                    answer(.installed(job, StoredReplica(head)))
                    self.pool.submit { _ in self.files.installed(hash) }
                case .failure(let error): self.fail(error, job, shard, answer)
                }
            }
        }
    }

    // MARK: - Files

    private func serveFiles(_ request: StoreRequest, _ answer: @escaping @Sendable (StoreResult) -> Void) {
        do {
            switch request {
            case .makeSnapshot(let job, let shard): try makeSnapshot(job, shard, answer)
            case .readSnapshot(let shard, let message):
                if let filled = files.fill(message) {
                    answer(.readSnapshot(shard, filled))
                } else if let range = message.missingBytes {
                    answer(.lostSnapshot(shard, contentHash: range.contentHash))
                }
            case .releaseSnapshots(let shard): files.release(shard)
            case .stage(let shard, let part):
                let isWritten = try files.stage(shard, part)
                answer(.stagedPart(shard, contentHash: part.contentHash, through: isWritten ? part.end : nil))
            case .finishStaging(let job, _, let hash):
                answer(.staged(job, (files.finish(hash)?.manifest.range).map(ClosedRange.init)))
            case .dropStaged(_, let hash): files.drop(hash)
            default: preconditionFailure("asked of the store's own thread")
            }
        } catch {
            logger.warning("a snapshot could not be handled", metadata: ["because": "\(error)"])
            switch request {
            case .makeSnapshot(let job, _): answer(.failed(job))
            case .stage(let shard, let part): answer(.stagedPart(shard, contentHash: part.contentHash, through: nil))
            default: break
            }
        }
    }

    private func makeSnapshot(
        _ job: Cluster.StoreJob, _ shard: ShardID, _ answer: @escaping @Sendable (StoreResult) -> Void
    ) throws {
        let view = try store.makeView()
        files.make(shard, of: view) { result in
            self.pool.submit { _ in
                switch result {
                case .success(let snapshot):
                    self.snapshotsMade.wrappingAdd(1, ordering: .relaxed)
                    self.files.offer(shard, snapshot)
                    answer(.madeSnapshot(job, SnapshotOffer(snapshot)))
                case .failure(let error):
                    self.logger.warning("a snapshot could not be made", metadata: ["because": "\(error)"])
                    answer(.failed(job))
                }
            }
        }
    }
}

// MARK: - Backups

extension NodeStore {
    /// Makes a file of what the store has of a shard. Answers on a thread of its own.
    func makeBackup(of shard: ShardID, answer: @escaping @Sendable (Result<BackupFile, BackupFault>) -> Void) {
        pool.submit { _ in
            guard let (id, path) = self.shelf.begin(nowMs: Self.nowMs) else { return answer(.failure(.busy)) }
            do {
                let view = try self.store.makeView()
                _ = SnapshotWriter(shard: shard.rawValue, of: view, to: path, keys: self.shelf.keys) { result in
                    self.pool.submit { _ in answer(self.shelve(id, result)) }
                }
            } catch {
                self.shelf.abandon()
                answer(.failure(.failed("\(error)")))
            }
        }
    }

    private func shelve(
        _ id: UInt64, _ result: Result<VerifiedSnapshot, StoreError>
    ) -> Result<BackupFile, BackupFault> {
        switch result {
        case .success(let snapshot):
            return Result { try shelf.keep(id, snapshot, nowMs: Self.nowMs) }.mapError { .failed("\($0)") }
        case .failure(let error):
            shelf.abandon()
            logger.warning("a file for a backup could not be made", metadata: ["because": "\(error)"])
            return .failure(.failed("\(error)"))
        }
    }

    func readBackup(
        _ id: UInt64, at offset: UInt64, count: Int, answer: @escaping @Sendable ([UInt8]?) -> Void
    ) {
        pool.submit { _ in answer(self.shelf.read(id, at: offset, count: count, nowMs: Self.nowMs)) }
    }

    func dropBackup(_ id: UInt64) {
        pool.submit { _ in self.shelf.drop(id) }
    }

    private static var nowMs: UInt64 { SystemClocks.now().rawNs / 1_000_000 }
}
