// # StoreBinding
//
// What the deciding modules call their values, and what `Storage` calls the same: neither knows the other. Whoever
// drives cores with disks, a node as well as the simulator, translates here. Nothing is decided in here.

import Cluster
import ObjectRuntime
import Placement
import Raft
import Storage

extension Storage.StoreKey {
    public init(_ key: ObjectRuntime.StoreKey) {
        self.init(object: key.object, fingerprint: key.fingerprint)
    }
}

extension ObjectRuntime.StoreKey {
    public init(_ key: Storage.StoreKey) {
        self.init(object: key.object, fingerprint: key.fingerprint)
    }
}

extension StoredRange {
    public init(_ range: ClosedRange<UInt64>) {
        self.init(start: range.lowerBound, end: range.upperBound)
    }
}

extension ClosedRange<UInt64> {
    public init(_ range: StoredRange) { self = range.start...range.end }
}

extension HeadContent {
    public init(_ write: StoredWrite) {
        self.init(
            index: write.base.position.index.rawValue, term: write.base.position.term.rawValue,
            range: StoredRange(write.range), payload: write.payload())
    }
}

extension StoreCheckpoint {
    /// `other` are changes of the part that is about to be split off.
    public init(_ write: StoredWrite, also other: [StoredChange]) {
        var puts: [Storage.StoredObject] = []
        var removes: [Storage.StoreKey] = []
        for change in write.changes() + other {
            switch change {
            case .put(let key, let expiresAtMs, let bytes):
                puts.append(.init(key: .init(key), expiresAtMs: expiresAtMs, bytes: bytes))
            case .remove(let key): removes.append(.init(key))
            }
        }
        self.init(shard: write.shard.rawValue, puts: puts, removes: removes, head: HeadContent(write))
    }
}

extension StoreSplit {
    public init(_ parent: StoredWrite, _ children: [StoredWrite]) {
        self.init(
            parent: StoreCheckpoint(parent, also: children.flatMap { $0.changes() }),
            children: children.map { Child(shard: $0.shard.rawValue, head: HeadContent($0)) })
    }
}

extension StoredReplica {
    public init(_ head: StoredHead) {
        self.init(
            shard: ShardID(rawValue: head.shard),
            position: Position(term: Term(rawValue: head.term), index: LogIndex(rawValue: head.index)),
            range: head.range.start...head.range.end, objectCount: head.objectCount, payload: head.payload)
    }
}

extension SnapshotOffer {
    public init(_ snapshot: VerifiedSnapshot) {
        let head = snapshot.manifest.head
        self.init(
            position: Position(term: Term(rawValue: head.term), index: LogIndex(rawValue: head.index)),
            payload: head.payload, totalBytes: snapshot.byteCount, contentHash: snapshot.hash)
    }
}

extension StoreExpiry {
    public init(_ cursor: ExpiryCursor) {
        self.init(expiresAtMs: cursor.expiresAtMs, key: .init(cursor.key))
    }
}

extension ExpiryCursor {
    public init(_ expiry: StoreExpiry) {
        self.init(expiresAtMs: expiry.expiresAtMs, key: .init(expiry.key))
    }
}

extension ScrubReport {
    /// What was found of the write that the scrub began with.
    public init(_ write: StoredWrite, id: UInt64, found: StoreVerification?) {
        var report = ScrubReport(
            shard: write.shard, id: id, index: write.base.position.index.rawValue, objectCount: 0, digest: 0,
            isSound: false)
        if case .whole(let head)? = found, head.index == report.index {
            report.objectCount = head.objectCount
            report.digest = head.digest
            report.isSound = true
        }
        self = report
    }
}

extension StoreTransaction {
    /// The transaction that a request wants; nil for what is no transaction. Encodes: to be called on the store's
    /// thread.
    public init?(_ request: StoreRequest) {
        switch request {
        case .write(_, let write), .scrub(_, let write, _): self = .checkpoint(StoreCheckpoint(write, also: []))
        case .split(_, let parent, let children): self = .split(StoreSplit(parent, children))
        case .merge(_, let left, let right, let into):
            self = .merge(
                StoreMerge(
                    left: left.rawValue, right: right.rawValue, into: into.shard.rawValue,
                    head: HeadContent(into)))
        default: return nil
        }
    }
}

extension JournalRecord {
    public init(_ record: LogRecord) {
        self.init(
            kind: record.kind, group: record.group.rawValue, term: record.term, index: record.index,
            payload: record.payload)
    }
}

extension LogRecord {
    public init(_ record: JournalRecord) {
        self.init(
            kind: record.kind, group: GroupID(rawValue: record.group), term: record.term, index: record.index,
            payload: record.payload)
    }
}
