/// How large things may be. Over a limit a request is refused, by a message that names the limit.
public struct Limits: Sendable, Equatable {
    public var classBytes = 256
    public var objectIDBytes = 256
    public var itemNameBytes = 1024
    public var valueBytes = 1 << 20
    public var itemsPerObject = 10_000
    /// Names and values of an object together.
    public var objectBytes = 64 << 20
    /// Sockets of clients on all nodes that listen to an object.
    public var socketsPerObject = 1_000
    /// Connections of an object that have joined or were resumed.
    public var sessionsPerObject = 10_000
    /// What all of them have joined with, together. What is less than one connection's share always fits.
    public var presenceBytesPerObject = 8 << 20
    /// Idempotency keys that one shard remembers, and the bytes of their log entries.
    public var clientKeysPerShard = 50_000
    public var clientKeyBytesPerShard = 64 << 20
    /// How long a client's idempotency key is kept, of the window's age (O10).
    public static let clientKeyWindowMs: UInt64 = 600_000
    /// A message's JSON text: clients take frames of up to 4 MiB, and escapes can make a text six times as long.
    public static let messageBytes = 3 << 20

    public init() {}

    func check(name: ItemName) throws(Refusal) {
        guard name.count <= itemNameBytes else {
            throw .invalid(
                "name.tooLong", "The item name has \(name.count) bytes; the limit is \(itemNameBytes).")
        }
    }

    func check(valueBytes count: Int) throws(Refusal) {
        guard count <= valueBytes else {
            throw .tooLarge("value.tooLarge", "The value has \(count) bytes; the limit is \(valueBytes).")
        }
    }

    func check(_ object: ObjectID) throws(Refusal) {
        let lengths = object.partLengths
        guard lengths.objectClass <= classBytes else {
            throw .invalid(
                "class.tooLong", "The class has \(lengths.objectClass) bytes; the limit is \(classBytes).")
        }
        guard lengths.id <= objectIDBytes else {
            throw .invalid(
                "id.tooLong", "The object id has \(lengths.id) bytes; the limit is \(objectIDBytes).")
        }
    }
}
