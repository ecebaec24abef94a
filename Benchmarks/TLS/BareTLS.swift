import COpenSSL
import NIOCore

/// OpenSSL between memory buffers, and nothing else: no back-pressure, no close, no errors worth a name. What a TLS handler on
/// OpenSSL costs at least.
final class BareTLS: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let ssl: OpaquePointer
    private let input: OpaquePointer
    private let output: OpaquePointer

    init(_ context: BareContext) {
        ssl = SSL_new(context.pointer)
        input = BIO_new(BIO_s_mem())
        output = BIO_new(BIO_s_mem())
        SSL_set_bio(ssl, input, output)
        SSL_set_accept_state(ssl)
    }

    deinit { SSL_free(ssl) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        bytes.withUnsafeReadableBytes { _ = BIO_write(input, $0.baseAddress, Int32($0.count)) }
        if SSL_is_init_finished(ssl) == 0 {
            let done = SSL_do_handshake(ssl)
            send(context)
            guard done == 1 else { return }
        }
        var count: Int32
        repeat {
            var plaintext = context.channel.allocator.buffer(capacity: 16_384)
            count = plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: 16_384) {
                max(0, Int(SSL_read(ssl, $0.baseAddress, Int32($0.count))))
            }.int32
            if count > 0 { context.fireChannelRead(wrapInboundOut(plaintext)) }
        } while count > 0
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        unwrapOutboundIn(data).withUnsafeReadableBytes { _ = SSL_write(ssl, $0.baseAddress, Int32($0.count)) }
        promise?.succeed(())
    }

    func flush(context: ChannelHandlerContext) { send(context) }

    private func send(_ context: ChannelHandlerContext) {
        let waiting = Int(BIO_ctrl(output, BIO_CTRL_PENDING, 0, nil))
        guard waiting > 0 else { return }
        var ciphertext = context.channel.allocator.buffer(capacity: waiting)
        ciphertext.writeWithUnsafeMutableBytes(minimumWritableBytes: waiting) {
            Int(BIO_read(output, $0.baseAddress, Int32(waiting)))
        }
        context.writeAndFlush(wrapOutboundOut(ciphertext), promise: nil)
    }
}

extension Int {
    fileprivate var int32: Int32 { Int32(self) }
}

final class BareContext: @unchecked Sendable {
    // Set up before anybody uses it; OpenSSL locks what changes.
    let pointer: OpaquePointer

    init(certificate: String, key: String) throws {
        pointer = SSL_CTX_new(TLS_server_method())
        guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1,
            SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_set_ciphersuites(pointer, "TLS_AES_128_GCM_SHA256") == 1
        else { throw UnknownKind(kind: "the certificate of the bare server") }
    }
}
