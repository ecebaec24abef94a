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

    private(set) var twin = MemoryStore(sliceRecords: 4)
    private var queue: [Waiting] = []
    /// Answers that leave when the commit is done.
    private var underWay: [(loop: Int, result: StoreResult)] = []
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
        let answers = underWay
        underWay = []
        do {
            try twin.commit()
            return answers + verified()
        } catch {
            scrubs = []
            let lostJobs = jobs
            jobs = []
            return answers.map { (loop: $0.loop, result: $0.result.failed) }
                + lostJobs.map { (loop: $0.loop, result: .failed($0.job)) }
        }
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

    private func begin(_ waiting: Waiting) {
        let loop = waiting.loop
        switch waiting.request {
        case .write(let job, _), .split(let job, _, _), .merge(let job, _, _, _):
            guard let transaction = StoreTransaction(waiting.request) else { return }
            let isDone = (try? twin.begin(transaction)) != nil
            answer(isDone ? .done(job) : .failed(job), to: loop)
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
        guard (try? twin.begin(transaction)) != nil else { return answer(.failed(job), to: loop) }
        jobs.append((shard.rawValue, loop, job, isInstall))
    }

    private func stepJob() {
        guard case .finished(let shard, let head)? = try? twin.step(),
            let place = jobs.firstIndex(where: { $0.shard == shard })
        else { return }
        let waiting = jobs.remove(at: place)
        if waiting.isInstall, let head {
            answer(.installed(waiting.job, StoredReplica(head)), to: waiting.loop)
        } else {
            answer(waiting.isInstall ? .failed(waiting.job) : .done(waiting.job), to: waiting.loop)
        }
    }

    // MARK: - Snapshots

    private func serveFiles(_ request: StoreRequest, _ loop: Int) {
        switch request {
        case .makeSnapshot(let job, let shard):
            guard let made = try? twin.makeSnapshot(shard.rawValue),
                let head = (try? twin.readHead(shard.rawValue)) ?? nil
            else { return answer(.failed(job), to: loop) }
            offers = offers.filter { $0.value.shard != shard }
            offers[made.hash] = (shard, made.bytes)
            let replica = StoredReplica(head)
            answer(
                .madeSnapshot(
                    job,
                    SnapshotOffer(
                        position: replica.position, payload: replica.payload,
                        totalBytes: UInt64(made.bytes.count), contentHash: made.hash)), to: loop)
        case .readSnapshot(let shard, let message):
            guard let range = message.missingBytes, let offer = offers[range.contentHash] else { return }
            var filled = message
            let start = Int(range.offset)
            filled.fill(with: Array(offer.bytes[start..<start + range.byteCount]))
            answer(.readSnapshot(shard, filled), to: loop)
        case .releaseSnapshots(let shard): offers = offers.filter { $0.value.shard != shard }
        case .stage(let shard, let part):
            let place = twin.intake(title: "\(shard.rawValue)", byteCount: part.totalBytes, hash: part.contentHash)
            _ = twin.append(part.data, at: part.offset, to: place.name)
        case .finishStaging(let job, let shard, let hash):
            let place = twin.intake(title: "\(shard.rawValue)", byteCount: 0, hash: hash)
            staged[hash] = try? twin.finishIntake(place.name)
            answer(.staged(job, isIntact: staged[hash] != nil), to: loop)
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
        jobs = []
        scrubs = []
        isBusy = false
        offers = [:]
        staged = [:]
    }

    /// What a new process finds. Damage is found before anything is used (O9).
    func recover() throws -> (stored: [StoredReplica], damaged: [ShardID]) {
        let heads = try twin.recover()
        var damaged: Set<UInt32> = []
        if case .damagedShards(let damages) = twin.inspect() { damaged = Set(damages.map(\.shard)) }
        return (
            heads.filter { !damaged.contains($0.shard) }.map(StoredReplica.init),
            damaged.sorted().map { ShardID(rawValue: $0) }
        )
    }

    /// Flips a bit of some object; what its replica reads fails from then on.
    func damage(using random: inout SeededGenerator) -> Bool {
        var draws = DiskDraws(random: random)
        defer { random = draws.random }
        return twin.damage(using: &draws) != nil
    }
}

extension StoreResult {
    /// What is said instead when the commit has failed.
    fileprivate var failed: StoreResult {
        switch self {
        case .done(let job), .madeSnapshot(let job, _), .staged(let job, _), .installed(let job, _): .failed(job)
        case .due(let job, _): .due(job, [])
        case .failed, .readSnapshot, .damaged, .scrubbed: self
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
