import CLMDB
import Glibc

/// Why something could not be read from the store or written to it. Says what, where and what to do.
public struct StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Bytes that were on disk once are gone or changed.
        case damaged
        /// No space, or over a quota. Nothing was changed; the same may succeed later.
        case noSpace
        /// The directory or a file cannot be made, opened or written with these rights.
        case unwritable
        /// A read, write or sync failed. Final for whatever failed (O12).
        case failed
        /// Another version of the program wrote it.
        case otherVersion
        /// Encrypted, and there is no key for it, or it is not what was encrypted.
        case sealed
        /// It does not fit what the store holds. Nothing was changed.
        case refused
        /// Asked for after `close`.
        case closed
        /// Stopped by the caller.
        case cancelled
    }

    public let kind: Kind
    public let what: String
    public let place: String
    public let remedy: String
    /// The shard that is hit, if it is one shard.
    public let shard: UInt32?

    public init(_ kind: Kind, _ what: String, place: String, remedy: String, shard: UInt32? = nil) {
        self.kind = kind
        self.what = what
        self.place = place
        self.remedy = remedy
        self.shard = shard
    }

    public var description: String { "store: \(what) (\(place)). \(remedy)" }

    static func damaged(_ what: String, place: String, shard: UInt32? = nil) -> StoreError {
        StoreError(
            .damaged, what, place: place,
            remedy: "The shard is fetched anew from the other replicas; look into the kernel's log for the disk",
            shard: shard)
    }

    static func refused(_ what: String, shard: UInt32) -> StoreError {
        StoreError(
            .refused, what, place: "shard \(shard)",
            remedy: "A bug in the caller: nothing was changed; report it with the log", shard: shard)
    }

    static func systemCall(_ call: String, _ code: Int32, path: String) -> StoreError {
        let kind: Kind =
            switch JournalError.Kind(errno: code) {
            case .diskFull: .noSpace
            case .unwritable: .unwritable
            default: .failed
            }
        return StoreError(
            kind, "\(call) failed: \(SystemDisk.text(of: code))", place: path,
            remedy: JournalError.Kind.remedy(errno: code))
    }

    static func closed(path: String) -> StoreError {
        StoreError(
            .closed, "the store is closed", place: path,
            remedy: "Nothing is written after the start of the shutdown; restart the node")
    }

    static func otherVersion(_ found: String, known: String, place: String) -> StoreError {
        StoreError(
            .otherVersion, "it has format version \(found), this program knows \(known)", place: place,
            remedy: "Start the version of the program that wrote it; nothing was changed")
    }

    /// LMDB's codes are negative, those of the system positive.
    static func database(_ call: String, _ code: Int32, path: String) -> StoreError {
        if code > 0 { return systemCall(call, code, path: path) }
        let kind: Kind =
            switch code {
            case MDB_MAP_FULL: .noSpace
            case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID: .damaged
            case MDB_VERSION_MISMATCH: .otherVersion
            default: .failed
            }
        return StoreError(
            kind, "\(call) failed: \(String(cString: mdb_strerror(code))) (\(code))", place: path,
            remedy: kind == .noSpace
                ? "Raise the bound of the store's map" : "Keep the directory, and start with an empty store")
    }
}
