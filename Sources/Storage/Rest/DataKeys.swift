import Crypto
import Glibc

/// The keys under which a node keeps its data at rest, newest first: the first one seals, all of them open.
public struct DataKeys: Sendable, Equatable {
    struct Key: Sendable, Equatable {
        let bytes: [UInt8]
        /// Names the key, and says nothing of it.
        let fingerprint: UInt64
    }

    public static let keysMax = 8
    private static let word = "hfd1 "

    let keys: [Key]

    var newest: Key { keys[0] }

    func key(_ fingerprint: UInt64) -> Key? { keys.first { $0.fingerprint == fingerprint } }

    /// The names of the keys, newest first.
    public var fingerprints: [String] { keys.map { Self.text($0.fingerprint) } }

    static func text(_ fingerprint: UInt64) -> String {
        let digits = String(fingerprint, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// One key a line (or between commas, for the environment), newest first, as `hfd1 ` and 64 hexadecimal digits;
    /// empty lines and those that begin with `#` mean nothing. `source` is for complaints.
    public init(parsing text: String, source: String) throws(DataKeyFault) {
        var keys: [Key] = []
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: { "\n,".contains($0) })
            .enumerated()
        {
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard line.hasPrefix(Self.word), let bytes = Self.bytes(line.utf8.dropFirst(Self.word.utf8.count)) else {
                throw DataKeyFault("\(source): line \(number + 1) is no data key: 'hfd1 ' and 64 hexadecimal digits")
            }
            let key = Key(bytes: bytes, fingerprint: try Self.fingerprint(bytes))
            guard !keys.contains(where: { $0.bytes == bytes }) else {
                throw DataKeyFault("\(source): line \(number + 1) repeats a key")
            }
            keys.append(key)
        }
        guard (1...Self.keysMax).contains(keys.count) else {
            throw DataKeyFault("\(source): it holds \(keys.count) keys; 1 to \(Self.keysMax) are possible")
        }
        self.keys = keys
    }

    /// Reads a file that is for its owner's eyes only.
    public init(file path: String) throws(DataKeyFault) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw DataKeyFault("\(path) cannot be read: \(SystemDisk.text(of: errno))") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & 0o077 == 0 else {
            throw DataKeyFault("\(path) can be read by others than its owner: chmod 600 \(path)")
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        guard let count = bytes.withUnsafeMutableBytes({ SystemDisk.read(file, at: 0, into: $0) }), count < 4096 else {
            throw DataKeyFault("\(path) cannot be read, or is longer than \(Self.keysMax) keys")
        }
        try self.init(parsing: String(decoding: bytes[..<count], as: UTF8.self), source: path)
        erase(&bytes)
    }

    private static func fingerprint(_ bytes: [UInt8]) throws(DataKeyFault) -> UInt64 {
        do throws(CryptographyFailure) {
            let name = try HKDFSHA256.derive(secret: bytes, info: Array("holdfast data key name 1".utf8), count: 8)
            return name.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
        } catch {
            throw DataKeyFault("\(error)")
        }
    }

    private static func bytes(_ digits: Substring.UTF8View.SubSequence) -> [UInt8]? {
        let nibbles = digits.compactMap { Character(UnicodeScalar($0)).hexDigitValue.map { UInt8($0) } }
        guard digits.count == 64, nibbles.count == 64 else { return nil }
        return stride(from: 0, to: 64, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
    }
}

extension DataKeys: CustomStringConvertible {
    /// Never the keys themselves.
    public var description: String { "data keys " + fingerprints.joined(separator: ", ") }
}

/// A data key that cannot be used. Says what and where.
public struct DataKeyFault: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
