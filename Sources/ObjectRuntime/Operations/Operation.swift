/// What a client asks of an object.
public enum Operation: Sendable, Equatable {
    case setItem(ItemWrite)
    case setItems([ItemWrite])
    case getItem(ItemName)
    case getItems([ItemName])
    case getAll(prefix: ItemName)
    case keys(prefix: ItemName)
    case removeItem(ItemName)
    case removeItems([ItemName])
    case clear
    case increment(ItemName, by: Double, WriteOptions)
    case decrement(ItemName, by: Double, WriteOptions)
    case push(ItemName, value: [UInt8], WriteOptions)
    case splice(ItemName, Splice, WriteOptions)
    /// The members of a JSON object, as its text.
    case merge(ItemName, members: [UInt8], WriteOptions)
    /// The path's parts as UTF-8.
    case setIn(ItemName, path: [[UInt8]], value: [UInt8], WriteOptions)
    case encryptionSettings(saltBytes: Int)
    case rotateEncryption(saltBytes: Int)
    /// Who has joined (section 10 of the wire protocol).
    case presenceList
    /// To everybody who listens; not stored. The sender's own connection, if it is one, is left out.
    case message(SocketPayload, sender: ConnectionID?)
    /// Of an edge, for one of its connections.
    case session(SessionOperation)
    /// Of an edge: tell the events of the object.
    case listen(ListenRequest)
    /// Of an operator: what a backup has of the object.
    case restore(Restoration)

    /// Reads may still write: the removal of an expired item that they meet (O4).
    public var isWrite: Bool {
        switch self {
        case .getItem, .getItems, .getAll, .keys, .presenceList, .message, .listen: false
        case .restore(let part): part.mode != .compare
        default: true
        }
    }

    /// Neither reads nor changes the object: only its place in the order counts.
    var passesBy: Bool {
        switch self {
        case .message, .listen: true
        default: false
        }
    }

    /// Whether anybody notices that it was executed: writes, and messages, which leave no trace in the log.
    public var hasEffect: Bool {
        if case .message = self { return true }
        return isWrite
    }

    /// For metrics: the call's name in the protocol.
    public var name: StaticString {
        switch self {
        case .setItem: "setItem"
        case .setItems: "setItems"
        case .getItem: "getItem"
        case .getItems: "getItems"
        case .getAll: "getAllItems"
        case .keys: "getAllKeys"
        case .removeItem: "removeItem"
        case .removeItems: "removeItems"
        case .clear: "clear"
        case .increment: "increment"
        case .decrement: "decrement"
        case .push: "push"
        case .splice: "splice"
        case .merge: "merge"
        case .setIn: "setIn"
        case .encryptionSettings: "encryptionSettings"
        case .rotateEncryption: "rotateEncryption"
        case .presenceList: "presenceList"
        case .message: "message"
        case .session(.join): "presenceJoin"
        case .session(.leave): "presenceLeave"
        case .session(.resume): "resume"
        case .listen: "listen"
        case .restore: "restore"
        }
    }
}

/// What every write of one item may carry.
public struct WriteOptions: Sendable, Equatable {
    /// How long the item lives from this write on.
    public var ttlMs: UInt64?
    /// The write happens only if the living item is at this version.
    public var updatedAt: UInt64?

    /// A longer life is an endless one.
    public static let longestTTLMs: UInt64 = 315_360_000_000

    public init(ttlMs: UInt64? = nil, updatedAt: UInt64? = nil) {
        self.ttlMs = ttlMs
        self.updatedAt = updatedAt
    }
}

/// Sets one item. The value is JSON text, checked by whoever made this.
public struct ItemWrite: Sendable, Equatable {
    public var name: ItemName
    public var value: [UInt8]
    public var options: WriteOptions
    public var ifAbsent: Bool
    public var keyVersion: UInt64?

    public init(
        name: ItemName, value: [UInt8], options: WriteOptions = WriteOptions(), ifAbsent: Bool = false,
        keyVersion: UInt64? = nil
    ) {
        self.name = name
        self.value = value
        self.options = options
        self.ifAbsent = ifAbsent
        self.keyVersion = keyVersion
    }
}

/// `Array.prototype.splice` with the numbers truncated to integers.
public struct Splice: Sendable, Equatable {
    public var start: Int
    public var deleteCount: Int
    public var items: [[UInt8]]

    public init(start: Int, deleteCount: Int, items: [[UInt8]] = []) {
        self.start = start
        self.deleteCount = deleteCount
        self.items = items
    }
}
