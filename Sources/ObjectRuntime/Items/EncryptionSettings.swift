import Binary

/// What an object keeps for its clients' end-to-end encryption. The key itself never comes here.
public struct EncryptionSettings: Sendable, Equatable {
    public var salt: [UInt8]
    public var keyVersion: UInt32
    public var createdAt: UInt64

    public init(salt: [UInt8], keyVersion: UInt32, createdAt: UInt64) {
        self.salt = salt
        self.keyVersion = keyVersion
        self.createdAt = createdAt
    }

    static let saltLimitBytes = 1024
    static let defaultSaltBytes = 16

    func encode(into writer: inout ByteWriter) {
        writer.writeBytes(salt)
        writer.writeVariable(UInt64(keyVersion))
        writer.writeVariable(createdAt)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        salt = try reader.readBytes(limit: EncryptionSettings.saltLimitBytes)
        keyVersion = UInt32(try reader.readCount(limit: Int(UInt32.max)))
        createdAt = try reader.readVariable()
    }
}

/// Random bytes from a seed that the caller drew: SipHash in counter mode, so that the pure core needs
/// no generator of its own.
func expand(_ seed: (UInt64, UInt64), count: Int) -> [UInt8] {
    let hash = SipHash(key0: seed.0, key1: seed.1)
    var output: [UInt8] = []
    output.reserveCapacity(count + 8)
    var counter: UInt8 = 0
    var block: [UInt8] = []
    while output.count < count {
        block.append(counter)
        counter &+= 1
        withUnsafeBytes(of: hash.hash(block).littleEndian) { output.append(contentsOf: $0) }
    }
    output.removeLast(output.count - count)
    return output
}
