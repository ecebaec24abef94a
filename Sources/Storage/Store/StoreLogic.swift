/// What transactions do to the records, the same in LMDB and in the twin. Whoever calls throws away what was
/// written when an error comes out.
enum StoreLogic {
    /// Answers the heads that it wrote. Erasures and installations are only begun.
    static func apply<Table: StoreTable>(
        _ transaction: StoreTransaction, to table: inout Table
    ) throws(StoreError) -> [StoredHead] {
        switch transaction {
        case .checkpoint(let checkpoint):
            let old = try existing(or: checkpoint, range: checkpoint.head.range, in: table)
            guard checkpoint.head.range == old.range else {
                throw .refused("a checkpoint has another range than its shard", shard: old.shard)
            }
            return [try write(checkpoint, over: old, to: &table)]
        case .create(let creation):
            try checkFree(creation.head.range, for: creation.shard, in: table)
            guard try table.keys(in: creation.head.range, after: nil, limit: 1).isEmpty else {
                throw .refused("\(creation.head.range) has objects of a damaged shard", shard: creation.shard)
            }
            return [try put(StoredHead(shard: creation.shard, content: creation.head, tally: .none), in: &table)]
        case .split(let split): return try apply(split, to: &table)
        case .merge(let merge): return try apply(merge, to: &table)
        case .erase(let erasure):
            let old = try table.heads().whole.first { $0.shard == erasure.shard }
            guard old == nil || old?.range == erasure.range else {
                throw .refused("the shard has another range than is to be erased", shard: erasure.shard)
            }
            let range = try claim(erasure.range, for: erasure.shard, in: table)
            try begin(StoreMarker(shard: erasure.shard, range: range, plan: nil), in: &table)
            return []
        case .install(let install):
            try begin(marker(for: install, in: table), in: &table)
            return []
        }
    }

    private static func existing(_ shard: UInt32, in table: some StoreReading) throws(StoreError) -> StoredHead {
        guard let head = try table.head(shard) else {
            throw .refused("the store has no such shard", shard: shard)
        }
        return head
    }

    /// The first checkpoint of a shard finds nothing in its range.
    private static func existing(
        or first: StoreCheckpoint, range: StoredRange, in table: some StoreReading
    ) throws(StoreError) -> StoredHead {
        if let head = try table.head(first.shard) { return head }
        try checkFree(range, for: first.shard, in: table)
        let nothing = HeadContent(index: 0, term: 0, range: range, payload: [])
        return StoredHead(shard: first.shard, content: nothing, tally: .none)
    }

    private static func put<Table: StoreTable>(
        _ head: StoredHead, in table: inout Table
    ) throws(StoreError) -> StoredHead {
        try table.write(.head(head.shard), RecordFormat.encode(head))
        return head
    }

    /// No other shard has anything in the range, and nothing there waits to be finished.
    private static func checkFree(
        _ range: StoredRange, for shard: UInt32, in table: some StoreReading
    ) throws(StoreError) {
        for head in try table.heads().whole where head.shard == shard || head.range.overlaps(range) {
            throw .refused("shard \(head.shard) holds \(head.range)", shard: shard)
        }
        for marker in try table.markers() where marker.shard == shard || marker.range.overlaps(range) {
            throw .refused("\(marker.range) of shard \(marker.shard) is not empty yet", shard: shard)
        }
    }

    // MARK: Checkpoints

    private static func write<Table: StoreTable>(
        _ checkpoint: StoreCheckpoint, over old: StoredHead, to table: inout Table
    ) throws(StoreError) -> StoredHead {
        guard checkpoint.head.index >= old.index else {
            throw .refused("a checkpoint at \(checkpoint.head.index) is older than \(old.index)", shard: old.shard)
        }
        var head = StoredHead(shard: old.shard, content: checkpoint.head, tally: old.tally)
        do throws(StoreError) {
            for key in checkpoint.removes {
                try check(key, of: old)
                try forget(key, in: &table, &head.tally)
                try table.remove(.object(key))
            }
            for object in checkpoint.puts {
                try check(object.key, of: old)
                try write(object, in: &table, &head.tally)
            }
        } catch {
            throw StoreError(
                error.kind, error.what, place: error.place, remedy: error.remedy, shard: error.shard ?? old.shard)
        }
        return try put(head, in: &table)
    }

    private static func check(_ key: StoreKey, of head: StoredHead) throws(StoreError) {
        guard head.range.contains(key.object) else {
            throw .refused("\(RecordKey.object(key)) is none of its shard", shard: head.shard)
        }
    }

    /// Takes an object out of the digest and the expiry index.
    private static func forget<Table: StoreTable>(
        _ key: StoreKey, in table: inout Table, _ tally: inout StoreTally
    ) throws(StoreError) {
        guard let value = try table.value(.object(key)) else { return }
        guard let old = value.withUnsafeBytes({ RecordFormat.examine(.object(key), $0) }) else {
            throw .damaged("\(RecordKey.object(key)) has a wrong checksum", place: "the object store")
        }
        tally.subtract(hash: old.hash)
        if old.expiresAtMs < .max {
            try table.remove(.expiry(StoreExpiry(expiresAtMs: old.expiresAtMs, key: key)))
        }
    }

    private static func write<Table: StoreTable>(
        _ object: StoredObject, in table: inout Table, _ tally: inout StoreTally
    ) throws(StoreError) {
        try forget(object.key, in: &table, &tally)
        try add(object, to: &table, &tally)
    }

    /// Writes an object where there was none.
    static func add<Table: StoreTable>(
        _ object: StoredObject, to table: inout Table, _ tally: inout StoreTally
    ) throws(StoreError) {
        let value = RecordFormat.encode(object)
        tally.add(hash: RecordFormat.hash(object.key, value: value))
        try table.write(.object(object.key), value)
        if object.expiresAtMs < .max {
            let key = RecordKey.expiry(StoreExpiry(expiresAtMs: object.expiresAtMs, key: object.key))
            try table.write(key, RecordFormat.expiryValue(key))
        }
    }

    // MARK: Split and merge

    private static func apply<Table: StoreTable>(
        _ split: StoreSplit, to table: inout Table
    ) throws(StoreError) -> [StoredHead] {
        let children = split.children.sorted { $0.head.range.start < $1.head.range.start }
        var whole = split.parent.head.range
        for child in children {
            guard let joined = whole.joined(with: child.head.range) else {
                throw .refused("the parts of a split are no neighbours", shard: split.parent.shard)
            }
            whole = joined
        }
        let old = try existing(or: split.parent, range: whole, in: table)
        guard whole == old.range else {
            throw .refused("the parts of a split are not the whole", shard: old.shard)
        }
        for child in children {
            guard try table.value(.head(child.shard)) == nil, try table.value(.marker(child.shard)) == nil else {
                throw .refused("there is such a shard already", shard: child.shard)
            }
        }
        var parent = try write(split.parent, over: old, to: &table)
        var heads: [StoredHead] = []
        for child in children {
            let tally = try table.tally(child.head.range)
            parent.tally = parent.tally - tally
            heads.append(try put(StoredHead(shard: child.shard, content: child.head, tally: tally), in: &table))
        }
        return [try put(parent, in: &table)] + heads
    }

    private static func apply<Table: StoreTable>(
        _ merge: StoreMerge, to table: inout Table
    ) throws(StoreError) -> [StoredHead] {
        let left = try existing(merge.left, in: table)
        let right = try existing(merge.right, in: table)
        guard left.range.joined(with: right.range) == merge.head.range else {
            throw .refused("the parts of a merge are not the whole", shard: merge.into)
        }
        try table.remove(.head(merge.left))
        try table.remove(.head(merge.right))
        guard try table.value(.head(merge.into)) == nil, try table.value(.marker(merge.into)) == nil else {
            throw .refused("there is such a shard already", shard: merge.into)
        }
        let head = StoredHead(shard: merge.into, content: merge.head, tally: left.tally + right.tally)
        return [try put(head, in: &table)]
    }

    // MARK: What goes on in slices

    /// The head goes and the marker comes, in one: from here on the old state is gone.
    private static func begin<Table: StoreTable>(
        _ marker: StoreMarker, in table: inout Table
    ) throws(StoreError) {
        try table.remove(.head(marker.shard))
        try table.remove(.marker(marker.shard))
        try checkFree(marker.range, for: marker.shard, in: table)
        try table.write(.marker(marker.shard), RecordFormat.encode(marker))
    }

    /// The range to empty: with all that the shard had, or was about to have. Where its head cannot be read, that is
    /// whatever belongs to no other shard.
    private static func claim(
        _ range: StoredRange, for shard: UInt32, in table: some StoreReading
    ) throws(StoreError) -> StoredRange {
        let heads = try table.heads()
        let markers = try table.markers()
        var claimed = range
        let own =
            heads.whole.filter { $0.shard == shard }.map(\.range)
            + markers.filter { $0.shard == shard }.map(\.range)
        for before in own {
            claimed = StoredRange(start: min(claimed.start, before.start), end: max(claimed.end, before.end))
        }
        guard heads.damaged.contains(where: { $0.shard == shard }) else { return claimed }
        var (start, end) = (UInt64.min, UInt64.max)
        let others = heads.whole.map(\.range) + markers.filter { $0.shard != shard }.map(\.range)
        for other in others {
            if other.end < claimed.start { start = max(start, other.end + 1) }
            if other.start > claimed.end { end = min(end, other.start - 1) }
        }
        return StoredRange(start: start, end: end)
    }

    private static func marker(
        for install: StoreInstall, in table: some StoreReading
    ) throws(StoreError) -> StoreMarker {
        let old = try table.heads().whole.first { $0.shard == install.shard }
        if let old, old.index > install.head.index {
            throw .refused("a snapshot at \(install.head.index) is older than \(old.index)", shard: old.shard)
        }
        let snapshot = install.snapshot
        let head = StoredHead(shard: install.shard, content: install.head, tally: snapshot.manifest.tally)
        return StoreMarker(
            shard: install.shard, range: try claim(install.head.range, for: install.shard, in: table),
            plan: InstallPlan(
                name: snapshot.name, byteCount: snapshot.byteCount, hash: snapshot.hash, head: head))
    }
}
