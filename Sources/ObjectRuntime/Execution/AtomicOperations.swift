/// The six atomic operations: read, modify and write of one item in one step.
extension Planner {
    private mutating func target(_ name: ItemName, _ options: WriteOptions) throws(Refusal) -> Item? {
        try context.limits.check(name: name)
        let item = living(name)
        try checkVersion(options, item)
        return item
    }

    /// The item is new, or its whole text changes.
    private mutating func replace(
        _ name: ItemName, with value: [UInt8], over previous: Item?, _ options: WriteOptions
    ) throws(Refusal) -> Draft {
        let updatedAt = version(after: previous, name)
        let item = Item(
            value: JSONText(value), createdAt: previous?.createdAt ?? updatedAt, updatedAt: updatedAt,
            expiresAt: expiry(options, keeping: previous), keyVersion: nil)
        try put(name, item, over: previous)
        return Draft(outcome: .item)
    }

    mutating func add(
        _ amount: Double, to name: ItemName, _ options: WriteOptions, _ operation: String
    ) throws(Refusal) -> Draft {
        let previous = try target(name, options)
        var value = 0.0
        if let previous {
            guard previous.value.kind == .number else {
                throw .wrongType(operation, wants: "a number", found: previous.value.kind)
            }
            value = JSONNumber.parse(previous.value.bytes)
        }
        value += amount
        guard value.isFinite else {
            throw .invalid(
                "value.notFinite", "The result of \(operation) is not a finite number; nothing was changed.")
        }
        return try replace(name, with: JSONNumber.text(value), over: previous, options)
    }

    mutating func push(
        _ value: [UInt8], onto name: ItemName, _ options: WriteOptions
    ) throws(Refusal) -> Draft {
        guard let previous = try target(name, options) else {
            return try replace(
                name, with: [JSONByte.openArray] + value + [JSONByte.closeArray], over: nil, options)
        }
        try edit(name, try ValueEdits.push(value, onto: previous.value), over: previous, options)
        return Draft(outcome: .item)
    }

    mutating func splice(
        _ splice: Splice, of name: ItemName, _ options: WriteOptions
    ) throws(Refusal) -> Draft {
        guard let previous = try target(name, options) else {
            let value = [JSONByte.openArray] + ValueEdits.joined(splice.items) + [JSONByte.closeArray]
            return try replace(name, with: value, over: nil, options)
        }
        try edit(name, try ValueEdits.splice(splice, of: previous.value), over: previous, options)
        return Draft(outcome: .item)
    }

    mutating func merge(
        _ members: [UInt8], into name: ItemName, _ options: WriteOptions
    ) throws(Refusal) -> Draft {
        guard let previous = try target(name, options) else {
            return try replace(name, with: members, over: nil, options)
        }
        try edit(name, try MergeEdits.merge(members, into: previous.value), over: previous, options)
        return Draft(outcome: .item)
    }

    mutating func setIn(
        _ path: [[UInt8]], of name: ItemName, to value: [UInt8], _ options: WriteOptions
    ) throws(Refusal) -> Draft {
        guard !path.isEmpty else { throw .invalid("path", "path must not be empty.") }
        let previous = try target(name, options)
        let edits = PathEdits(path: path, value: value, limitBytes: context.limits.valueBytes)
        guard let previous else {
            let made = try edits.edit(JSONText(Array("{}".utf8)))
            let text = [JSONByte.openObject] + made.inserted + [JSONByte.closeObject]
            return try replace(name, with: text, over: nil, options)
        }
        try edit(name, [try edits.edit(previous.value)], over: previous, options)
        return Draft(outcome: .item)
    }
}
