import NIOCore

/// Frames of the server: never masked, never fragmented.
enum SocketFrames {
    private static let final: UInt8 = 0x80

    static func text(_ payload: [UInt8]) -> ByteBuffer { frame(1, payload) }

    static func pong(_ payload: [UInt8]) -> ByteBuffer { frame(10, payload) }

    /// Without a code, for a client that gave none. The reason is cut to what a control frame holds.
    static func close(code: UInt16?, reason: String) -> ByteBuffer {
        guard let code else { return frame(8, []) }
        return frame(8, [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)] + cut(reason))
    }

    private static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: payload.count + 10)
        buffer.writeInteger(final | opcode)
        switch payload.count {
        case ..<126: buffer.writeInteger(UInt8(payload.count))
        case ..<(1 << 16):
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(payload.count))
        default:
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeBytes(payload)
        return buffer
    }

    /// At most 123 bytes, whole characters.
    private static func cut(_ reason: String) -> [UInt8] {
        var bytes = Array(reason.utf8.prefix(123))
        guard bytes.count < reason.utf8.count else { return bytes }
        while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
        return bytes
    }
}
