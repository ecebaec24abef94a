import Binary

/// Names a client's connection in the whole cluster, also over its resumption at another node.
///
/// It proves by itself for whom it was made: the second half is a keyed hash of the first half, the object
/// and the API key. So any node can tell, without asking anybody, whether a client may take it over.
public struct ConnectionID: Hashable, Sendable, Comparable {
    public let unique: UInt64
    public let proof: UInt64

    public init(unique: UInt64, proof: UInt64) {
        self.unique = unique
        self.proof = proof
    }

    /// `unique` must never come twice in the cluster; `secret` is the cluster's own key.
    public init(unique: UInt64, object: ObjectID, keyID: String, secret: SipHash) {
        self.unique = unique
        proof = ConnectionID.proof(unique, object, keyID, secret)
    }

    /// Whether this id was made for that object and key.
    public func isOf(_ object: ObjectID, keyID: String, secret: SipHash) -> Bool {
        // The difference is one number: no byte by byte comparison that time could tell.
        proof ^ ConnectionID.proof(unique, object, keyID, secret) == 0
    }

    private static func proof(_ unique: UInt64, _ object: ObjectID, _ keyID: String, _ secret: SipHash) -> UInt64 {
        var writer = ByteWriter(reserving: object.canonical.count + keyID.utf8.count + 16)
        // Apart from object keys, which are hashes by the same secret: their text never begins so.
        writer.writeVariable(UInt64.max)
        writer.write(unique)
        writer.writeRaw(object.canonical)
        writer.writeString(keyID)
        return secret.hash(writer.bytes)
    }

    public static func < (left: ConnectionID, right: ConnectionID) -> Bool {
        (left.unique, left.proof) < (right.unique, right.proof)
    }
}

extension ConnectionID: CustomStringConvertible {
    private static let dashes = [8, 13, 18, 23]

    /// In the form of a UUID.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        for (position, byte) in bytes.enumerated() {
            if ConnectionID.dashes.contains(position) {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = ConnectionID.digit(byte) else { return nil }
            if position < 18 { halves.0 = halves.0 << 4 | digit } else { halves.1 = halves.1 << 4 | digit }
        }
        self.init(unique: halves.0, proof: halves.1)
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }

    public var description: String { String(decoding: text, as: UTF8.self) }

    var text: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(36)
        for position in 0..<36 {
            if ConnectionID.dashes.contains(position) {
                output.append(UInt8(ascii: "-"))
                continue
            }
            let before = ConnectionID.dashes.count { $0 < position }
            let nibble = position - before
            let half = nibble < 16 ? unique : proof
            let digit = UInt8(half >> UInt64(60 - 4 * (nibble & 15)) & 15)
            output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
        return output
    }

    public func encode(into writer: inout ByteWriter) {
        writer.write(unique)
        writer.write(proof)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(unique: try reader.readUInt64(), proof: try reader.readUInt64())
    }
}
