import Binary

/// Why a request was not done: an HTTP status, a code for programs and a text for people.
///
/// The client SDK retries blindly on certain wordings and on every 5xx, so texts avoid those, and
/// nothing here is a 5xx: what the object runtime refuses would be refused again.
public struct Refusal: Error, Sendable, Equatable {
    public var status: UInt16
    public var name: String
    public var code: String
    public var message: String

    public init(status: UInt16, name: String, code: String, message: String) {
        self.status = status
        self.name = name
        self.code = code
        self.message = message
    }

    static let textLimitBytes = 4096

    public func encode(into writer: inout ByteWriter) {
        writer.write(status)
        writer.writeString(name)
        writer.writeString(code)
        writer.writeString(message)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        status = try reader.readUInt16()
        name = try reader.readString(limit: Refusal.textLimitBytes)
        code = try reader.readString(limit: Refusal.textLimitBytes)
        message = try reader.readString(limit: Refusal.textLimitBytes)
    }
}

extension Refusal {
    /// 400: the request itself is wrong. `code` follows `validationError.`.
    public static func invalid(_ code: String, _ message: String) -> Refusal {
        Refusal(status: 400, name: "ValidationError", code: "validationError.\(code)", message: message)
    }

    /// 413: over a limit that the message names.
    public static func tooLarge(_ code: String, _ message: String) -> Refusal {
        Refusal(status: 413, name: "PayloadTooLargeError", code: "validationError.\(code)", message: message)
    }

    static func conflict(_ code: String, _ message: String) -> Refusal {
        Refusal(status: 409, name: "ConflictError", code: "conflictError.\(code)", message: message)
    }

    static let versionMismatch = conflict(
        "updatedAt.mismatch",
        "The item is not at the given updatedAt, or does not exist; nothing was changed.")
    static let keyVersionMismatch = conflict(
        "keyVersion.mismatch", "The object never had encryption settings of the given key version.")

    /// 422: the same idempotency key came with another request.
    static let keyReused = Refusal(
        status: 422, name: "ValidationError", code: "validationError.idempotencyKey.reused",
        message: "The idempotency key was used before for a different request.")

    /// 429: the window of idempotency keys is full; none is dropped early.
    static let windowFull = Refusal(
        status: 429, name: "RateLimitError", code: "rateLimitError.idempotencyKeys",
        message: "Too many idempotency keys are in use on this shard; they are kept for ten minutes.")

    static let unknownCode = "outcomeUnknown"

    /// 409: whether an earlier try took effect can no longer be told.
    public static let outcomeUnknown = Refusal(
        status: 409, name: "ConflictError", code: unknownCode,
        message: "Whether the operation was applied cannot be told any more; it was not run again.")

    static func wrongType(_ operation: String, wants: String, found: JSONKind) -> Refusal {
        invalid(
            "item.type",
            "\(operation) needs \(wants), but the item's value is \(found.name); nothing was changed.")
    }
}
