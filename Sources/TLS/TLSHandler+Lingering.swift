import NIOCore

// After a fatal alert, or an answer to somebody who speaks no TLS.
extension TLSHandler {
    /// A fault that the peer was just told of. This side's half ends, and the peer is heard out, within bounds: the
    /// system resets a connection that is closed while the peer still sends, and whoever is reset may never read what
    /// it was told. Web servers close so too (nginx: `lingering_close`).
    func failHavingTold(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard state == .handshaking || state == .open else { return }
        end(failing: error, as: .lingering)
        lingerRoom = options.lingerByteCountMax
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: options.lingerTimeout) { [weak self] in
            self?.closeTransport(context)
        }
        tell(error, context)
        guard state == .lingering else { return }
        let halfClosed = context.eventLoop.makePromise(of: Void.self)
        halfClosed.futureResult.assumeIsolated().whenFailure { [weak self] _ in self?.closeTransport(context) }
        context.close(mode: .output, promise: halfClosed)
        if state == .lingering { context.read() }
    }

    /// What the peer still sends is for nobody.
    func swallow(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        lingerRoom -= bytes.readableBytes
        if lingerRoom < 0 { closeTransport(context) }
    }

    /// The transport's own events are for nobody either.
    func lingers(on event: ChannelEvent, _ context: ChannelHandlerContext) {
        if event == .inputClosed { closeTransport(context) }
    }
}
