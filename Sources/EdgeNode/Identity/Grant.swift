import ObjectRuntime
import Placement

/// Who is calling, proven, and what that credential allows.
struct Caller: Hashable {
    var project: String
    var keyID: String
    /// Of the key's secret, when the credential was made.
    var keyVersion: UInt64 = 1
    var grant = Grant()
    /// Tells holders of one key's capabilities apart; empty for the key itself and its tokens.
    var capability = ""
    /// By wall time; sockets end with it too. Nil for what outlives its sockets' opening.
    var endsAtMs: UInt64?

    /// To whom connections and idempotency keys belong.
    var identity: String { capability.isEmpty ? keyID : keyID + "/" + capability }
}

/// What a credential allows. Each step of narrowing takes away, and none gives.
struct Grant: Hashable {
    struct Object: Hashable {
        var objectClass: String
        var id: String
    }

    var scopes = Scopes.standard
    var classPrefix = ""
    var idPrefix = ""
    /// Of a capability: the one object that it opens.
    var object: Object?
    /// Of the names of items.
    var itemPrefix = ""

    init() {}

    init(_ rights: Rights) {
        scopes = rights.scopes
        classPrefix = rights.classPrefix
        idPrefix = rights.idPrefix
    }

    mutating func narrow(scopes other: Scopes) { scopes.formIntersection(other) }

    /// Both beginnings hold from now on; if no text has both, nothing is allowed.
    mutating func narrow(_ prefix: WritableKeyPath<Grant, String>, to other: String) {
        if other.starts(withText: self[keyPath: prefix]) {
            self[keyPath: prefix] = other
        } else if !self[keyPath: prefix].starts(withText: other) {
            scopes = []
        }
    }
}

// MARK: - Checks

extension Grant {
    func require(_ scope: Scopes) throws(HTTPFault) {
        guard scopes.contains(scope) || OpenDoor.isOpen(.anyScope) else { throw .lacks(scope) }
    }

    func checkObject(objectClass: String, id: String) throws(HTTPFault) {
        if OpenDoor.isOpen(.otherObject) { return }
        if let object {
            guard object.objectClass.isText(objectClass), object.id.isText(id) else {
                throw .forbidden("object", "This capability is for another object.")
            }
        }
        guard objectClass.starts(withText: classPrefix) else {
            throw .forbidden("class", "These credentials are restricted to other classes.")
        }
        guard id.starts(withText: idPrefix) else {
            throw .forbidden("id", "These credentials are restricted to other object ids.")
        }
    }

    /// A listener hears of every item, so it must be allowed to read them all.
    func checkListening() throws(HTTPFault) {
        try require(.read)
        guard itemPrefix.isEmpty else {
            throw .forbidden("itemPrefix", "Credentials for some items of an object open no socket.")
        }
    }

    /// What is executed of `operation`: itself, or a list of those items only that may be seen.
    func narrowed(_ operation: Operation) throws(HTTPFault) -> Operation {
        guard !itemPrefix.isEmpty, !OpenDoor.isOpen(.otherItems) else { return operation }
        switch operation {
        case .getItem(let name), .removeItem(let name), .increment(let name, _, _), .decrement(let name, _, _),
            .push(let name, _, _), .splice(let name, _, _), .merge(let name, _, _), .setIn(let name, _, _, _):
            try checkItem(name)
        case .setItem(let write): try checkItem(write.name)
        case .setItems(let writes): for write in writes { try checkItem(write.name) }
        case .getItems(let names), .removeItems(let names): for name in names { try checkItem(name) }
        case .getAll(let prefix): return .getAll(prefix: try narrowed(prefix))
        case .keys(let prefix): return .keys(prefix: try narrowed(prefix))
        case .clear, .rotateEncryption: throw .otherItems
        case .encryptionSettings, .presenceList, .message, .session, .listen, .restore: break
        }
        return operation
    }

    private func checkItem(_ name: ItemName) throws(HTTPFault) {
        guard name.bytes.starts(with: itemPrefix.utf8) else { throw .otherItems }
    }

    private func narrowed(_ prefix: ItemName) throws(HTTPFault) -> ItemName {
        if prefix.bytes.starts(with: itemPrefix.utf8) { return prefix }
        guard itemPrefix.utf8.starts(with: prefix.bytes) else { throw .otherItems }
        return ItemName(itemPrefix)
    }
}

extension ObjectCall {
    /// No default: whoever adds a call says what it takes.
    var scope: Scopes {
        switch self {
        case .getItem, .getItems, .getAllItems, .getAllKeys: .read
        // Makes them where there are none: a reader cannot begin without.
        case .encryptionSettings: .read
        case .setItem, .setItems, .removeItem, .removeItemsOrClear, .atomic, .rotateEncryption: .write
        case .presenceList: .presence
        case .message: .message
        }
    }
}

extension HTTPFault {
    fileprivate static func lacks(_ scope: Scopes) -> HTTPFault {
        let name = scope.names.joined(separator: ",")
        return .forbidden("scope.\(name)", "These credentials lack the scope \(name).")
    }

    fileprivate static let otherItems = forbidden(
        "itemPrefix", "These credentials are restricted to other items of the object.")
}

extension String {
    /// To the byte: `hasPrefix` takes composed and decomposed letters for equal.
    func starts(withText prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }

    func isText(_ other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
