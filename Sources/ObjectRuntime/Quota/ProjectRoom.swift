/// What a quota of a project bounds. The names stand in codes, metrics and pages.
public enum QuotaKind: String, Sendable, CaseIterable {
    case objects
    case bytes
    case sockets
    case operations
}

/// What a project may still take, as the owner of one of its objects knows it.
public struct ProjectRoom: Sendable, Equatable {
    public struct Bound: Sendable, Equatable {
        public var used: UInt64
        public var limit: UInt64

        public init(used: UInt64, limit: UInt64) {
            self.used = used
            self.limit = limit
        }

        func admits(_ more: Int) -> Bool {
            more <= 0 || used < limit && UInt64(more) <= limit - used
        }
    }

    public var objects: Bound?
    public var bytes: Bound?

    public init(objects: Bound? = nil, bytes: Bound? = nil) {
        self.objects = objects
        self.bytes = bytes
    }

    /// Growth is refused, and nothing else: what makes less of a project that is over its quota is welcome.
    func check(newObjects: Int, newBytes: Int) throws(Refusal) {
        if let objects, !objects.admits(newObjects) {
            throw .quota(
                .objects,
                "The project may have \(objects.limit) objects and has \(objects.used): this one was not made. "
                    + "Remove objects, or have the quota raised.")
        }
        if let bytes, !bytes.admits(newBytes) {
            throw .quota(
                .bytes,
                "The project may hold \(bytes.limit) bytes and holds \(bytes.used): \(newBytes) more were not "
                    + "written. Remove items, or have the quota raised.")
        }
    }
}

extension Refusal {
    private static let quotaCodePrefix = "rateLimitError.quota."

    /// 429, and no 5xx: the client SDK repeats those blindly, and a full project stays full for a while.
    public static func quota(_ kind: QuotaKind, _ message: String) -> Refusal {
        Refusal(
            status: 429, name: "RateLimitError", code: quotaCodePrefix + kind.rawValue, message: message)
    }

    /// The quota that refuses here. Such a refusal is of the moment: it is not remembered for a repeated
    /// idempotency key.
    public var quotaKind: QuotaKind? {
        guard code.hasPrefix(Refusal.quotaCodePrefix) else { return nil }
        return QuotaKind(rawValue: String(code.dropFirst(Refusal.quotaCodePrefix.count)))
    }
}

extension ObjectChange {
    /// An object without content comes into being by it. A resumed connection was there before, and its
    /// record goes with it: refusing it would end a socket without making room.
    var makesObject: Bool {
        switch self {
        case .put, .settings, .joined: true
        case .restored(let encryption, _): !encryption.isEmpty
        case .edit, .remove, .expire, .left, .forgotten, .attached: false
        }
    }
}
