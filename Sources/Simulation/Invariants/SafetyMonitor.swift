import Cluster
import Placement
import Raft

/// Watches all nodes at once for what no node can see alone: two that would answer reads (I1), two
/// that committed different entries at one place (I6), seals that fall, tables that differ (I5).
struct SafetyMonitor {
    /// What a machine's journal was told about one log: enough to know each entry by term and content.
    fileprivate struct LogMirror {
        /// Index before the first entry that is known.
        var base: UInt64 = 0
        var entries: [EntryMark] = []
        /// Compared with the others up to here.
        var compared: UInt64 = 0
    }

    struct EntryMark: Equatable {
        var term: UInt64
        var digest: UInt64

        init(_ record: LogRecord) { self.init(term: record.term, kind: record.kind, payload: record.payload) }

        init(_ entry: Entry) {
            self.init(term: entry.term.rawValue, kind: entry.kind.rawValue, payload: entry.payload)
        }

        private init(term: UInt64, kind: UInt8, payload: [UInt8]) {
            self.term = term
            digest = 0xCBF2_9CE4_8422_2325 ^ UInt64(kind)
            for byte in payload { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        }
    }

    private struct Place: Hashable {
        var group: GroupID
        var index: UInt64
    }

    private let machineCount: Int
    private var logs: [[GroupID: LogMirror]]
    private var committed: [Place: EntryMark] = [:]
    /// By machine, of the running process and on the disk.
    private var seals: [[GroupID: Term]]
    private var durableSeals: [[GroupID: Term]]
    private var tables: [LogIndex: UInt64] = [:]
    /// The newest snapshot that any machine took over instead of entries.
    private var snapshots: [GroupID: UInt64] = [:]

    init(machineCount: Int) {
        self.machineCount = machineCount
        logs = [[GroupID: LogMirror]](repeating: [:], count: machineCount)
        seals = [[GroupID: Term]](repeating: [:], count: machineCount)
        durableSeals = seals
    }

    /// The machine's process is a new one, and its logs are what its disk has: of the records that were on their way some
    /// may be lost, and with them that they replaced others.
    mutating func restart(machine: Int, with recovered: RecoveredLogs) {
        for group in logs[machine].keys {
            logs[machine][group] = recovered.log(of: group).map { log in
                LogMirror(base: log.covered.index.rawValue, entries: log.entries.map(EntryMark.init))
            }
        }
        seals[machine] = [:]
    }

    // MARK: - I6

    /// Records on their way to a journal.
    mutating func observe(_ records: [LogRecord], machine: Int, in world: World) {
        for record in records {
            switch record.kind {
            case LogRecord.entryKinds:
                logs[machine][record.group, default: LogMirror()].append(EntryMark(record), at: record.index)
                if committed[Place(group: record.group, index: record.index)] == nil { world.ledger.note(record) }
            case _ where record.replacesLog: replace(record, machine: machine)
            case LogRecord.lostKind, LogRecord.endedKind: loseLog(record.group, machine: machine)
            default: break
            }
        }
    }

    /// Another replica's state takes the place of the log.
    private mutating func replace(_ record: LogRecord, machine: Int) {
        snapshots[record.group] = max(snapshots[record.group] ?? 0, record.index)
        logs[machine][record.group] = LogMirror(base: record.index, entries: [], compared: record.index)
    }

    /// A replica says that the log is committed up to `commit`: nobody may ever have another entry there.
    mutating func observe(commit: UInt64, of group: GroupID, machine: Int, in world: World) {
        guard var log = logs[machine][group], commit > log.compared else { return }
        for index in max(log.compared, log.base) + 1...max(commit, log.base + 1) where index <= commit {
            guard let mark = log.entry(at: index) else { break }
            log.compared = index
            let place = Place(group: group, index: index)
            let known = committed[place]
            if known == nil, let told = world.ledger.commit(group, index: index, term: mark.term) {
                world.enter(told.steps, of: told.object)
            }
            if let known, known != mark {
                world.fail(
                    .correctness,
                    "I6: \(world.machines[machine].name) committed another entry than was committed before in group "
                        + "\(group.rawValue) at index \(index): terms \(mark.term) and \(known.term)")
            }
            committed[place] = mark
        }
        logs[machine][group] = log
    }

    func newestSnapshotIndex(of shard: ShardID) -> UInt64 { snapshots[.shard(shard)] ?? 0 }

    // MARK: - I5

    mutating func observe(_ view: ClusterView, machine: Int, in world: World) {
        observe(commit: view.index.rawValue, of: .placement, machine: machine, in: world)
        guard let state = view.state else { return }
        let digest = SafetyMonitor.digest(state.encode())
        if let known = tables[view.index], known != digest {
            world.fail(
                .correctness, "the placement states of two nodes differ at index \(view.index.rawValue)")
        }
        tables[view.index] = digest
        for record in state.table.records {
            guard let owner = record.owner, state.registry.isFenced(owner) else { continue }
            world.fail(.correctness, "I5: shard \(record.shard.rawValue) has a fenced owner")
        }
    }

    private static func digest(_ bytes: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return hash
    }

    // MARK: - Seals

    /// A sealed term has reached the disk: from now on it must never fall, whatever crashes.
    mutating func noteDurable(seal: LogRecord, machine: Int) {
        let term = Term(rawValue: seal.term)
        durableSeals[machine][seal.group] = max(durableSeals[machine][seal.group] ?? .zero, term)
    }

    mutating func observe(seal: Term, of shard: ShardID, machine: Int, in world: World) {
        let group = GroupID.shard(shard)
        let before = max(seals[machine][group] ?? .zero, durableSeals[machine][group] ?? .zero)
        if seal < before {
            world.fail(
                .correctness,
                "I6: the sealed term of shard \(shard.rawValue) at \(world.machines[machine].name) fell from "
                    + "\(before.rawValue) to \(seal.rawValue)")
        }
        seals[machine][group] = seal
    }

    /// The machine has another disk.
    mutating func forgetDisk(of machine: Int) {
        logs[machine] = [:]
        seals[machine] = [:]
        durableSeals[machine] = [:]
    }

    /// The disk has lost this log, or the replica is no more: what comes is another one (O9).
    mutating func loseLog(_ group: GroupID, machine: Int) {
        logs[machine][group] = nil
        seals[machine][group] = nil
        durableSeals[machine][group] = nil
    }
}

extension SafetyMonitor.LogMirror {
    fileprivate mutating func append(_ mark: SafetyMonitor.EntryMark, at index: UInt64) {
        if entries.isEmpty, index > base + 1 { base = index - 1 }
        guard index > base else { return }
        let place = Int(index - base) - 1
        guard place <= entries.count else { return }
        entries.removeSubrange(place...)
        entries.append(mark)
        compared = min(compared, index - 1)
    }

    fileprivate func entry(at index: UInt64) -> SafetyMonitor.EntryMark? {
        guard index > base, index <= base + UInt64(entries.count) else { return nil }
        return entries[Int(index - base) - 1]
    }
}

extension World {
    /// After a turn of a loop: looks at its shards, and at everybody else's where one begins to answer reads.
    func watch(_ process: RunningProcess, loop: Int) {
        let clocks = clocks(process.machine)
        for shard in process.loops[loop].inspect(now: clocks) {
            let group = GroupID.shard(shard.shard)
            // A log that waits for the installation of a snapshot knows of more than it has.
            let known = min(shard.commit, shard.appliedThrough).rawValue
            safety.observe(commit: known, of: group, machine: process.machine, in: self)
            // One without its log is silent, and comes back as another (O9).
            if shard.holdsLog {
                safety.observe(seal: shard.sealedTerm, of: shard.shard, machine: process.machine, in: self)
            }
            if shard.passesReadCheck { checkSoleReader(of: shard.shard, process) }
        }
    }

    /// I1: at any instant at most one node would pass the checks of O4.
    private func checkSoleReader(of shard: ShardID, _ reader: RunningProcess) {
        statistics.readChecks += 1
        for machine in machines.indices where machine != reader.machine {
            guard let other = machines[machine].process else { continue }
            let loop = homeLoop(of: shard, loops: other.loops.count)
            guard let claim = other.loops[loop].inspect(shard, now: clocks(machine)), claim.passesReadCheck
            else { continue }
            fail(
                .correctness,
                "I1: \(reader.identity.name) and \(other.identity.name) would both answer reads of shard "
                    + "\(shard.rawValue)")
        }
    }
}
