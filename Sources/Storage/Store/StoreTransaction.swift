/// One atomic change of the store. Several may share a commit; each happens whole or not at all.
public enum StoreTransaction: Sendable {
    case checkpoint(StoreCheckpoint)
    case create(StoreCreation)
    case split(StoreSplit)
    case merge(StoreMerge)
    case erase(StoreErasure)
    case install(StoreInstall)
}

/// What a shard's objects became, and the log index up to which that is so.
public struct StoreCheckpoint: Sendable {
    public var shard: UInt32
    /// New or changed objects; in the order of their keys it goes fastest. No key twice, none in `removes`.
    public var puts: [StoredObject]
    public var removes: [StoreKey]
    /// The range stays as it is, the index never falls.
    public var head: HeadContent

    public init(shard: UInt32, puts: [StoredObject], removes: [StoreKey] = [], head: HeadContent) {
        self.shard = shard
        self.puts = puts
        self.removes = removes
        self.head = head
    }
}

/// A new shard without objects, on a range where the store has nothing.
public struct StoreCreation: Sendable {
    public var shard: UInt32
    public var head: HeadContent

    public init(shard: UInt32, head: HeadContent) {
        self.shard = shard
        self.head = head
    }
}

/// The upper part of a shard becomes a shard of its own, or several, one beside the other. No object is copied.
public struct StoreSplit: Sendable {
    public struct Child: Sendable {
        public var shard: UInt32
        public var head: HeadContent

        public init(shard: UInt32, head: HeadContent) {
            self.shard = shard
            self.head = head
        }
    }

    /// The parent's last checkpoint before the cut; its head has the range that is left.
    public var parent: StoreCheckpoint
    /// Their ranges begin at the lowest cut and end where the parent's ended.
    public var children: [Child]

    public init(parent: StoreCheckpoint, children: [Child]) {
        self.parent = parent
        self.children = children
    }

    public init(parent: StoreCheckpoint, child: UInt32, childHead: HeadContent) {
        self.init(parent: parent, children: [Child(shard: child, head: childHead)])
    }
}

/// Two neighbours become one new shard. No object is copied.
public struct StoreMerge: Sendable {
    public var left: UInt32
    public var right: UInt32
    public var into: UInt32
    /// Its range is those of both.
    public var head: HeadContent

    public init(left: UInt32, right: UInt32, into: UInt32, head: HeadContent) {
        self.left = left
        self.right = right
        self.into = into
        self.head = head
    }
}

/// Everything of a shard goes: the head at once, the objects in slices. What is left after a crash goes when
/// the store is opened again.
public struct StoreErasure: Sendable {
    public var shard: UInt32
    /// The head's range, if there is a head that can be read.
    public var range: StoredRange

    public init(shard: UInt32, range: StoredRange) {
        self.shard = shard
        self.range = range
    }
}

/// A snapshot takes the place of whatever the shard had. Until the file is whole and the switch is durable
/// there is the old state, afterwards the new one, loaded in slices; `done` is called when it is complete.
public struct StoreInstall: Sendable {
    public var shard: UInt32
    /// In the store's directory of snapshots; removed in the end.
    public var snapshot: VerifiedSnapshot
    /// Whatever the shard's head shall say. All objects of the snapshot lie in its range.
    public var head: HeadContent

    public init(shard: UInt32, snapshot: VerifiedSnapshot, head: HeadContent) {
        self.shard = shard
        self.snapshot = snapshot
        self.head = head
    }
}

extension StoreTransaction {
    /// About how much it writes.
    var valueBytes: Int {
        switch self {
        case .checkpoint(let part): part.valueBytes
        case .split(let split):
            split.children.reduce(split.parent.valueBytes) { $0 + $1.head.payload.count }
        case .create(let creation): creation.head.payload.count
        case .merge(let merge): merge.head.payload.count
        case .install(let install): install.head.payload.count
        case .erase: 0
        }
    }

    /// The range that it needs to be free of earlier business.
    var claimedRange: StoredRange? {
        switch self {
        case .create(let creation): creation.head.range
        case .erase(let erasure): erasure.range
        case .install(let install): install.head.range
        case .checkpoint, .split, .merge: nil
        }
    }
}

extension StoreCheckpoint {
    var valueBytes: Int {
        puts.reduce(head.payload.count) { $0 + $1.bytes.count + 64 }
    }
}
