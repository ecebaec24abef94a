/// What an operation would do, before it is done.
struct Draft {
    var changes: [ObjectChange] = []
    /// What a write answers; a read carries its reply with it.
    var outcome: EntryOutcome
    var reply: Reply?
    /// A refusal of the moment: nothing is written, and it is not remembered.
    var isPassing = false

    static func read(_ reply: Reply) -> Draft { Draft(outcome: .read, reply: reply) }
}

/// Works out what an operation does to an object, without touching it.
///
/// An item whose time is over counts as absent, and its removal goes into the draft, for whoever met
/// it: an item is expired for everybody once that entry is committed (O4).
struct Planner {
    let object: ObjectState
    let context: ExecutionContext
    /// The entry's time.
    let nowMs: UInt64
    /// Versions of removed items in this shard were at most this.
    let versionFloor: UInt64

    var changes: [ObjectChange] = []
    private var expired: [NamedItem] = []
    private var expiredNames: Set<ItemName> = []
    private var addedItems = 0
    private var addedBytes = 0

    init(object: ObjectState, context: ExecutionContext, nowMs: UInt64, versionFloor: UInt64) {
        self.object = object
        self.context = context
        self.nowMs = nowMs
        self.versionFloor = versionFloor
    }

    /// A refusal changes nothing but what had expired anyway.
    static func draft(_ operation: Operation, _ planner: consuming Planner) -> Draft {
        var planner = planner
        var draft: Draft
        do throws(Refusal) {
            draft = try planner.plan(operation)
            try planner.checkObjectLimits()
            try planner.checkQuota()
        } catch {
            draft = Draft(outcome: .refused(error))
            planner.changes = []
            if error.quotaKind != nil {
                draft.isPassing = true
                return draft
            }
        }
        draft.changes = planner.changes
        if !planner.expired.isEmpty {
            draft.changes.insert(contentsOf: planner.expired.reversed().map { .expire($0.name) }, at: 0)
        }
        return draft
    }

    private mutating func plan(_ operation: Operation) throws(Refusal) -> Draft {
        switch operation {
        case .setItem(let write): return try setItem(write)
        case .setItems(let writes): return try setItems(writes)
        case .getItem(let name): return try getItem(name)
        case .getItems(let names): return try getItems(names)
        case .getAll(let prefix): return .read(.json(Rendering.map(livingItems(withPrefix: prefix))))
        case .keys(let prefix): return .read(.json(Rendering.names(livingItems(withPrefix: prefix))))
        case .removeItem(let name): return try remove([name])
        case .removeItems(let names): return try remove(names)
        case .clear: return clear()
        case .increment(let name, let amount, let options):
            return try add(amount, to: name, options, "increment")
        case .decrement(let name, let amount, let options):
            return try add(-amount, to: name, options, "decrement")
        case .push(let name, let value, let options): return try push(value, onto: name, options)
        case .splice(let name, let splice, let options): return try self.splice(splice, of: name, options)
        case .merge(let name, let members, let options): return try merge(members, into: name, options)
        case .setIn(let name, let path, let value, let options):
            return try setIn(path, of: name, to: value, options)
        case .encryptionSettings(let saltBytes): return encryption(saltBytes, rotates: false)
        case .rotateEncryption(let saltBytes): return encryption(saltBytes, rotates: true)
        case .presenceList: return .read(.json(FrameRendering.presenceList(object.sessions)))
        case .session(let operation): return try session(operation)
        case .message, .listen: return .read(.noContent)
        case .restore(let part): return try restore(part)
        }
    }
}

// MARK: - Looking at items

extension Planner {
    /// The item, if it lives.
    mutating func living(_ name: ItemName) -> Item? {
        guard let item = object.item(name) else { return nil }
        guard item.isExpired(at: nowMs) else { return item }
        expire(NamedItem(name: name, item: item))
        return nil
    }

    mutating func livingItems(withPrefix prefix: ItemName) -> [NamedItem] {
        var result: [NamedItem] = []
        let candidates = object.items(withPrefix: prefix)
        result.reserveCapacity(candidates.count)
        for named in candidates {
            if named.item.isExpired(at: nowMs) { expire(named) } else { result.append(named) }
        }
        return result
    }

    private mutating func expire(_ named: NamedItem) {
        guard expiredNames.insert(named.name).inserted else { return }
        expired.append(named)
        addedItems -= 1
        addedBytes -= named.name.count + named.item.value.count
    }

    private mutating func getItem(_ name: ItemName) throws(Refusal) -> Draft {
        try context.limits.check(name: name)
        return .read(living(name).map { .json(Rendering.item($0)) } ?? .absent)
    }

    private mutating func getItems(_ names: [ItemName]) throws(Refusal) -> Draft {
        var found: [NamedItem] = []
        for name in ordered(names) {
            try context.limits.check(name: name)
            if let item = living(name) { found.append(NamedItem(name: name, item: item)) }
        }
        return .read(.json(Rendering.map(found)))
    }

    /// In order, each once.
    private func ordered(_ names: [ItemName]) -> [ItemName] {
        var result: [ItemName] = []
        for name in names.sorted() where result.last != name { result.append(name) }
        return result
    }
}

// MARK: - Removing

extension Planner {
    private mutating func remove(_ names: [ItemName]) throws(Refusal) -> Draft {
        for name in names {
            try context.limits.check(name: name)
            // What had expired went silently; the call itself is an event all the same.
            _ = living(name)
            changes.append(.remove(name))
        }
        return Draft(outcome: .noContent)
    }

    private mutating func clear() -> Draft {
        // From the last to the first: each removal then leaves the others where they are.
        for named in livingItems(withPrefix: "").reversed() { changes.append(.remove(named.name)) }
        return Draft(outcome: .noContent)
    }
}

// MARK: - Writing

extension Planner {
    mutating func put(_ name: ItemName, _ item: Item, over previous: Item?) throws(Refusal) {
        try context.limits.check(valueBytes: item.value.count)
        count(name, newBytes: item.value.count, over: previous)
        changes.append(.put(name, item))
    }

    mutating func edit(
        _ name: ItemName, _ edits: [TextEdit], over previous: Item, _ options: WriteOptions
    ) throws(Refusal) {
        let newBytes = edits.reduce(previous.value.count) { $0 + $1.inserted.count - $1.removed }
        try context.limits.check(valueBytes: newBytes)
        count(name, newBytes: newBytes, over: previous)
        changes.append(
            .edit(
                name, edits: edits, updatedAt: version(after: previous, name),
                expiresAt: expiry(options, keeping: previous)))
    }

    private mutating func count(_ name: ItemName, newBytes: Int, over previous: Item?) {
        if let previous {
            addedBytes += newBytes - previous.value.count
        } else {
            addedItems += 1
            addedBytes += name.count + newBytes
        }
    }

    /// Over a limit, what has expired makes room first.
    private mutating func checkObjectLimits() throws(Refusal) {
        guard addedItems > 0 || addedBytes > 0, isOverLimits else { return }
        _ = livingItems(withPrefix: "")
        guard isOverLimits else { return }
        let limits = context.limits
        if object.items.count + addedItems > limits.itemsPerObject {
            throw .tooLarge(
                "object.tooManyItems", "The object would have more than \(limits.itemsPerObject) items.")
        }
        throw .tooLarge("object.tooLarge", "The object would have more than \(limits.objectBytes) bytes.")
    }

    private func checkQuota() throws(Refusal) {
        guard let room = context.room else { return }
        let makesObject = object.isEmpty && changes.contains { $0.makesObject }
        try room.check(newObjects: makesObject ? 1 : 0, newBytes: addedBytes)
    }

    private var isOverLimits: Bool {
        object.items.count + addedItems > context.limits.itemsPerObject
            || object.byteCount + addedBytes > context.limits.objectBytes
    }

    /// An item's version rises strictly, also over its removal and expiry.
    func version(after previous: Item?, _ name: ItemName) -> UInt64 {
        if let previous { return max(nowMs, previous.updatedAt &+ 1) }
        let gone = expired.last { $0.name == name }?.item.updatedAt ?? 0
        return max(nowMs, max(versionFloor, gone) &+ 1)
    }

    /// A set without ttl falls back to the class; an operation keeps what the item has.
    func expiry(_ options: WriteOptions, keeping previous: Item? = nil) -> UInt64 {
        if options.ttlMs == nil, let previous { return previous.expiresAt }
        guard let ttlMs = options.ttlMs ?? context.defaultTTLMs, ttlMs <= WriteOptions.longestTTLMs else {
            return Item.never
        }
        return min(nowMs &+ ttlMs, Item.never)
    }

    func checkVersion(_ options: WriteOptions, _ item: Item?) throws(Refusal) {
        guard let expected = options.updatedAt else { return }
        guard item?.updatedAt == expected else { throw .versionMismatch }
    }
}

// MARK: - Setting

extension Planner {
    private mutating func setItem(_ write: ItemWrite) throws(Refusal) -> Draft {
        try set(write) ? Draft(outcome: .item) : Draft(outcome: .noContent)
    }

    /// All or nothing: the first refusal refuses them all.
    private mutating func setItems(_ writes: [ItemWrite]) throws(Refusal) -> Draft {
        for write in writes { _ = try set(write) }
        return Draft(outcome: .items)
    }

    /// False if `ifAbsent` found an item.
    private mutating func set(_ write: ItemWrite) throws(Refusal) -> Bool {
        try context.limits.check(name: write.name)
        try context.limits.check(valueBytes: write.value.count)
        let keyVersion = try knownKeyVersion(write.keyVersion)
        let previous = living(write.name)
        if write.ifAbsent, previous != nil { return false }
        try checkVersion(write.options, previous)
        let updatedAt = version(after: previous, write.name)
        let item = Item(
            value: JSONText(write.value), createdAt: previous?.createdAt ?? updatedAt, updatedAt: updatedAt,
            expiresAt: expiry(write.options), keyVersion: keyVersion)
        try put(write.name, item, over: previous)
        return true
    }

    /// The current version and every earlier one are fine: the client that gets a mismatch would store
    /// what nobody can read.
    private func knownKeyVersion(_ asked: UInt64?) throws(Refusal) -> UInt32? {
        guard let asked else { return nil }
        guard let settings = object.encryption.first(where: { UInt64($0.keyVersion) == asked }) else {
            throw .keyVersionMismatch
        }
        return settings.keyVersion
    }

    private mutating func encryption(_ saltBytes: Int, rotates: Bool) -> Draft {
        if rotates || object.encryption.isEmpty {
            changes.append(
                .settings(
                    EncryptionSettings(
                        salt: expand(context.random, count: saltBytes),
                        keyVersion: object.encryption.last.map { $0.keyVersion &+ 1 } ?? 0, createdAt: nowMs))
            )
        }
        return Draft(outcome: .settings)
    }
}
