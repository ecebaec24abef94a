import NIOCore

/// Takes WebSocket frames (RFC 6455 section 5) out of the bytes of a client.
///
/// Payloads are unmasked as they arrive, so what is kept between two reads is the beginning of a header
/// and what there is of a message: nothing at all of an idle socket. Every rule is checked before the
/// bytes behind it are awaited. After a fault the rest of the stream means nothing.
struct SocketParser {
    private enum Opcode: UInt8 {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10
    }

    /// The beginning of a header, at most 13 bytes.
    private var rest = ByteBuffer()
    /// The text message that is arriving.
    private var message: [UInt8] = []
    /// The payload of the control frame that is arriving, which may stand between a message's fragments.
    private var control: [UInt8] = []
    /// Of the payload that is arriving: what is missing, and the key with which the next byte is masked.
    private var missingBytes: UInt32 = 0
    private var key: UInt32 = 0
    private var opcode = Opcode.continuation
    private var isFinal = false
    /// Behind the header of a frame.
    private var isInPayload = false
    /// Behind the first fragment of a message.
    private var isInMessage = false

    /// What is kept of messages that are not complete.
    var keptBytes: Int { message.count }

    /// The next message or control frame; `nil` when `input` is used up.
    mutating func next(_ input: inout ByteBuffer, limitBytes: Int) throws(SocketFault) -> SocketMessage? {
        while true {
            if !isInPayload {
                guard try readHeader(&input, limitBytes: limitBytes) else { return nil }
            }
            guard readPayload(&input) else { return nil }
            isInPayload = false
            if let message = try complete() { return message }
        }
    }

    // MARK: - Headers

    private mutating func readHeader(_ input: inout ByteBuffer, limitBytes: Int) throws(SocketFault) -> Bool {
        if rest.readableBytes > 0 {
            rest.writeBuffer(&input)
            swap(&rest, &input)
            rest = ByteBuffer()
        }
        let start = input.readerIndex
        guard let first = input.getInteger(at: start, as: UInt8.self) else { return false }
        let opcode = try checkedOpcode(first)
        guard let second = input.getInteger(at: start + 1, as: UInt8.self) else { return keep(&input) }
        guard second & 0x80 != 0 else { throw .againstProtocol("a client's frames must be masked") }
        let short = second & 0x7F
        if opcode.rawValue >= 8 { try checkControl(isFinal: first & 0x80 != 0, length: short) }
        let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
        guard input.readableBytes >= 2 + lengthBytes else { return keep(&input) }
        let length = try length(short, input, at: start + 2)
        if opcode.rawValue < 8 {
            // The difference first: a length near the largest number must not overflow.
            guard length <= UInt64(max(0, limitBytes - message.count)) else {
                throw .tooLarge(limitBytes: limitBytes)
            }
        }
        guard let key = input.getInteger(at: start + 2 + lengthBytes, endianness: .little, as: UInt32.self)
        else { return keep(&input) }
        input.moveReaderIndex(forwardBy: 6 + lengthBytes)
        begin(opcode, isFinal: first & 0x80 != 0, length: UInt32(length), key: key)
        return true
    }

    private func checkedOpcode(_ first: UInt8) throws(SocketFault) -> Opcode {
        guard first & 0x70 == 0 else { throw .againstProtocol("reserved bits must be zero") }
        guard let opcode = Opcode(rawValue: first & 0x0F) else {
            throw .againstProtocol("there is no such opcode")
        }
        switch opcode {
        case .binary: throw .binary
        case .text where isInMessage:
            throw .againstProtocol("a message begins inside another one")
        case .continuation where !isInMessage:
            throw .againstProtocol("there is no message to continue")
        default: return opcode
        }
    }

    private func checkControl(isFinal: Bool, length: UInt8) throws(SocketFault) {
        guard isFinal else { throw .againstProtocol("control frames must not be fragmented") }
        guard length <= 125 else { throw .againstProtocol("control frames carry at most 125 bytes") }
    }

    /// Lengths must be written in the shortest form.
    private func length(_ short: UInt8, _ input: ByteBuffer, at index: Int) throws(SocketFault) -> UInt64 {
        let length: UInt64
        let least: UInt64
        switch short {
        case 126: (length, least) = (UInt64(input.getInteger(at: index, as: UInt16.self) ?? 0), 126)
        case 127: (length, least) = (input.getInteger(at: index, as: UInt64.self) ?? 0, 1 << 16)
        default: return UInt64(short)
        }
        guard length >= least, length < 1 << 63 else {
            throw .againstProtocol("a length must be written in the shortest form")
        }
        return length
    }

    /// Copies the little that is left, so that it does not hold the buffer it was received in.
    private mutating func keep(_ input: inout ByteBuffer) -> Bool {
        rest = ByteBuffer(bytes: input.readableBytesView)
        input.moveReaderIndex(to: input.writerIndex)
        return false
    }

    private mutating func begin(_ opcode: Opcode, isFinal: Bool, length: UInt32, key: UInt32) {
        self.opcode = opcode
        self.isFinal = isFinal
        self.key = key
        missingBytes = length
        isInPayload = true
        if opcode.rawValue < 8 { isInMessage = true }
    }

    // MARK: - Payloads

    /// Whether the payload is there as a whole.
    private mutating func readPayload(_ input: inout ByteBuffer) -> Bool {
        let count = min(Int(missingBytes), input.readableBytes)
        if opcode.rawValue < 8 {
            key = unmask(count, &input, key: key, into: &message)
        } else {
            key = unmask(count, &input, key: key, into: &control)
        }
        missingBytes -= UInt32(count)
        return missingBytes == 0
    }

    // MARK: - What it was

    private mutating func complete() throws(SocketFault) -> SocketMessage? {
        switch opcode {
        case .close: return try closing(take(&control))
        case .ping: return .ping(take(&control))
        case .pong:
            control = []
            return .pong
        case .continuation, .text, .binary:
            guard isFinal else { return nil }
            isInMessage = false
            let text = take(&message)
            guard isUTF8(text[...]) else { throw .notUTF8("a text message") }
            return .text(text)
        }
    }

    private func closing(_ payload: [UInt8]) throws(SocketFault) -> SocketMessage {
        guard !payload.isEmpty else { return .close(code: nil) }
        guard payload.count >= 2 else { throw .againstProtocol("half a close code") }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        guard CloseCode.isValid(code) else { throw .againstProtocol("a close code that must not be sent") }
        guard isUTF8(payload[2...]) else { throw .notUTF8("the reason of a close frame") }
        return .close(code: code)
    }
}

/// Nothing stays behind, not even room.
private func take(_ bytes: inout [UInt8]) -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &bytes)
    return taken
}

/// Moves `count` bytes; returns the key for the byte behind them.
private func unmask(_ count: Int, _ input: inout ByteBuffer, key: UInt32, into bytes: inout [UInt8]) -> UInt32 {
    guard count > 0 else { return key }
    input.readWithUnsafeReadableBytes { source in
        appendUnmasked(UnsafeRawBufferPointer(rebasing: source[..<count]), key: key, to: &bytes)
        return count
    }
    let turn = UInt32(count % 4) * 8
    return turn == 0 ? key : key >> turn | key << (32 - turn)
}

/// Eight bytes at a time; the key's lowest byte masks the first byte.
private func appendUnmasked(_ source: UnsafeRawBufferPointer, key: UInt32, to bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(contentsOf: source)
    bytes.withUnsafeMutableBytes { all in
        let payload = UnsafeMutableRawBufferPointer(rebasing: all[start...])
        let wide = UInt64(key) << 32 | UInt64(key)
        var position = 0
        while position + 8 <= payload.count {
            let masked = payload.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            payload.storeBytes(of: masked ^ wide.littleEndian, toByteOffset: position, as: UInt64.self)
            position += 8
        }
        while position < payload.count {
            payload[position] ^= UInt8(truncatingIfNeeded: wide >> UInt64(position % 8 * 8))
            position += 1
        }
    }
}

private func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
    (try? UTF8Span(validating: bytes.span)) != nil
}
