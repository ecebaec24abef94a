/// Whether an operation took effect, as far as anybody can know.
public enum Applied: String, Sendable, Hashable {
    case yes, no, unknown
}

/// Why a call failed. New kinds may be added, so switch with a default.
public struct HoldfastError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Kind: Sendable, Hashable {
        private enum Name: Hashable {
            case unreachable, timedOut, refused, conflict, unavailable, outcomeUnknown, malformedAnswer
        }
        private let name: Name

        /// No endpoint could be reached; nothing was sent.
        public static let unreachable = Kind(name: .unreachable)
        /// No answer within the time allowed.
        public static let timedOut = Kind(name: .timedOut)
        /// The cluster says no: bad input, bad credentials, a limit.
        public static let refused = Kind(name: .refused)
        /// Compare-and-set lost: the item's `updatedAt` is another one.
        public static let conflict = Kind(name: .conflict)
        /// The cluster cannot do it now; it was not done.
        public static let unavailable = Kind(name: .unavailable)
        /// Sent, and nobody can say whether it was done.
        public static let outcomeUnknown = Kind(name: .outcomeUnknown)
        /// The answer could not be understood.
        public static let malformedAnswer = Kind(name: .malformedAnswer)
    }

    public var kind: Kind
    public var message: String
    public var applied: Applied
    /// HTTP status; 0 if there was no answer.
    public var status: Int
    /// The cluster's name for the fault, such as `conflictError.updatedAt.mismatch`.
    public var code: String?
    public var retryAfterMs: Int?

    public init(
        _ kind: Kind, _ message: String, applied: Applied, status: Int = 0, code: String? = nil,
        retryAfterMs: Int? = nil
    ) {
        self.kind = kind
        self.message = message
        self.applied = applied
        self.status = status
        self.code = code
        self.retryAfterMs = retryAfterMs
    }

    /// Trying the very same call again later may succeed.
    public var isTemporary: Bool {
        kind == .unreachable || kind == .timedOut || kind == .unavailable || kind == .outcomeUnknown
    }

    public var description: String {
        let about = [status == 0 ? nil : "status \(status)", code, "applied: \(applied.rawValue)"]
        return "\(message) (\(about.compactMap { $0 }.joined(separator: ", ")))"
    }

    /// Reads an error answer's body; its status decides what the body leaves out.
    public init(answer: HTTPResponse, isWrite: Bool) {
        let body = try? JSON(parsing: answer.bodyBytes)
        let code = body?["cause"]?["code"]?.text
        let stated = body?["applied"]?.text.flatMap(Applied.init(rawValue:))
        let kind: Kind
        switch answer.status {
        case 409 where stated == .unknown: kind = .outcomeUnknown
        case 409: kind = .conflict
        // A quota that says no time is used up for a while: asking again at once would not help.
        case 429 where code?.hasPrefix("rateLimitError.quota.") == true && body?["retryAfterMs"] == nil:
            kind = .refused
        case 500...599, 429: kind = .unavailable
        default: kind = .refused
        }
        let fallback: Applied = isWrite && answer.status >= 500 ? .unknown : .no
        self.init(
            kind, body?["message"]?.text ?? "HTTP status \(answer.status)", applied: stated ?? fallback,
            status: answer.status, code: code, retryAfterMs: body?["retryAfterMs"]?.int)
    }

    /// What a request without an answer means for its effect.
    public init(failure: HTTPFailure, isWrite: Bool) {
        let applied: Applied = isWrite && !failure.wasNeverSent ? .unknown : .no
        switch failure {
        case .notConnected(let text): self.init(.unreachable, text, applied: .no)
        case .timedOut: self.init(.timedOut, "no answer in time", applied: applied)
        case .malformed(let text): self.init(.malformedAnswer, text, applied: applied)
        case .connectionLost(let text):
            self.init(isWrite ? .outcomeUnknown : .unreachable, text, applied: applied)
        }
    }
}
