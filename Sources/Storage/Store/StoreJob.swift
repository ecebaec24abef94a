/// Carries out what a marker says, slice by slice, each a transaction of its own. Started again from nothing
/// after a crash: emptying a range that is partly empty, or partly filled, does no harm.
struct StoreJob: Sendable {
    private enum Stage: Sendable {
        case objects
        case expiries(after: RecordKey?)
        case loading
        case done
    }

    let marker: StoreMarker
    private var stage = Stage.objects
    private var source: (any SnapshotSource)?
    private var tally = StoreTally.none
    private var last: StoreKey?

    /// How much one slice looks at, and how much it writes.
    struct Slice: Sendable {
        var records = 4096
        var bytes = 4 << 20
    }

    /// `source` is what an installation loads.
    init(_ marker: StoreMarker, source: (any SnapshotSource)?) {
        precondition((marker.plan == nil) == (source == nil), "an installation, and only that, loads a snapshot")
        self.marker = marker
        self.source = source
    }

    var isDone: Bool {
        if case .done = stage { true } else { false }
    }

    /// One slice. When the last one is done, answers the head that it wrote, if it was an installation.
    mutating func step<Table: StoreTable>(
        in table: inout Table, _ slice: Slice
    ) throws(StoreError) -> StoredHead? {
        switch stage {
        case .objects: try removeObjects(in: &table, slice)
        case .expiries(let after): try removeExpiries(in: &table, after: after, slice)
        case .loading: return try load(into: &table, slice)
        case .done: break
        }
        if isDone { try table.remove(.marker(marker.shard)) }
        return nil
    }

    private mutating func removeObjects<Table: StoreTable>(
        in table: inout Table, _ slice: Slice
    ) throws(StoreError) {
        let keys = try table.keys(in: marker.range, after: nil, limit: slice.records)
        for key in keys { try table.remove(.object(key)) }
        if keys.count < slice.records { stage = .expiries(after: nil) }
    }

    /// Goes through the whole index: when an object can expire is no longer known once it is gone, and if it
    /// was damaged it never was.
    private mutating func removeExpiries<Table: StoreTable>(
        in table: inout Table, after: RecordKey?, _ slice: Slice
    ) throws(StoreError) {
        var found: [RecordKey] = []
        var seen = 0
        var last: RecordKey?
        if let span = RecordKey.expiries.above(after) {
            try table.scan(span) { key, _ in
                seen += 1
                last = key
                if marker.range.contains(key.storeKey.object) { found.append(key) }
                return seen < slice.records
            }
        }
        for key in found { try table.remove(key) }
        if let last, seen == slice.records {
            stage = .expiries(after: last)
        } else {
            stage = marker.plan == nil ? .done : .loading
        }
    }

    private mutating func load<Table: StoreTable>(
        into table: inout Table, _ slice: Slice
    ) throws(StoreError) -> StoredHead? {
        guard let plan = marker.plan else { preconditionFailure("an erasure loads nothing") }
        var bytes = 0
        while bytes < slice.bytes {
            guard let objects = try source?.next() else { return try finish(plan, in: &table) }
            for object in objects {
                try check(object, plan)
                try StoreLogic.add(object, to: &table, &tally)
                bytes += object.bytes.count
            }
        }
        return nil
    }

    private mutating func check(_ object: StoredObject, _ plan: InstallPlan) throws(StoreError) {
        guard plan.head.range.contains(object.key.object), last.map({ $0 < object.key }) ?? true else {
            throw .damaged("\(RecordKey.object(object.key)) is out of place", place: plan.name, shard: marker.shard)
        }
        last = object.key
    }

    private mutating func finish<Table: StoreTable>(
        _ plan: InstallPlan, in table: inout Table
    ) throws(StoreError) -> StoredHead {
        guard tally == plan.head.tally else {
            throw .damaged("its objects are not those of its manifest", place: plan.name, shard: marker.shard)
        }
        stage = .done
        try table.write(.head(marker.shard), RecordFormat.encode(plan.head))
        try table.remove(.marker(marker.shard))
        return plan.head
    }
}

/// Where the objects of an installation come from, in the order of their keys, a frame at a time.
protocol SnapshotSource: Sendable {
    /// Nil at the end.
    mutating func next() throws(StoreError) -> [StoredObject]?
}
