extension Planner {
    /// What makes the range of names hold just the part. Limits of objects do not count: what was there may be there
    /// again. Quotas of objects do.
    mutating func restore(_ part: Restoration) throws(Refusal) -> Draft {
        for named in part.items { try context.limits.check(name: named.name) }
        let wanted = part.items.filter { !$0.item.isExpired(at: nowMs) }
        let present = livingItems(withPrefix: "").filter { part.covers($0.name) }
        let isEqual = present == wanted
        let hasSettings = part.after != nil || object.encryption == part.encryption
        switch part.mode {
        case .compare:
            guard isEqual, hasSettings else { throw .differsFromBackup }
            return .read(.noContent)
        case .create:
            let known = Dictionary(uniqueKeysWithValues: wanted.map { ($0.name, $0.item) })
            guard present.allSatisfy({ known[$0.name] == $0.item }), hasSettings || object.encryption.isEmpty
            else { throw .existsAlready }
        case .overwrite: break
        }
        replace(present, by: wanted)
        if !hasSettings || part.versionFloor > versionFloor && !isEqual {
            changes.insert(
                .restored(
                    encryption: part.after == nil ? part.encryption : object.encryption,
                    versionFloor: part.versionFloor), at: 0)
        }
        return Draft(outcome: .noContent)
    }

    /// From the last to the first: each removal then leaves the others where they are.
    private mutating func replace(_ present: [NamedItem], by wanted: [NamedItem]) {
        var position = wanted.endIndex
        for old in present.reversed() {
            while position > 0, wanted[position - 1].name > old.name { position -= 1 }
            if position == 0 || wanted[position - 1].name != old.name { changes.append(.remove(old.name)) }
        }
        var remaining = present[...]
        for named in wanted {
            while let first = remaining.first, first.name < named.name { remaining.removeFirst() }
            if remaining.first != named { changes.append(.put(named.name, named.item)) }
        }
    }
}

extension Refusal {
    static let existsAlready = conflict(
        "restore.exists", "The object has something else than the backup; nothing was changed.")
    static let differsFromBackup = conflict(
        "restore.differs", "The object has something else than the backup.")
}
