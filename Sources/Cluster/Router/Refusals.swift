import ObjectRuntime

/// What the edge itself says when no owner has. 503 only for what certainly has no effect, in words
/// that make the SDK try again; the unknown outcome in words that do not.
extension Refusal {
    static func notReady(node reason: String) -> Refusal {
        Refusal(
            status: 503, name: "ServiceUnavailableError", code: "unavailable.notReady.retry",
            message: "temporarily unavailable: \(reason). Nothing was applied; please retry.")
    }

    public static let overloaded = Refusal(
        status: 503, name: "ServiceUnavailableError", code: "unavailable.overloaded.retry",
        message: "temporarily unavailable: too many requests are waiting. Nothing was applied; please retry.")

    /// Every node that could own the object has a full disk.
    static let diskFull = Refusal(
        status: 503, name: "ServiceUnavailableError", code: "unavailable.diskFull.retry",
        message: "temporarily unavailable: the disks of the nodes that keep this object are full. Nothing was "
            + "applied; reads go on. Make room on the disks, then please retry.")

    static let noOwner = Refusal(
        status: 503, name: "ServiceUnavailableError", code: "unavailable.noOwner.retry",
        message: "temporarily unavailable: no node could serve this object in time. Nothing was applied; "
            + "please retry.")

    static let outcomeUnknown = Refusal(
        status: 409, name: "ConflictError", code: "outcomeUnknown",
        message: "The object's owner was lost while it worked on this operation, and whether it took effect "
            + "could not be settled in time. Read the item before you decide to repeat it, or send an "
            + "Idempotency-Key so that a repetition is safe.")
}
