import NIOConcurrencyHelpers
import NIOCore

/// What the clients of a node may do, over all its loops: connections of one address, requests of one key and to one
/// object. Any thread.
public final class ClientLimits: Sendable {
    private let addresses = NIOLockedValueBox(AddressTable())
    private let rates = NIOLockedValueBox(RateTable())

    public init() {}

    func enter(_ address: AddressTable.Address, limit: Int) -> Bool {
        addresses.withLockedValue { $0.enter(address, limit: limit) }
    }

    func leave(_ address: AddressTable.Address) {
        addresses.withLockedValue { $0.leave(address) }
    }

    /// Nanoseconds until the subject may go on; nil if it may now.
    func take(_ subject: RateTable.Subject, perSecond: UInt64, now: NIODeadline) -> UInt64? {
        rates.withLockedValue { $0.take(subject, perSecond: perSecond, nowNs: now.uptimeNanoseconds) }
    }
}

extension HTTPEdge {
    /// Passes if the key and the object may have one more request now. Checked behind the credentials: nobody uses
    /// up what is another's.
    func checkRates(_ caller: Caller, objectClass: String, objectID: String) throws(HTTPFault) {
        try check(
            .key(project: caller.project, keyID: caller.keyID), perSecond: settings.keyRate, "key", "This API key")
        try check(
            .object(project: caller.project, objectClass: objectClass, id: objectID), perSecond: settings.objectRate,
            "object", "This object")
    }

    private func check(
        _ subject: RateTable.Subject, perSecond: UInt64, _ name: String, _ what: String
    ) throws(HTTPFault) {
        guard perSecond > 0, let waitNs = limits.take(subject, perSecond: perSecond, now: now) else { return }
        statistics.rateRefusals[name, default: 0] += 1
        throw .tooMany(name, "\(what) has had its \(perSecond) requests of this second at this node.", waitNs: waitNs)
    }

    func refusedByConnectionRate(waitNs: UInt64) -> HTTPFault {
        statistics.rateRefusals["connection", default: 0] += 1
        return .tooMany(
            "connection", "This connection has had its \(settings.connectionRate) requests of this second.",
            waitNs: waitNs)
    }
}

extension HTTPFault {
    fileprivate static func tooMany(_ name: String, _ message: String, waitNs: UInt64) -> HTTPFault {
        HTTPFault(
            status: 429, name: "RateLimitError", code: "rateLimitError.\(name)", message: message,
            retryAfterMs: max(1, (waitNs + 999_999) / 1_000_000))
    }
}
