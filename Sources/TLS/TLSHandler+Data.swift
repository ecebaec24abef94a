import NIOCore

// The data of an open connection.
extension TLSHandler {
    /// Peers may make each other answer (new keys, refused renegotiations). One that does not read the answers
    /// would have us keep them.
    static let answersInFlightMax = 65_536
    /// So much plaintext is encrypted at a time; the rest waits for the channel to be writable.
    static let pieceByteCountMax = 16 * TLSConnection.recordByteCountMax

    func decrypt(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard let connection else { return }
        var input = bytes
        var answer = ByteBuffer()
        // Plaintext is shorter than its ciphertext, but for records that began earlier.
        var plaintext = context.channel.allocator.buffer(capacity: max(input.readableBytes, 64))
        var pause: TLSConnection.Pause?
        repeat {
            pause = connection.read(input: &input, plaintext: &plaintext, output: &answer)
        } while pause == nil && (input.readableBytes > 0 || connection.hasPending)
        if pause == .wantsInput { connection.answerKeyUpdate(output: &answer) }
        let answers = answer.readableBytes > 0
        sendAnswer(answer, context)
        guard state == .open else { return }
        if plaintext.readableBytes > 0 {
            wantsRead = false
            hasDelivered = true
            context.fireChannelRead(wrapInboundOut(plaintext))
            guard state == .open else { return }
        }
        switch pause {
        case nil, .wantsInput: break
        case .peerClosed: endInput(context)
        case .failed(let reason):
            let fault = connection.refusedCertificate ?? .recordRefused(reason: reason)
            if answers { failHavingTold(fault, context) } else { fail(fault, context) }
        }
    }

    private func sendAnswer(_ answer: ByteBuffer, _ context: ChannelHandlerContext) {
        let count = answer.readableBytes
        guard count > 0 else { return }
        answersInFlight += count
        guard answersInFlight <= Self.answersInFlightMax else { return fail(.answersUnread, context) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.answersInFlight -= count }
        context.writeAndFlush(wrapOutboundOut(answer), promise: written)
    }

    func encryptFlushed(_ context: ChannelHandlerContext) {
        // Promises and writability call back from inside: the loop below sees what they change.
        guard !isEncrypting else { return }
        isEncrypting = true
        defer { isEncrypting = false }
        while state == .open, waiting.hasFlushed, context.channel.isWritable {
            guard let connection else { return }
            var piece = EncryptedPiece(capacity: waiting.ciphertextCapacity, allocator: context.channel.allocator)
            if case .failed(let reason) = piece.fill(from: &waiting, by: connection) {
                piece.promise?.fail(TLSError.closed)
                return fail(.recordRefused(reason: reason), context)
            }
            context.writeAndFlush(wrapOutboundOut(piece.ciphertext), promise: piece.promise)
        }
        if state == .open, !waiting.hasFlushed, case .asked(let promise) = output { finishOutput(context, promise) }
    }
}

/// Part of what was flushed, encrypted: what goes to the network in one write.
private struct EncryptedPiece {
    var ciphertext: ByteBuffer
    /// Of all writes that end in this piece.
    var promise: EventLoopPromise<Void>?
    private let allocator: ByteBufferAllocator
    /// Small writes on their way into a common record.
    private var record = ByteBuffer()

    init(capacity: Int, allocator: ByteBufferAllocator) {
        self.allocator = allocator
        ciphertext = allocator.buffer(capacity: capacity)
    }

    mutating func fill(from waiting: inout WaitingWrites, by connection: TLSConnection) -> TLSConnection.Pause? {
        var taken = 0
        while waiting.hasFlushed, taken < TLSHandler.pieceByteCountMax {
            let step = next(waiting, room: TLSHandler.pieceByteCountMax - taken)
            taken += step.count
            if step.isDirect {
                let pause = waiting.take(step.count) { connection.write($0, output: &ciphertext) }
                if let pause { return pause }
            } else {
                if record.capacity == 0 { record = allocator.buffer(capacity: TLSConnection.recordByteCountMax) }
                waiting.take(step.count) { _ = record.writeBytes($0) }
                if record.readableBytes == TLSConnection.recordByteCountMax, let pause = finishRecord(connection) {
                    return pause
                }
            }
            if waiting.firstByteCount == 0, let promise = waiting.pop() { add(promise) }
        }
        return finishRecord(connection)
    }

    /// How much of the first write comes next, and whether it fills records by itself.
    private func next(_ waiting: WaitingWrites, room: Int) -> (count: Int, isDirect: Bool) {
        let count = min(waiting.firstByteCount, room)
        let full = TLSConnection.recordByteCountMax
        guard record.readableBytes == 0 else { return (min(count, full - record.readableBytes), false) }
        if waiting.flushedCount == 1 { return (count, true) }
        return count >= full ? (count - count % full, true) : (count, false)
    }

    private mutating func finishRecord(_ connection: TLSConnection) -> TLSConnection.Pause? {
        guard record.readableBytes > 0 else { return nil }
        defer { record.clear() }
        return record.withUnsafeReadableBytes { connection.write($0, output: &ciphertext) }
    }

    private mutating func add(_ promise: EventLoopPromise<Void>) {
        if let first = self.promise {
            first.futureResult.cascade(to: promise)
        } else {
            self.promise = promise
        }
    }
}

extension WaitingWrites {
    /// Room for the ciphertext of the next piece.
    fileprivate var ciphertextCapacity: Int {
        let count = min(flushedByteCount, TLSHandler.pieceByteCountMax)
        return count + (count / TLSConnection.recordByteCountMax + 1) * TLSConnection.recordOverhead
    }
}
