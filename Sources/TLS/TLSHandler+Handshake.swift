import NIOCore

extension TLSHandler {
    func startHandshake(_ context: ChannelHandlerContext) {
        state = .handshaking
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: options.handshakeTimeout) { [weak self] in
            guard let self, self.state == .handshaking else { return }
            self.fail(.handshakeTimeout, context)
        }
        if tls.role == .server {
            hello = ByteBuffer()
        } else if connect(context) {
            goOn(with: ByteBuffer(), context)
        }
        if state == .handshaking { context.read() }
    }

    /// Makes OpenSSL's part.
    private func connect(_ context: ChannelHandlerContext) -> Bool {
        do throws(TLSError) {
            connection = try TLSConnection(context: tls, peerName: peerName, resuming: resumed)
            return true
        } catch {
            fail(error, context)
            return false
        }
    }

    func shakeHands(with bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard var gathered = hello else { return goOn(with: bytes, context) }
        // One owner: or each packet would copy all that came before it.
        hello = nil
        var bytes = bytes
        if gathered.readableBytes == 0 { gathered = bytes } else { gathered.writeBuffer(&bytes) }
        switch gathered.withUnsafeReadableBytes({ ClientHelloGate.judge($0) }) {
        case .incomplete: hello = gathered
        case .complete:
            if connect(context) { goOn(with: gathered, context) }
        case .tooLong:
            send(context.channel.allocator.buffer(bytes: ClientHelloGate.tooLongAlert), context)
            failHavingTold(.handshakeFailed(reason: "the client's first message is too long"), context)
        case .notTLS: answerPlaintext(Array(gathered.readableBytesView.prefix(4_096)), context)
        }
    }

    /// One step: what came is read, the answer is sent, and what follows the handshake is data already.
    private func goOn(with bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let connection else { return }
        var input = bytes
        if let first = input.readableBytesView.first, tls.role == .client, isText(first) {
            return fail(.notTLS(firstBytes: Array(input.readableBytesView.prefix(4_096))), context)
        }
        var answer = ByteBuffer()
        let pause = connection.handshake(input: &input, output: &answer)
        let saysWhy = answer.readableBytes > 0
        send(answer, context)
        guard state == .handshaking else { return }
        switch pause {
        case nil: completeHandshake(context, following: input)
        case .wantsInput: break
        case .peerClosed: fail(.handshakeFailed(reason: "the peer closed the connection"), context)
        case .failed(let reason):
            let fault = connection.refusedCertificate ?? .handshakeFailed(reason: reason)
            if saysWhy { failHavingTold(fault, context) } else { fail(fault, context) }
        }
    }

    /// Records begin with 20 to 24: a letter is somebody else's greeting. Only the first bytes may be judged so.
    private func isText(_ byte: UInt8) -> Bool {
        defer { hasSeenInput = true }
        return !hasSeenInput && (0x20..<0x7F).contains(byte)
    }

    private func completeHandshake(_ context: ChannelHandlerContext, following input: ByteBuffer) {
        guard let connection else { return }
        state = .open
        timer?.cancel()
        timer = nil
        context.fireUserInboundEventTriggered(connection.completed)
        guard state == .open else { return }
        encryptFlushed(context)
        guard state == .open, input.readableBytes > 0 || connection.hasPending else { return }
        decrypt(input, context)
    }

    private func answerPlaintext(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
        guard let answer = options.plaintextAnswer?(bytes) else { return fail(.notTLS(firstBytes: bytes), context) }
        send(context.channel.allocator.buffer(bytes: answer), context)
        failHavingTold(.notTLS(firstBytes: bytes), context)
    }

    /// Sends what OpenSSL or this handler itself has made.
    func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard bytes.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }
}
