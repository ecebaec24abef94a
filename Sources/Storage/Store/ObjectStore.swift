/// The objects of a node on disk. Changes from any thread are queued; one thread carries them out, lets those
/// that wait share a commit, and calls back in order once they are durable. Readers never wait for it.
public final class ObjectStore: Sendable {
    private let environment: StoreEnvironment
    private let worker: StoreWorker
    /// Where snapshots stand that are to be installed; see `SnapshotIntake`.
    public let snapshots: SnapshotDirectory
    /// The shards that were there when the store was opened.
    public let heads: [StoredHead]
    /// Shards that are there but cannot be used: a damaged head, or an installation whose file is gone or
    /// damaged. They are erased, or replaced by a snapshot.
    public let lost: [StoreError]

    /// Opens the store in `directory`, which is made if it does not exist, and finishes installations that an
    /// earlier process had begun; erasures go on in the background. `StoreInspector` should have found the
    /// directory sound before: LMDB trusts its file. One store per directory in a process.
    public static func open(
        directory: String, options: StoreOptions = StoreOptions()
    ) throws(StoreError) -> ObjectStore {
        let environment = try StoreEnvironment(directory: directory, options: options)
        let snapshots = try SnapshotDirectory(directory + "/snapshots", keys: options.keys)
        let writer = StoreWriter(environment, options)
        try StoreOpening.settle(environment, writer)
        let found = try StoreOpening.finish(environment, writer, snapshots)
        let worker = StoreWorker(
            environment, writer, options, snapshots: snapshots, erasures: found.erasures)
        return ObjectStore(environment, worker, snapshots, found)
    }

    private init(
        _ environment: StoreEnvironment, _ worker: StoreWorker, _ snapshots: SnapshotDirectory,
        _ found: StoreOpening.Found
    ) {
        self.environment = environment
        self.worker = worker
        self.snapshots = snapshots
        heads = found.heads
        lost = found.lost
    }

    deinit {
        worker.abandon()
    }

    // MARK: Changes

    /// Queues a change. `done` is called on the store's thread, in the order of the calls, except that erasures
    /// and installations take as long as they take; it gets the heads that were written. A change that fails
    /// has changed nothing, but an erasure or installation that had begun leaves the range empty, as far as
    /// anybody can see, until it is asked for again or the store is opened anew. After `.failed` all fail.
    public func apply(
        _ transaction: StoreTransaction,
        done: @escaping @Sendable (Result<[StoredHead], StoreError>) -> Void
    ) {
        worker.apply(QueuedTransaction(make: { transaction }, done: done))
    }

    /// The same with a change that is worked out on the store's thread, when its turn has come.
    public func apply(
        making make: @escaping @Sendable () -> StoreTransaction,
        done: @escaping @Sendable (Result<[StoredHead], StoreError>) -> Void
    ) {
        worker.apply(QueuedTransaction(make: make, done: done))
    }

    /// Carries out what is queued, calls back, and ends the thread. Not to be called from a callback. The file
    /// is closed when the last reader and view are gone.
    public func close() {
        worker.close()
    }

    /// Ends as a killed process would.
    func abandon() {
        worker.abandon()
    }

    // MARK: Reading

    /// A reader for one thread, such as an event loop's.
    public func makeReader() throws(StoreError) -> StoreReader { try StoreReader(environment) }

    /// The state of the last commit, for as long as the view lives. It keeps old pages from being used again,
    /// so the file grows meanwhile; it keeps nobody waiting.
    public func makeView() throws(StoreError) -> StoreView { try StoreView(environment) }

    /// A shard's head in the newest commit. Any thread.
    public func readHead(_ shard: UInt32) throws(StoreError) -> StoredHead? {
        try makeView().head(shard)
    }

    public var statistics: StoreStatistics { worker.currentStatistics }
    /// The size of the file.
    public var fileBytes: UInt64 { UInt64(StoreEnvironment.fileBytes(environment.directory)) }
    /// The size of the memory map: address space, not memory.
    public var mapBytes: Int { environment.currentMapBytes }
}

/// What has to be done before a store can be used.
enum StoreOpening {
    struct Found {
        var heads: [StoredHead]
        var erasures: [StoreMarker]
        var lost: [StoreError]
    }

    /// Checks that the file is one of ours, of this version and of the newest commit, and commits once: what a
    /// killed process has left in the page cache is then durable before anybody acts on it.
    static func settle(_ environment: StoreEnvironment, _ writer: StoreWriter) throws(StoreError) {
        let transaction = try ReadTransaction.begin(environment)
        let (about, isEmpty) = try transaction.read { (records) throws(StoreError) in
            (try records.value(.about), try records.isEmpty())
        }
        if let about {
            guard try RecordFormat.readAbout(about) == transaction.number else {
                throw .damaged("an old state stands as the newest", place: environment.path)
            }
        } else if !isEmpty {
            throw .otherVersion("none", known: "\(RecordFormat.version)", place: environment.path)
        }
        do throws(StoreError) {
            try writer.commit { (_) throws(StoreError) in }
        } catch {
            // On a full disk there is still everything to read.
            guard error.kind == .noSpace, about != nil else { throw error }
        }
    }

    static func finish(
        _ environment: StoreEnvironment, _ writer: StoreWriter, _ snapshots: SnapshotDirectory
    ) throws(StoreError) -> Found {
        let markers = try ReadTransaction.begin(environment).read { (records) throws(StoreError) in
            try records.markers()
        }
        var failed: [StoreError] = []
        for marker in markers where marker.plan != nil {
            do throws(StoreError) {
                try finish(marker, writer, snapshots)
            } catch {
                if writer.isAbandoned { throw error }
                failed.append(
                    StoreError(
                        error.kind, error.what, place: error.place, remedy: error.remedy, shard: marker.shard))
            }
        }
        snapshots.removeLeftovers()
        let heads = try ReadTransaction.begin(environment).read { (records) throws(StoreError) in
            try records.heads()
        }
        return Found(
            heads: heads.whole, erasures: markers.filter { $0.plan == nil }, lost: heads.damaged + failed)
    }

    private static func finish(
        _ marker: StoreMarker, _ writer: StoreWriter, _ snapshots: SnapshotDirectory
    ) throws(StoreError) {
        var job = try snapshots.job(for: marker)
        while !job.isDone { _ = try writer.step(&job) }
        if let plan = marker.plan { snapshots.remove(plan.name) }
    }
}
