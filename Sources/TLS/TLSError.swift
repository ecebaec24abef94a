/// Why a TLS connection was not made, or ended otherwise than by a close of both sides.
public enum TLSError: Error, Equatable, Sendable {
    /// The two sides did not agree, or one of them broke the rules before they had.
    case handshakeFailed(reason: String)
    /// The peer's certificate is not trusted. `depth` 0 is the peer's own, 1 the one that signed it, and so on.
    case certificateRefused(reason: String, depth: Int)
    /// The first bytes are text, HTTP perhaps, and not TLS. What has come so far, up to 4 KiB of it.
    case notTLS(firstBytes: [UInt8])
    /// The handshake took longer than it may.
    case handshakeTimeout
    /// The transport ended without the peer's having said that it was done: something may be missing.
    case truncated
    /// A record that nobody made who knows the keys, or that breaks the protocol; or the peer's alert.
    case recordRefused(reason: String)
    /// More was written before the handshake had ended than may wait for it.
    case tooMuchBeforeHandshake
    /// The peer keeps asking for answers of the protocol itself and does not read them.
    case answersUnread
    /// The connection is closed, or the handler is removed.
    case closed
    /// OpenSSL could not make a connection: no memory.
    case unavailable(reason: String)
}

extension TLSError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .handshakeFailed(let reason): "TLS handshake failed: \(reason)"
        case .certificateRefused(let reason, let depth):
            "the peer's certificate is not trusted: \(reason)"
                + (depth == 0 ? "" : " (certificate \(depth) of its chain)")
        case .notTLS: "the peer does not speak TLS"
        case .handshakeTimeout: "the TLS handshake took too long"
        case .truncated: "the connection ended without the peer's closing it: something may be missing"
        case .recordRefused(let reason): "TLS record refused: \(reason)"
        case .tooMuchBeforeHandshake: "too much written before the end of the TLS handshake"
        case .answersUnread: "the peer asks for answers and does not read them"
        case .closed: "the TLS connection is closed"
        case .unavailable(let reason): "no TLS connection could be made: \(reason)"
        }
    }
}

/// What was wrong with settings, certificates or keys.
public enum TLSMaterialFault: Error, Equatable, Sendable {
    /// The file cannot be read.
    case unreadableFile(path: String, reason: String)
    /// Something in the file is not as it should be. `file` is its path, or what it is for.
    case refused(file: String, reason: String)
    /// OpenSSL failed, for want of memory perhaps.
    case failed(String)
}

extension TLSMaterialFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadableFile(let path, let reason): "\(path) cannot be read: \(reason)"
        case .refused(let file, let reason): "\(file): \(reason)"
        case .failed(let operation): "OpenSSL failed: \(operation)"
        }
    }
}
