import ObjectRuntime

/// A refusal that the edge itself makes: why, and whether anything was applied.
struct HTTPFault: Error {
    var status: UInt16
    var name: String
    /// What programs look at; always a string, since the SDK calls string methods on it.
    var code: String
    var message: String
    var applied = "no"
    var retryAfterMs: UInt64?
    var allow: String?

    var response: HTTPResponse {
        let body = JSONOutput.object { body in
            body.member("name", name)
            body.member("message", message)
            body.member("status", status)
            body.member("statusCode", status)
            body.member("applied", applied)
            if let retryAfterMs { body.member("retryAfterMs", retryAfterMs) }
            body.key("cause")
            body.object { $0.member("code", code) }
        }
        var response = HTTPResponse.json(body, status: status)
        response.retryAfterMs = retryAfterMs
        response.allow = allow
        return response
    }
}

extension HTTPFault {
    static func validation(_ fault: String, _ message: String) -> HTTPFault {
        HTTPFault(status: 400, name: "ValidationError", code: "validationError.\(fault)", message: message)
    }

    static func unauthenticated(_ fault: String, _ message: String) -> HTTPFault {
        HTTPFault(
            status: 401, name: "AuthenticationError", code: "authenticationError.\(fault)", message: message
        )
    }

    static func forbidden(_ fault: String, _ message: String) -> HTTPFault {
        HTTPFault(
            status: 403, name: "AuthorizationError", code: "authorizationError.\(fault)", message: message)
    }

    static let unknownRoute = HTTPFault(
        status: 404, name: "NotFoundError", code: "notFoundError.route", message: "There is no such route.")

    static func wrongMethod(allow: String) -> HTTPFault {
        HTTPFault(
            status: 405, name: "MethodNotAllowedError", code: "methodNotAllowedError.route",
            message: "This path does not know this method.", allow: allow)
    }

    /// Nothing is ever unpacked here, so nothing small becomes large.
    static let encodedBody = HTTPFault(
        status: 415, name: "UnsupportedMediaTypeError", code: "validationError.contentEncoding",
        message: "Bodies are taken as they are: send it without Content-Encoding.")

    static func tooLarge(limitBytes: Int) -> HTTPFault {
        HTTPFault(
            status: 413, name: "PayloadTooLargeError", code: "payloadTooLargeError.body",
            message: "The body has more than \(limitBytes) bytes.")
    }

    /// The wording makes the SDK try again (it is safe: nothing was applied).
    static func unavailable(_ reason: String, retryAfterMs: UInt64 = 500) -> HTTPFault {
        HTTPFault(
            status: 503, name: "ServiceUnavailableError", code: "serviceUnavailableError.retry",
            message: "\(reason); temporarily unavailable, please retry.", retryAfterMs: retryAfterMs)
    }

    /// No 5xx and none of the words on which the SDK would send it again.
    static let unknownOutcome = HTTPFault(
        status: 409, name: "ConflictError", code: "outcomeUnknown",
        message: "Whether the operation was applied is not known. Read the object to find out.",
        applied: "unknown")
}
