import Glibc

/// A transaction in the queue, and whom to tell.
struct QueuedTransaction: Sendable {
    let make: @Sendable () -> StoreTransaction
    let done: @Sendable (Result<[StoredHead], StoreError>) -> Void
}

/// The store's thread and its queue.
final class StoreWorker: @unchecked Sendable {
    private enum Ending {
        case closing
        case abandoned
    }

    private struct Waiting {
        let transaction: StoreTransaction
        let done: @Sendable (Result<[StoredHead], StoreError>) -> Void
    }

    private struct RunningJob {
        var job: StoreJob
        let done: (@Sendable (Result<[StoredHead], StoreError>) -> Void)?
    }

    private let environment: StoreEnvironment
    private let options: StoreOptions
    private let snapshots: SnapshotDirectory
    private let monitor = Monitor()

    // Guarded by the monitor.
    private var queue: [QueuedTransaction] = []
    private var ending: Ending?
    private var hasEnded = false
    private var statistics = StoreStatistics()
    private var thread: WorkerThread?

    // The store's thread only.
    private let writer: StoreWriter
    private var jobs: [RunningJob] = []
    private var reseal: ResealPass?
    private var isResealStuck = false
    /// No room when it was tried last.
    private var isResealHeld = false

    /// Takes over from whoever opened the store, with the erasures that were not finished.
    init(
        _ environment: StoreEnvironment, _ writer: StoreWriter, _ options: StoreOptions,
        snapshots: SnapshotDirectory, erasures: [StoreMarker]
    ) {
        self.environment = environment
        self.writer = writer
        self.options = options
        self.snapshots = snapshots
        jobs = erasures.map { RunningJob(job: StoreJob($0, source: nil), done: nil) }
        reseal = environment.keys.map { ResealPass($0) }
        statistics = writer.statistics
        statistics.isResealing = reseal != nil
        thread = WorkerThread(name: "store") { self.run() }
    }

    var currentStatistics: StoreStatistics { monitor.locked { statistics } }

    func apply(_ transaction: QueuedTransaction) {
        let isQueued = monitor.locked {
            guard ending == nil else { return false }
            precondition(queue.count < options.queuedTransactions, "too many transactions wait for the store")
            queue.append(transaction)
            monitor.signal()
            return true
        }
        if !isQueued { transaction.done(.failure(.closed(path: environment.path))) }
    }

    /// Carries out what is queued, and leaves unfinished jobs to the next opening.
    func close() {
        end(.closing)
    }

    /// Ends as a killed process would.
    func abandon() {
        end(.abandoned)
    }

    private func end(_ ending: Ending) {
        let thread: WorkerThread? = monitor.locked {
            if self.ending == nil { self.ending = ending }
            monitor.signal()
            defer { self.thread = nil }
            return self.thread
        }
        guard let thread else {
            monitor.locked { while !hasEnded { monitor.wait() } }
            return
        }
        // The last reference to a store may go in one of its own callbacks.
        if thread.isCurrent { thread.detach() } else { thread.join() }
    }

    // MARK: The thread

    private func run() {
        var taken: [QueuedTransaction] = []
        while waitForWork(&taken) {
            let isIdle = taken.isEmpty
            process(taken)
            taken.removeAll(keepingCapacity: taken.count <= 1024)
            if !jobs.isEmpty && !writer.isAbandoned {
                stepFirstJob()
            } else if isIdle && hasResealing && !writer.isAbandoned {
                stepReseal()
            }
        }
        if !writer.isAbandoned && monitor.locked({ ending == .closing }) {
            for running in jobs { running.done?(.failure(.closed(path: environment.path))) }
        }
        monitor.locked {
            hasEnded = true
            monitor.signal()
        }
    }

    /// False at the end.
    private func waitForWork(_ taken: inout [QueuedTransaction]) -> Bool {
        monitor.locked {
            while queue.isEmpty && jobs.isEmpty && ending == nil && !writer.isAbandoned {
                if !hasResealing {
                    monitor.wait()
                } else if !monitor.wait(milliseconds: isResealHeld ? ResealPass.retryMs : ResealPass.pauseMs) {
                    break
                }
            }
            if ending == .abandoned || writer.isAbandoned {
                // Nobody hears of them again, as after a kill; but a store that stopped by itself says so.
                ending = .abandoned
                queue = []
                return false
            }
            guard ending == nil || !queue.isEmpty else { return false }
            swap(&queue, &taken)
            return true
        }
    }

    private func process(_ taken: [QueuedTransaction]) {
        var batch: [Waiting] = []
        var bytes = 0
        for queued in taken {
            let waiting = Waiting(transaction: queued.make(), done: queued.done)
            if bytes > 0 && bytes + waiting.transaction.valueBytes > options.commitBytes {
                commit(&batch)
                bytes = 0
            }
            if let range = waiting.transaction.claimedRange, isBusy(range, in: batch) {
                commit(&batch)
                bytes = 0
                finishJobs()
            }
            batch.append(waiting)
            bytes += waiting.transaction.valueBytes
        }
        commit(&batch)
    }

    /// Whether an erasure or installation, running or about to begin, has to be over before the range is used.
    private func isBusy(_ range: StoredRange, in batch: [Waiting]) -> Bool {
        jobs.contains { $0.job.marker.range.overlaps(range) }
            || batch.contains {
                switch $0.transaction {
                case .erase(let erasure): erasure.range.overlaps(range)
                case .install(let install): install.head.range.overlaps(range)
                default: false
                }
            }
    }

    private func commit(_ batch: inout [Waiting]) {
        guard !batch.isEmpty, !writer.isAbandoned else { return }
        defer { batch = [] }
        let results = writer.apply(batch.map(\.transaction))
        environment.trimResident()
        publishStatistics()
        if writer.isAbandoned { return }
        for (waiting, result) in zip(batch, results) {
            if case .success = result, let marked = marked(waiting.transaction) {
                start(marked, waiting.done)
            } else {
                waiting.done(result)
            }
        }
    }

    private func publishStatistics() {
        monitor.locked {
            statistics = writer.statistics
            statistics.resealed = reseal?.rewritten ?? 0
            statistics.isResealing = reseal?.isDone == false
        }
    }

    private func marked(_ transaction: StoreTransaction) -> UInt32? {
        switch transaction {
        case .erase(let erasure): erasure.shard
        case .install(let install): install.shard
        default: nil
        }
    }

    /// Begins what the marker that was just committed says.
    private func start(_ shard: UInt32, _ done: @escaping @Sendable (Result<[StoredHead], StoreError>) -> Void) {
        do throws(StoreError) {
            let transaction = try ReadTransaction.begin(environment)
            let marker = try transaction.read { (records) throws(StoreError) in
                try records.markers().first { $0.shard == shard }
            }
            guard let marker else { preconditionFailure("a marker that was committed is gone") }
            jobs.append(RunningJob(job: try snapshots.job(for: marker), done: done))
        } catch {
            done(.failure(error))
        }
    }

    // MARK: Jobs

    /// A slice of the pass, when the store has nothing else to do. Without room it is tried again. What else stops it
    /// is for the scrub or the start to tell: the pass is then not over, and says so until the next opening.
    private func stepReseal() {
        do throws(StoreError) {
            try reseal?.step(environment, writer)
            isResealHeld = false
        } catch {
            isResealHeld = error.kind == .noSpace
            isResealStuck = !isResealHeld
        }
        environment.trimResident()
        publishStatistics()
    }

    private var hasResealing: Bool { !isResealStuck && reseal?.isDone == false }

    private func finishJobs() {
        while !jobs.isEmpty && !writer.isAbandoned { stepFirstJob() }
    }

    /// A job that fails leaves its marker, so that nothing of its range is served: it is begun anew by the same
    /// transaction, or at the next opening.
    private func stepFirstJob() {
        do throws(StoreError) {
            let head = try writer.step(&jobs[0].job)
            environment.trimResident()
            publishStatistics()
            guard jobs[0].job.isDone, !writer.isAbandoned else { return }
            let finished = jobs.removeFirst()
            if let plan = finished.job.marker.plan { snapshots.remove(plan.name) }
            finished.done?(.success(head.map { [$0] } ?? []))
        } catch {
            if writer.isAbandoned { return }
            let failed = jobs.removeFirst()
            failed.done?(.failure(error))
        }
    }
}
