import Binary

/// What an object holds under one name.
public struct Item: Sendable, Equatable {
    public var value: JSONText
    /// Milliseconds since 1970, like all times here.
    public var createdAt: UInt64
    /// The item's version: rises with every change, also across removal and expiry.
    public var updatedAt: UInt64
    public var expiresAt: UInt64
    private var storedKeyVersion: UInt32

    /// The end of the year 9999 stands for "never".
    public static let never: UInt64 = 253_402_300_799_999
    static let noKeyVersion = UInt32.max

    public init(value: JSONText, createdAt: UInt64, updatedAt: UInt64, expiresAt: UInt64, keyVersion: UInt32?)
    {
        self.value = value
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.expiresAt = expiresAt
        storedKeyVersion = keyVersion ?? Item.noKeyVersion
    }

    /// The version of the encryption key, if the client sent the value encrypted.
    public var keyVersion: UInt32? {
        get { storedKeyVersion == Item.noKeyVersion ? nil : storedKeyVersion }
        set { storedKeyVersion = newValue ?? Item.noKeyVersion }
    }

    /// From `expiresAt` on an item is absent.
    @inline(__always)
    public func isExpired(at nowMs: UInt64) -> Bool { nowMs >= expiresAt }

    /// Times are written relative to `origin`, the entry's own time: mostly one byte each.
    func encodeTimes(into writer: inout ByteWriter, origin: UInt64) {
        writer.writeSigned(Int64(bitPattern: createdAt &- origin))
        writer.writeSigned(Int64(bitPattern: updatedAt &- origin))
        writer.writeExpiry(expiresAt, origin: origin)
        writer.writeVariable(UInt64(storedKeyVersion &+ 1))
    }

    init(value: JSONText, timesFrom reader: inout ByteReader, origin: UInt64) throws(DecodingFailure) {
        self.value = value
        createdAt = origin &+ UInt64(bitPattern: try reader.readSigned())
        updatedAt = origin &+ UInt64(bitPattern: try reader.readSigned())
        expiresAt = try reader.readExpiry(origin: origin)
        storedKeyVersion = UInt32(try reader.readCount(limit: Int(UInt32.max))) &- 1
    }
}

/// An item and its name, as objects keep them: ordered by name.
public struct NamedItem: Sendable, Equatable {
    public var name: ItemName
    public var item: Item

    public init(name: ItemName, item: Item) {
        self.name = name
        self.item = item
    }
}

extension ByteWriter {
    /// Small numbers of either sign in few bytes.
    mutating func writeSigned(_ value: Int64) {
        writeVariable(UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    mutating func writeExpiry(_ expiresAt: UInt64, origin: UInt64) {
        if expiresAt == Item.never {
            write(UInt8(0))
        } else {
            write(UInt8(1))
            writeSigned(Int64(bitPattern: expiresAt &- origin))
        }
    }
}

extension ByteReader {
    mutating func readSigned() throws(DecodingFailure) -> Int64 {
        let raw = try readVariable()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    mutating func readExpiry(origin: UInt64) throws(DecodingFailure) -> UInt64 {
        try readBool() ? origin &+ UInt64(bitPattern: try readSigned()) : Item.never
    }
}
