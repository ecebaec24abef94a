import Binary
import Cluster
import NIOCore

/// Cuts a byte stream into frames: a length of four bytes, then that many bytes.
///
/// A frame is refused by its length alone, before memory is reserved for it.
struct FrameReader {
    private var pending = ByteBuffer()
    private let bytesMax: Int

    init(bytesMax: Int = PeerMessage.frameBytesMax) {
        self.bytesMax = bytesMax
    }

    mutating func append(_ buffer: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = buffer
        } else {
            var buffer = buffer
            pending.writeBuffer(&buffer)
        }
    }

    /// Takes exactly `count` bytes once they are there: for the hello, which has no length.
    mutating func take(_ count: Int) -> [UInt8]? {
        pending.readBytes(length: count)
    }

    /// All whole frames that are there, in one array, and where each lies in it.
    mutating func takeFrames() throws(DecodingFailure) -> (bytes: [UInt8], frames: [Range<Int>])? {
        var frames: [Range<Int>] = []
        var offset = 0
        let start = pending.readerIndex
        while let length = pending.getInteger(at: start + offset, endianness: .little, as: UInt32.self) {
            guard Int(length) <= bytesMax else { throw DecodingFailure("a frame of \(length) bytes") }
            guard pending.readableBytes >= offset + 4 + Int(length) else { break }
            frames.append(offset + 4..<offset + 4 + Int(length))
            offset += 4 + Int(length)
        }
        guard !frames.isEmpty, let bytes = pending.readBytes(length: offset) else { return nil }
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        return (bytes, frames)
    }
}

extension ByteWriter {
    /// Appends one message as a frame.
    mutating func writeFrame(_ message: PeerMessage) {
        let start = count
        write(UInt32(0))
        message.encode(into: &self)
        patch(UInt32(count - start - 4), at: start)
    }
}
