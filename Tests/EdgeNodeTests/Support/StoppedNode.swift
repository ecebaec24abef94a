import Binary
import Foundation
import Logging
import Placement
import Raft
import Storage

@testable import Cluster
@testable import EdgeNode

/// The data directory of a node that was stopped in order: two shards in the store, logs behind them, one shard with
/// a log only. Small, so that every byte of it can be damaged in turn.
struct StoppedNode {
    static let node: UInt64 = 7
    static let cluster: UInt64 = 99
    static let shards: [UInt32] = [0, 1, 2]
    let path: String

    static let genesis = Genesis(
        clusterID: cluster, hashKey: SipHash(key0: 1, key1: 2),
        members: (1...3).map {
            Genesis.Member(
                node: NodeID(rawValue: 6 + $0), name: "n\($0)", peerAddress: "127.0.0.1:710\($0)",
                clientURL: "http://127.0.0.1:700\($0)")
        },
        shardCount: 4, signingKey: Array(repeating: 5, count: 32))

    /// In memory: thousands of them are made.
    static func temporaryPath() -> String {
        "/dev/shm/holdfast-disk-\(UInt64.random(in: 0...UInt64.max))"
    }

    static var journalOptions: JournalOptions {
        var options = JournalOptions()
        options.firstSegmentBytes = 16 << 10
        options.segmentBytes = 16 << 10
        return options
    }

    init() throws {
        path = Self.temporaryPath()
        let directory = try DataDirectory.open(path: path, name: "n1", newNode: Self.node)
        let journal = try Journal.open(directory: directory.journalDirectory, options: Self.journalOptions) { _ in }
        for records in Self.records() {
            let done = DispatchSemaphore(value: 0)
            journal.append(records.map(JournalRecord.init)) { _ in done.signal() }
            done.wait()
        }
        journal.close()
        let store = try ObjectStore.open(directory: path + "/store")
        for shard in Self.shards.prefix(2) { Self.fill(store, shard) }
        store.close()
        try directory.join(cluster: Self.cluster)
        PeerFile(
            clusterID: Self.cluster, node: Self.node, addresses: ["127.0.0.1:7101", "127.0.0.1:7102"]
        ).write(to: path)
        // Of the threads that have just ended.
        for name in ["lock", "journal/spare"] { unlink(path + "/" + name) }
    }

    private static func records() -> [[LogRecord]] {
        let voters = Configuration(voters: genesis.members.map(\.node))
        var groups: [LogRecord] = [.created(voters, group: .placement)]
        for shard in shards { groups.append(.created(voters, group: .shard(ShardID(rawValue: shard)))) }
        var batches = [groups + [.genesis(genesis)]]
        for shard in shards {
            let group = GroupID.shard(ShardID(rawValue: shard))
            let vote = HardState(term: Term(rawValue: 1), vote: Candidate(node: voters.voters[0], incarnation: 3))
            batches.append([.hardState(vote, group: group)] + (1...5).map { entry($0, group) })
            guard shard < 2 else { continue }
            batches.append([.covered(Position(term: Term(rawValue: 1), index: LogIndex(rawValue: 3)), group: group)])
        }
        return batches
    }

    private static func entry(_ index: UInt64, _ group: GroupID) -> LogRecord {
        let payload = (0..<40).map { UInt8(truncatingIfNeeded: index &* 13 &+ $0) }
        return .entry(
            Entry(term: Term(rawValue: 1), index: LogIndex(rawValue: index), kind: .command, payload: payload),
            group: group)
    }

    private static func fill(_ store: ObjectStore, _ shard: UInt32) {
        let start = UInt64(shard) << 62
        let head = HeadContent(
            index: 3, term: 1, range: StoredRange(start: start, end: start + (1 << 62) - 1), payload: [1, 2, 3])
        let puts = (UInt64(1)...12).map { (number: UInt64) -> Storage.StoredObject in
            let bytes = [UInt8](repeating: UInt8(number), count: number == 7 ? 6_000 : 60)
            let expiresAtMs: UInt64 = number % 3 == 0 ? 5_000 : .max
            return StoredObject(
                key: StoreKey(object: start + number, fingerprint: number), expiresAtMs: expiresAtMs, bytes: bytes)
        }
        let transactions: [StoreTransaction] = [
            .create(StoreCreation(shard: shard, head: head)),
            .checkpoint(StoreCheckpoint(shard: shard, puts: puts, head: head)),
        ]
        for transaction in transactions {
            let done = DispatchSemaphore(value: 0)
            store.apply(transaction) { _ in done.signal() }
            done.wait()
        }
    }

    /// Another directory with the same files.
    func copy() throws -> String {
        let target = Self.temporaryPath()
        try FileManager.default.copyItem(atPath: path, toPath: target)
        return target
    }

    static func opening(_ path: String, onDamage: NodeConfiguration.OnDamage = .rejoin) -> NodeDisk.Opening {
        NodeDisk.Opening(
            path: path, name: "n1", onDamage: onDamage, ownPeerAddress: "127.0.0.1:7101", journal: journalOptions,
            space: SpaceWatch(path: path))
    }

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

/// All that a start gets from a disk, for comparison.
struct DiskContent: Equatable {
    var node: UInt64
    var logs: [UInt32: String] = [:]
    var objects: [UInt32: [String]] = [:]
    var damaged: [UInt32] = []

    init(_ disk: NodeDisk) throws {
        node = disk.directory.identity.node
        damaged = disk.store.damaged.map(\.rawValue)
        for shard in StoppedNode.shards {
            guard let log = disk.recovered.logs.shardLog(ShardID(rawValue: shard)) else { continue }
            logs[shard] = "\(log.hardState) \(log.covered) \(log.entries) \(String(describing: log.created))"
        }
        let source = try disk.store.makeObjects()
        for replica in disk.store.found where !disk.store.damaged.contains(replica.shard) {
            var lines = ["\(replica.position) \(replica.payload) \(replica.objectCount)"]
            for key in try source.keys(in: replica.range, after: nil, limit: 1_000) {
                lines.append("\(key) \(try source.load(key) ?? [])")
            }
            objects[replica.shard.rawValue] = lines
        }
    }
}
