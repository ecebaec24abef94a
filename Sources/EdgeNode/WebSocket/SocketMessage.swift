/// What a client has sent: a whole message, or a control frame.
enum SocketMessage: Equatable {
    /// UTF-8, checked.
    case text([UInt8])
    case ping([UInt8])
    case pong
    /// `nil`: the client gave no code.
    case close(code: UInt16?)
}

/// Why a socket is closed for what its client has sent.
struct SocketFault: Error, Equatable {
    var code: UInt16
    var reason: String

    static func againstProtocol(_ reason: String) -> SocketFault {
        SocketFault(code: CloseCode.protocolError, reason: reason)
    }

    static func notUTF8(_ what: String) -> SocketFault {
        SocketFault(code: CloseCode.notUTF8, reason: "\(what) is not UTF-8")
    }

    static func tooLarge(limitBytes: Int) -> SocketFault {
        SocketFault(code: CloseCode.tooLarge, reason: "a message may have at most \(limitBytes) bytes")
    }

    static let binary = SocketFault(code: CloseCode.unacceptableKind, reason: "frames must be text")
}

/// The codes of close frames that are used here (RFC 6455 section 7.4, and the IANA registry).
enum CloseCode {
    static let normal: UInt16 = 1000
    /// Also for clients that fell silent.
    static let goingAway: UInt16 = 1001
    static let protocolError: UInt16 = 1002
    static let unacceptableKind: UInt16 = 1003
    static let notUTF8: UInt16 = 1007
    static let policy: UInt16 = 1008
    static let tooLarge: UInt16 = 1009
    static let restart: UInt16 = 1012
    static let tryAgainLater: UInt16 = 1013

    /// Codes that an endpoint may send: 1004 to 1006 and 1015 never travel.
    static func isValid(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
