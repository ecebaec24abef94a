import COpenSSL
import NIOCore

/// One connection's state in OpenSSL. Bytes in, bytes out; no socket, no pipeline.
///
/// Not `Sendable`: it stays on its event loop.
final class TLSConnection {
    /// Why a call did not do what it was for.
    enum Pause: Equatable {
        /// More bytes of the peer are needed.
        case wantsInput
        /// The peer has said that it sends no more (close_notify).
        case peerClosed
        case failed(reason: String)
    }

    /// A TLS record holds at most this much.
    static let recordByteCountMax = 16_384
    /// Header, tag, type and explicit nonce of a record, generously.
    static let recordOverhead = 64

    private let context: TLSContext
    let ssl: OpaquePointer

    init(
        context: TLSContext, peerName: TLSPeerName?, resuming session: TLSSession?
    ) throws(TLSError) {
        guard let ssl = SSL_new(context.pointer) else { throw .unavailable(reason: takeOpenSSLReason()) }
        self.context = context
        self.ssl = ssl
        guard holdfast_tls_attach(ssl, Self.method.pointer) == 1 else {
            throw .unavailable(reason: takeOpenSSLReason())
        }
        if context.role == .server {
            SSL_set_accept_state(ssl)
        } else {
            SSL_set_connect_state(ssl)
            try expect(peerName ?? .anybodyTrusted)
            if let session { SSL_set_session(ssl, session.pointer) }
        }
    }

    deinit {
        SSL_free(ssl)
    }

    private func expect(_ name: TLSPeerName) throws(TLSError) {
        let set: Bool
        switch name {
        case .host(let text):
            // A last dot is for resolvers; servers and certificates have none (RFC 6066, section 3).
            let host = text.last == "." ? String(text.dropLast()) : text
            guard addressBytes(host) == nil else { throw .unavailable(reason: "\(host) is no host's name") }
            try refuseZero(in: host)
            SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            // Both: of an empty name the first would think that no name is wanted, and the second refuses it.
            set = SSL_set1_host(ssl, host) == 1 && holdfast_set_server_name(ssl, host) == 1
        case .address(let address):
            try refuseZero(in: address)
            set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1
        case .anybodyTrusted: set = true
        }
        guard set else { throw .unavailable(reason: "\(name) cannot be asked for: \(takeOpenSSLReason())") }
    }

    /// It would be the name's end, and somebody else's name.
    private func refuseZero(in name: String) throws(TLSError) {
        if name.utf8.contains(0) { throw .unavailable(reason: "a name with a zero byte is nobody's") }
    }

    /// Goes on with the handshake; nil when it is done. `input` loses what was read of it, `output` gains what is
    /// to be sent.
    func handshake(input: inout ByteBuffer, output: inout ByteBuffer) -> Pause? {
        let step = input.readingStep { bytes in
            holdfast_tls_run(ssl, holdfast_tls_handshake, bytes.baseAddress, bytes.count, nil, 0, nil, 0)
        }
        takeRest(into: &output)
        return pause(step)
    }

    /// Appends plaintext to `plaintext`, which has room.
    func read(input: inout ByteBuffer, plaintext: inout ByteBuffer, output: inout ByteBuffer) -> Pause? {
        var done = holdfast_tls_step()
        plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { room in
            done = input.readingStep { bytes in
                holdfast_tls_run(
                    ssl, holdfast_tls_read, bytes.baseAddress, bytes.count, nil, 0, room.baseAddress, room.count)
            }
            return done.count
        }
        takeRest(into: &output)
        return pause(done)
    }

    /// The peer has asked for new keys of ours. OpenSSL would say so with the next data only, which may never come
    /// (RFC 8446, section 4.6.3, allows that).
    func answerKeyUpdate(output: inout ByteBuffer) {
        guard SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE,
            SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1
        else { return }
        var nothing = ByteBuffer()
        _ = handshake(input: &nothing, output: &output)
    }

    /// Whether OpenSSL holds bytes of the peer that a `read` may bring out.
    var hasPending: Bool { SSL_has_pending(ssl) == 1 }

    /// Encrypts `bytes` into `output`, record by record. Nil when all of them are.
    func write(_ bytes: UnsafeRawBufferPointer, output: inout ByteBuffer) -> Pause? {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let piece = min(rest.count, Self.recordByteCountMax)
            var step = holdfast_tls_step()
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: piece + Self.recordOverhead) { room in
                // OpenSSL does not write to what it is told to write.
                let data = UnsafeMutableRawPointer(mutating: rest.baseAddress)
                step = holdfast_tls_run(
                    ssl, holdfast_tls_write, nil, 0, room.baseAddress, room.count, data, piece)
                return step.room_used
            }
            takeRest(into: &output)
            if let pause = pause(step) { return pause }
            written += step.count
        }
        return nil
    }

    /// Says that this side sends no more.
    func close(output: inout ByteBuffer) {
        _ = holdfast_tls_run(ssl, holdfast_tls_close, nil, 0, nil, 0, nil, 0)
        takeRest(into: &output)
        ERR_clear_error()
    }

    private func takeRest(into output: inout ByteBuffer) {
        let count = holdfast_tls_rest(ssl)
        guard count > 0 else { return }
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
            holdfast_tls_take_rest(ssl, room.baseAddress)
            return count
        }
    }

    private func pause(_ step: holdfast_tls_step) -> Pause? {
        switch step.error {
        case SSL_ERROR_NONE: nil
        case SSL_ERROR_WANT_READ: .wantsInput
        case SSL_ERROR_ZERO_RETURN: .peerClosed
        default: .failed(reason: takeOpenSSLReason())
        }
    }

    /// OpenSSL's table of what our BIO does. Made once, immutable, and never freed.
    private struct Method: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let method = Method(pointer: holdfast_transport_method())
}

extension ByteBuffer {
    /// Lends what is readable to `body` and passes over what it took.
    fileprivate mutating func readingStep(
        _ body: (UnsafeRawBufferPointer) -> holdfast_tls_step
    ) -> holdfast_tls_step {
        readWithUnsafeReadableBytes { bytes in
            let step = body(bytes)
            return (step.input_used, step)
        }
    }
}

// What is known once the handshake is done.
extension TLSConnection {
    /// Why the peer's certificate was refused, and where in its chain; nil if it was not.
    var refusedCertificate: TLSError? {
        let depth = holdfast_tls_failed_depth(ssl)
        guard depth >= 0 else { return nil }
        return .certificateRefused(reason: verificationReason(SSL_get_verify_result(ssl)), depth: Int(depth))
    }

    var completed: TLSHandshakeCompleted {
        TLSHandshakeCompleted(
            version: SSL_version(ssl) == TLS1_3_VERSION ? .tls13 : .tls12,
            suite: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "",
            applicationProtocol: applicationProtocol, serverName: serverName, peerCertificate: peerCertificate,
            resumed: SSL_session_reused(ssl) == 1)
    }

    private var applicationProtocol: String? {
        var start: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &start, &length)
        guard length > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(length)), as: UTF8.self)
    }

    private var serverName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    private var peerCertificate: Certificate? {
        guard let pointer = SSL_get1_peer_certificate(ssl) else { return nil }
        return try? Certificate(owning: pointer)
    }

    /// What a client needs to resume; nil if the server has given no ticket, or none yet.
    var session: TLSSession? {
        guard let pointer = SSL_get1_session(ssl) else { return nil }
        guard SSL_SESSION_is_resumable(pointer) == 1 else {
            SSL_SESSION_free(pointer)
            return nil
        }
        return TLSSession(owning: pointer)
    }
}

/// A client's half of a session that a server lets it resume. Used once or a few times, then forgotten.
public final class TLSSession: @unchecked Sendable {
    // Immutable; OpenSSL counts its users under a lock of its own.
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        SSL_SESSION_free(pointer)
    }
}
