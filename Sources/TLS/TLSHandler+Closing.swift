import NIOCore

// The ends of a connection: the peer's, this side's, and faults.
extension TLSHandler {
    /// The peer has said that it sends no more.
    func endInput(_ context: ChannelHandlerContext) {
        inputEnded = true
        completeRead(context)
        guard state == .open else { return }
        guard allowsHalfClosure(context) else { return closeAll(context, nil) }
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        if state == .open, case .ended = output { closeAll(context, nil) }
    }

    private func allowsHalfClosure(_ context: ChannelHandlerContext) -> Bool {
        (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
    }

    /// Data that went on is followed by its `channelReadComplete` before anything else is.
    private func completeRead(_ context: ChannelHandlerContext) {
        guard hasDelivered else { return }
        hasDelivered = false
        context.fireChannelReadComplete()
    }

    func closeOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        switch (state, output) {
        case (.idle, .open), (.handshaking, .open), (.open, .open):
            output = .asked(promise)
            for promise in waiting.removeAll(unflushedOnly: true) { promise.fail(ChannelError.outputClosed) }
            if state == .open { encryptFlushed(context) }
        case (.idle, _), (.handshaking, _), (.open, _): promise?.fail(ChannelError.outputClosed)
        case (.closing, _), (.lingering, _), (.ended, _): promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    /// All that was flushed is on its way: now say that there is no more.
    func finishOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        output = .ended
        var farewell = ByteBuffer()
        connection?.close(output: &farewell)
        send(farewell, context)
        // The channel writes what was flushed before it half closes.
        if inputEnded, state == .open {
            closeAll(context, promise)
        } else {
            context.close(mode: .output, promise: promise)
        }
    }

    func closeAll(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        switch state {
        case .open: sayFarewell(context, promise)
        case .closing, .lingering: join(promise)
        case .idle, .handshaking, .ended:
            end(failing: ChannelError.ioOnClosedChannel)
            context.close(mode: .all, promise: promise)
        }
    }

    private func sayFarewell(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        state = .closing
        closePromise = promise
        var farewell = ByteBuffer()
        // What was flushed and will not be sent makes this end a truncation, and the peer must see it as one.
        if case .ended = output {} else if !waiting.hasFlushed { connection?.close(output: &farewell) }
        failWaiting(ChannelError.ioOnClosedChannel)
        let written = context.eventLoop.makePromise(of: Void.self)
        // Also when it fails: the channel is gone then.
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.closeTransport(context) }
        context.writeAndFlush(wrapOutboundOut(farewell), promise: written)
        guard state == .closing else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: options.closeTimeout) { [weak self] in
            self?.closeTransport(context)
        }
    }

    private func join(_ promise: EventLoopPromise<Void>?) {
        guard let promise else { return }
        if let first = closePromise {
            first.futureResult.cascade(to: promise)
        } else {
            closePromise = promise
        }
    }

    func closeTransport(_ context: ChannelHandlerContext) {
        guard state == .closing || state == .lingering else { return }
        let promise = closePromise
        closePromise = nil
        end(failing: ChannelError.ioOnClosedChannel)
        context.close(mode: .all, promise: promise)
    }

    /// The transport has closed before this side did: that is what was asked for.
    func endClosed() {
        let promise = closePromise
        closePromise = nil
        end(failing: ChannelError.ioOnClosedChannel)
        promise?.succeed(())
    }

    /// The end by a fault: everybody is told once, and the channel is closed.
    func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard state != .ended, state != .lingering else { return }
        report(error, context)
        context.close(mode: .all, promise: nil)
    }

    func report(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard state != .ended else { return }
        end(failing: error)
        tell(error, context)
    }

    func tell(_ error: TLSError, _ context: ChannelHandlerContext) {
        completeRead(context)
        context.fireErrorCaught(error)
    }

    /// Lets go of everything, OpenSSL's part first.
    func end(failing error: any Error, as last: State = .ended) {
        state = last
        timer?.cancel()
        timer = nil
        connection = nil
        hello = nil
        failWaiting(error)
        closePromise?.fail(error)
        closePromise = nil
    }

    private func failWaiting(_ error: any Error) {
        let asked: EventLoopPromise<Void>?
        if case .asked(let promise) = output { asked = promise } else { asked = nil }
        if state == .ended || state == .closing || state == .lingering { output = .ended }
        for promise in waiting.removeAll() { promise.fail(error) }
        asked?.fail(error)
    }
}
