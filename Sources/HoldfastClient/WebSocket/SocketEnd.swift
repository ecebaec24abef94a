/// How a socket ended, or why it never opened.
public struct SocketEnd: Error, Sendable, Hashable, CustomStringConvertible {
    /// The code of RFC 6455, section 7.4: the peer's or our own. 1006 where no close frame said one.
    public var code: UInt16
    /// The text beside the code, or what happened to the connection.
    public var reason: String
    /// The HTTP status, if the upgrade was answered and refused.
    public var refusedStatus: Int?
    /// The upgrade had been granted.
    public var wasOpen: Bool

    public static let normal: UInt16 = 1_000
    public static let abnormal: UInt16 = 1_006
    public static let policyViolation: UInt16 = 1_008

    public init(code: UInt16, reason: String, refusedStatus: Int? = nil, wasOpen: Bool) {
        self.code = code
        self.reason = reason
        self.refusedStatus = refusedStatus
        self.wasOpen = wasOpen
    }

    public var description: String {
        if let refusedStatus { return "refused with status \(refusedStatus): \(reason)" }
        return code == Self.abnormal ? reason : "closed with \(code) \(reason)"
    }
}
