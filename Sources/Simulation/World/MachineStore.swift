import Cluster
import ObjectRuntime
import Placement
import Raft
import Storage
import StoreBinding

/// One machine's object store: the twin in memory, what is asked of it, and the commit that is under way. It
/// outlives the machine's processes; a class, since their cores read from it.
final class MachineStore {
    private struct Waiting {
        var loop: Int
        var request: StoreRequest
    }

    private typealias Answer = (loop: Int, result: StoreResult)

    private(set) var twin = MemoryStore(sliceRecords: 4)
    private var queue: [Waiting] = []
    /// Answers that leave when the commit is done.
    private var underWay: [Answer] = []
    /// Answers that leave at the end of the turn, whatever becomes of its last commit.
    private var settled: [Answer] = []
    private(set) var statistics = StorageStatistics()
    /// Erasures and installations that go on: who waits for them.
    private var jobs: [(shard: UInt32, loop: Int, job: Cluster.StoreJob, isInstall: Bool)] = []
    /// Scrubs whose write is part of the commit under way.
    private var scrubs: [(loop: Int, write: StoredWrite, id: UInt64)] = []
    private(set) var isBusy = false
    /// Snapshots that are sent, by hash, and those that have arrived.
    private var offers: [UInt64: (shard: ShardID, bytes: [UInt8])] = [:]
    private var staged: [UInt64: VerifiedSnapshot] = [:]

    var isFull: Bool {
        get { twin.isFull }
        set { twin.isFull = newValue }
    }

    /// Every process begins by opening it, the first one too.
    init() { twin.crash(.process) }

    func ask(_ request: StoreRequest, from loop: Int) {
        queue.append(Waiting(loop: loop, request: request))
    }

    var wantsTurn: Bool { !isBusy && (!queue.isEmpty || twin.hasJobs) }

    // MARK: - A turn: what is begun, and the commit that makes it durable

    /// Begins up to `limit` of what waits. Between this and `finishTurn` a crash undoes it.
    func beginTurn(atMost limit: Int) {
        precondition(wantsTurn, "one commit at a time")
        isBusy = true
        let taken = queue.prefix(limit)
        queue.removeFirst(taken.count)
        for waiting in taken { begin(waiting) }
        if twin.hasJobs { stepJob() }
    }

    /// The commit has returned. Without space all of it has failed.
    func finishTurn() -> [(loop: Int, result: StoreResult)] {
        isBusy = false
        commit()
        defer { settled = [] }
        return settled + verified()
    }

    private func commit() {
        let answers = underWay
        underWay = []
        do {
            try twin.commit()
            for answer in answers { count(answer.result) }
            settled += answers
        } catch {
            statistics.failedCommits += 1
            scrubs = []
            settled += answers.map { (loop: $0.loop, result: $0.result.failed) }
            // What had begun before and has not lost a slice goes on.
            let goingOn = twin.shardsAtWork
            settled += jobs.filter { !goingOn.contains($0.shard) }.map { (loop: $0.loop, result: .failed($0.job)) }
            jobs.removeAll { !goingOn.contains($0.shard) }
        }
    }

    /// Before their range is used by somebody else.
    private func finishJobs() {
        commit()
        while twin.hasJobs {
            stepJob()
            commit()
        }
    }

    private func count(_ result: StoreResult) {
        if case .installed = result { statistics.snapshotsInstalled += 1 }
    }

    private func verified() -> [(loop: Int, result: StoreResult)] {
        let begun = scrubs
        scrubs = []
        return begun.map { scrub in
            let found = try? twin.verify(scrub.write.shard.rawValue)
            return (scrub.loop, .scrubbed(ScrubReport(scrub.write, id: scrub.id, found: found)))
        }
    }

    private func answer(_ result: StoreResult, to loop: Int) {
        underWay.append((loop: loop, result: result))
    }

    private func answerOfFile(_ result: StoreResult, to loop: Int) {
        settled.append((loop: loop, result: result))
    }

    private func begin(_ waiting: Waiting) {
        let loop = waiting.loop
        switch waiting.request {
        case .write(let job, _), .split(let job, _, _), .merge(let job, _, _, _):
            guard let transaction = StoreTransaction(waiting.request) else { return }
            write(transaction, waiting.request, job, loop)
        case .scrub(let job, let write, let id):
            guard let transaction = StoreTransaction(waiting.request), (try? twin.begin(transaction)) != nil else {
                return answer(.failed(job), to: loop)
            }
            answer(.done(job), to: loop)
            scrubs.append((loop, write, id))
        case .erase(let job, let shard, let range):
            let known = (try? twin.readHead(shard.rawValue))??.range ?? StoredRange(range)
            begin(.erase(StoreErasure(shard: shard.rawValue, range: known)), job, shard, loop, isInstall: false)
        case .install(let job, let shard, let hash):
            guard let snapshot = staged[hash] else { return answer(.failed(job), to: loop) }
            let install = StoreInstall(
                shard: shard.rawValue, snapshot: snapshot, head: snapshot.manifest.head.content)
            begin(.install(install), job, shard, loop, isInstall: true)
        case .findDue(let job, let beforeMs, let after, let limit):
            let found = try? twin.dueExpiries(before: beforeMs, after: after.map { .init($0) }, limit: limit)
            answer(.due(job, (found ?? []).map { ExpiryCursor($0) }), to: loop)
        case .makeSnapshot, .readSnapshot, .releaseSnapshots, .stage, .finishStaging, .dropStaged:
            serveFiles(waiting.request, loop)
        }
    }

    private func begin(
        _ transaction: StoreTransaction, _ job: Cluster.StoreJob, _ shard: ShardID, _ loop: Int, isInstall: Bool
    ) {
        if twin.hasJobs(before: transaction) { finishJobs() }
        guard (try? twin.begin(transaction)) != nil else { return answer(.failed(job), to: loop) }
        jobs.append((shard.rawValue, loop, job, isInstall))
    }

    private func write(_ transaction: StoreTransaction, _ request: StoreRequest, _ job: Cluster.StoreJob, _ loop: Int) {
        do throws(StoreError) {
            _ = try twin.begin(transaction)
            answer(.done(job), to: loop)
            switch request {
            case .split(_, _, let children): statistics.splits += UInt64(children.count)
            case .merge: statistics.merges += 1
            default: statistics.checkpoints += 1
            }
        } catch {
            if error.kind == .damaged, let shard = request.shard { answer(.damaged(shard, error.what), to: loop) }
            answer(.failed(job), to: loop)
        }
    }

    private func stepJob() {
        guard case .finished(let shard, let head)? = try? twin.step(),
            let place = jobs.firstIndex(where: { $0.shard == shard })
        else { return }
        let waiting = jobs.remove(at: place)
        if waiting.isInstall, let head {
            answer(.installed(waiting.job, StoredReplica(head)), to: waiting.loop)
        } else {
            if !waiting.isInstall { statistics.erasures += 1 }
            answer(waiting.isInstall ? .failed(waiting.job) : .done(waiting.job), to: waiting.loop)
        }
    }

    // MARK: - Snapshots

    private func serveFiles(_ request: StoreRequest, _ loop: Int) {
        switch request {
        case .makeSnapshot(let job, let shard):
            guard let made = try? twin.makeSnapshot(shard.rawValue),
                let head = (try? twin.readHead(shard.rawValue)) ?? nil
            else { return answerOfFile(.failed(job), to: loop) }
            statistics.snapshotsMade += 1
            offers = offers.filter { $0.value.shard != shard }
            offers[made.hash] = (shard, made.bytes)
            let replica = StoredReplica(head)
            answerOfFile(
                .madeSnapshot(
                    job,
                    SnapshotOffer(
                        position: replica.position, payload: replica.payload,
                        totalBytes: UInt64(made.bytes.count), contentHash: made.hash)), to: loop)
        case .readSnapshot(let shard, let message):
            guard let range = message.missingBytes else { return }
            guard let offer = offers[range.contentHash] else {
                return answerOfFile(.lostSnapshot(shard, contentHash: range.contentHash), to: loop)
            }
            var filled = message
            let start = Int(range.offset)
            filled.fill(with: Array(offer.bytes[start..<start + range.byteCount]))
            answerOfFile(.readSnapshot(shard, filled), to: loop)
        case .releaseSnapshots(let shard): offers = offers.filter { $0.value.shard != shard }
        case .stage(let shard, let part):
            let place = twin.intake(title: "\(shard.rawValue)", byteCount: part.totalBytes, hash: part.contentHash)
            let isWritten = twin.append(part.data, at: part.offset, to: place.name) >= part.end
            answerOfFile(
                .stagedPart(shard, contentHash: part.contentHash, through: isWritten ? part.end : nil), to: loop)
        case .finishStaging(let job, let shard, let hash):
            let place = twin.intake(title: "\(shard.rawValue)", byteCount: 0, hash: hash)
            staged[hash] = try? twin.finishIntake(place.name)
            answerOfFile(.staged(job, (staged[hash]?.manifest.range).map(ClosedRange.init)), to: loop)
        case .dropStaged(_, let hash):
            if let verified = staged.removeValue(forKey: hash) { twin.removeSnapshot(verified.name) }
        default: preconditionFailure("no business of files")
        }
    }

    /// Changes what is stored behind the cores' backs: a disk that lies.
    func change(_ transaction: StoreTransaction) throws(StoreError) {
        _ = try twin.begin(transaction)
        try twin.commit()
    }

    // MARK: - Crash and recovery

    func crash(_ kind: MemoryJournal.Crash) {
        twin.crash(.process)
        queue = []
        underWay = []
        settled = []
        jobs = []
        scrubs = []
        isBusy = false
        offers = [:]
        staged = [:]
    }

    /// What a new process finds. Damage is found before anything is used (O9).
    func recover() throws -> (stored: [StoredReplica], damaged: [ShardID]) {
        let heads = try twin.recover()
        let damaged = Set((damagedShards + twin.lost.compactMap(\.shard)).map { ShardID(rawValue: $0) })
        return (heads.map(StoredReplica.init), damaged.sorted())
    }

    func head(of shard: ShardID) -> StoredHead? { (try? twin.readHead(shard.rawValue)) ?? nil }

    /// What an inspector says of it: the shards that are damaged.
    var damagedShards: [UInt32] {
        guard case .damagedShards(let damages) = twin.inspect() else { return [] }
        return damages.map(\.shard)
    }

    /// Flips a bit of some object of the shard; what its replica reads fails from then on. False if it has none.
    func damage(_ shard: ShardID, using random: inout SeededGenerator) -> Bool {
        guard let range = (try? twin.readHead(shard.rawValue))??.range else { return false }
        var draws = DiskDraws(random: random)
        defer { random = draws.random }
        guard twin.damage(in: range, using: &draws) != nil else { return false }
        statistics.damages += 1
        return true
    }
}

extension StoreRequest {
    /// Whose state it changes.
    fileprivate var shard: ShardID? {
        switch self {
        case .write(_, let write), .merge(_, _, _, let write), .split(_, let write, _): write.shard
        case .install(_, let shard, _), .erase(_, let shard, _): shard
        default: nil
        }
    }
}

extension StoreResult {
    /// What is said instead when the commit has failed.
    fileprivate var failed: StoreResult {
        switch self {
        case .done(let job), .installed(let job, _): .failed(job)
        case .due(let job, _): .due(job, [])
        case .failed, .damaged, .madeSnapshot, .readSnapshot, .lostSnapshot, .stagedPart, .staged, .scrubbed: self
        }
    }
}

/// What one loop reads of its machine's store.
final class MachineObjects: ObjectSource, @unchecked Sendable {
    private let store: MachineStore

    init(_ store: MachineStore) {
        self.store = store
    }

    func load(_ key: ObjectRuntime.StoreKey) throws(SourceFailure) -> [UInt8]? {
        do {
            return try store.twin.get(.init(key))
        } catch {
            throw SourceFailure("\(error)")
        }
    }

    func keys(
        in range: ClosedRange<UInt64>, after: ObjectRuntime.StoreKey?, limit: Int
    ) throws(SourceFailure) -> [ObjectRuntime.StoreKey] {
        do {
            return try store.twin.keys(in: StoredRange(range), after: after.map { .init($0) }, limit: limit)
                .map { .init($0) }
        } catch {
            throw SourceFailure("\(error)")
        }
    }
}
