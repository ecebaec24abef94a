/// The object that a call is about, inside the client's project.
public struct ObjectName: Sendable, Hashable {
    /// The class that objects without one belong to.
    public static let defaultClass = "_undefined_"

    public var objectClass: String
    public var id: String

    public init(_ id: String, class objectClass: String = ObjectName.defaultClass) {
        self.objectClass = objectClass
        self.id = id
    }

    /// `class/id` as it stands in a path.
    var path: String { "\(percentEncoded(objectClass))/\(percentEncoded(id))" }
}

/// One item of an object, as every answer shows it. Times are milliseconds since 1970.
public struct Item: Sendable, Hashable {
    public var value: JSON
    public var createdAt: Int
    /// The item's version for compare-and-set; rises with every write.
    public var updatedAt: Int
    public var expiresAt: Int
    /// Key version of a value that is stored encrypted.
    public var keyVersion: Int?

    /// `nil` if `json` has not the shape of an item.
    public init?(_ json: JSON) {
        guard let value = json["value"], let createdAt = json["createdAt"]?.int,
            let updatedAt = json["updatedAt"]?.int, let expiresAt = json["expiresAt"]?.int
        else { return nil }
        self.value = value
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.expiresAt = expiresAt
        keyVersion = json["keyVersion"]?.int
    }
}

/// Somebody who has joined an object.
public struct Member: Sendable, Hashable {
    public var connectionID: String
    /// Milliseconds since 1970.
    public var joinedAt: Int
    public var data: JSON
    /// Key version of data that is encrypted.
    public var keyVersion: Int?

    /// `nil` if `json` has not the shape of a member.
    public init?(_ json: JSON) {
        guard let connectionID = json["connectionId"]?.text, let joinedAt = json["joinedAt"]?.int,
            let data = json["data"]
        else { return nil }
        self.connectionID = connectionID
        self.joinedAt = joinedAt
        self.data = data
        keyVersion = json["keyVersion"]?.int
    }
}

/// What a write may ask for besides its value.
public struct WriteOptions: Sendable, Hashable {
    /// Lifetime from now on; without one the class decides.
    public var ttlMs: Int?
    /// Write only if the living item's `updatedAt` is this.
    public var updatedAt: Int?
    /// The caller's own name for this operation: every retry with it gets the first answer. Without
    /// one the client makes one per call, so that its own retries are safe.
    public var idempotencyKey: String?

    public init(ttlMs: Int? = nil, updatedAt: Int? = nil, idempotencyKey: String? = nil) {
        self.ttlMs = ttlMs
        self.updatedAt = updatedAt
        self.idempotencyKey = idempotencyKey
    }

    var members: [JSON.Member] {
        var members: [JSON.Member] = []
        if let ttlMs { members.append(JSON.Member("ttl", .integer(ttlMs))) }
        if let updatedAt { members.append(JSON.Member("updatedAt", .integer(updatedAt))) }
        return members
    }
}
