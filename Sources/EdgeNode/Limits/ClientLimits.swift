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

    func charge(_ subject: RateTable.Subject, tokens: UInt64, perSecond: UInt64, now: NIODeadline) {
        rates.withLockedValue {
            $0.charge(subject, tokens: tokens, perSecond: perSecond, nowNs: now.uptimeNanoseconds)
        }
    }
}

/// Who pays for a request.
struct Payers {
    fileprivate let key: RateTable.Subject
    fileprivate let object: RateTable.Subject

    init(_ caller: Caller, objectClass: String, objectID: String) {
        key = .key(project: caller.project, keyID: caller.keyID)
        object = .object(project: caller.project, objectClass: objectClass, id: objectID)
    }
}

extension HTTPEdge {
    /// A request, or an answer, counts once more for each so many bytes of it: a megabyte is more work than a count.
    static let bytesPerToken = 16 << 10

    /// Passes if the key and the object may have one more request now. Checked behind the credentials: nobody uses
    /// up what is another's.
    func checkRates(_ payers: Payers, bytes: Int) throws(HTTPFault) {
        try check(payers.key, perSecond: settings.keyRate, "key", "This API key")
        try check(payers.object, perSecond: settings.objectRate, "object", "This object")
        charge(payers, bytes: bytes)
    }

    /// For the size of what has been taken in, or given out.
    func charge(_ payers: Payers, bytes: Int) {
        let tokens = UInt64(bytes / Self.bytesPerToken)
        guard tokens > 0 else { return }
        for (payer, perSecond) in [(payers.key, settings.keyRate), (payers.object, settings.objectRate)]
        where perSecond > 0 {
            limits.charge(payer, tokens: tokens, perSecond: perSecond, now: now)
        }
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

    /// A refusal by which the client is to slow down. It comes back when it is told to, or when its turn is.
    func paced(_ fault: HTTPFault) -> HTTPResponse {
        guard fault.status == 429, let waitMs = fault.retryAfterMs else { return fault.response }
        var paced = fault
        let pauseMs = pacing.pause()
        paced.retryAfterMs = max(waitMs, pauseMs)
        var response = paced.response
        response.pauseMs = pauseMs
        return response
    }
}

extension HTTPFault {
    fileprivate static func tooMany(_ name: String, _ message: String, waitNs: UInt64) -> HTTPFault {
        HTTPFault(
            status: 429, name: "RateLimitError", code: "rateLimitError.\(name)", message: message,
            retryAfterMs: max(1, (waitNs + 999_999) / 1_000_000))
    }
}
