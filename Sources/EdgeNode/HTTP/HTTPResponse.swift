import Cluster

/// One answer, ready to be written.
struct HTTPResponse {
    enum ContentType {
        case json, text, metrics
        /// Files of backups.
        case bytes
        /// Parts of a page: they are sent with what tells a browser how little they may do.
        case html, style, script
    }

    var status: UInt16
    /// `nil` writes no Content-Type: the SDK takes a 404 without one as "no value".
    var contentType: ContentType?
    var body: [UInt8] = []
    /// Where in the object's history this answer stands; object calls only.
    var position: HistoryPosition?
    var retryAfterMs: UInt64?
    /// Refused for overload or a rate: nothing more of this connection is looked at for so long.
    var pauseMs: UInt64?
    /// Methods that the path knows, for 405.
    var allow: String?
    /// Where the client should ask instead.
    var location: String?
    var isPreflight = false
    var crossing = OriginGate.Crossing.everybody
    /// With status 101: what the connection becomes.
    var socket: SocketAdmission?

    static func json(_ body: [UInt8], status: UInt16 = 200) -> HTTPResponse {
        HTTPResponse(status: status, contentType: .json, body: body)
    }

    static func text(_ text: String, status: UInt16 = 200) -> HTTPResponse {
        HTTPResponse(status: status, contentType: .text, body: Array(text.utf8))
    }

    func crossing(_ crossing: OriginGate.Crossing) -> HTTPResponse {
        var response = self
        response.crossing = crossing
        return response
    }

    static func empty(_ status: UInt16) -> HTTPResponse {
        HTTPResponse(status: status)
    }
}

/// What the `Holdfast-…` headers of an object call say.
struct HistoryPosition {
    var epoch: UInt64
    var index: UInt64
    var owner: String
    var isReplay: Bool
}
