/// One object in memory: very many of them must fit, so there is no dictionary in here, only a list of items ordered
/// by name.
struct ObjectState: Sendable, Equatable {
    var items: ContiguousArray<NamedItem> = []
    /// The newest entry that touched the object.
    var touchedIndex: UInt64 = 0
    /// All settings that the object ever had, the current ones last. They outlive items and `clear`.
    var encryption: [EncryptionSettings] = []
    /// Connections that have joined or were resumed (O15), in order of their ids.
    var sessions: [SessionRecord] = []
    /// Behind the pointers, and small: there is one of these for each object.
    private var storedByteCount: UInt32 = 0
    /// What the sessions take of the heap.
    var sessionBytes: UInt32 = 0
    /// Events of the newest entry that touched the object: whether a listener has had all of them.
    var touchedEvents: UInt8 = 0

    /// Names and values together.
    var byteCount: Int {
        get { Int(storedByteCount) }
        set { storedByteCount = UInt32(newValue) }
    }

    var isEmpty: Bool { items.isEmpty && encryption.isEmpty && sessions.isEmpty }

    /// Where the name stands, or where it would be put.
    func search(_ name: ItemName) -> (position: Int, isFound: Bool) {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            let other = items[middle].name
            if other == name { return (middle, true) }
            if other < name { low = middle + 1 } else { high = middle }
        }
        return (low, false)
    }

    func item(_ name: ItemName) -> Item? {
        let (position, isFound) = search(name)
        return isFound ? items[position].item : nil
    }

    /// The items whose names begin with the prefix: one run, as they are in order.
    func items(withPrefix prefix: ItemName) -> ContiguousArray<NamedItem>.SubSequence {
        if prefix.isEmpty { return items[...] }
        let start = search(prefix).position
        var end = start
        while end < items.count, items[end].name.hasPrefix(prefix) { end += 1 }
        return items[start..<end]
    }

    /// Puts or (with nil) removes an item, and returns what was there.
    mutating func replace(_ name: ItemName, with item: Item?) -> Item? {
        let (position, isFound) = search(name)
        if isFound {
            let previous = items[position].item
            byteCount -= name.count + previous.value.count
            if let item {
                items[position].item = item
                byteCount += name.count + item.value.count
            } else {
                items.remove(at: position)
            }
            return previous
        }
        if let item {
            if items.isEmpty { items.reserveCapacity(1) }
            items.insert(NamedItem(name: name, item: item), at: position)
            byteCount += name.count + item.value.count
        }
        return nil
    }
}
