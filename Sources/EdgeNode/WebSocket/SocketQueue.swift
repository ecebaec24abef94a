import NIOCore

/// Frames that wait until a channel takes them. Frames are shared between sockets; an empty queue owns no
/// memory.
struct SocketQueue {
    /// What a frame costs beside its bytes.
    private static let frameBytes = 48
    /// Small frames leave together, up to this size.
    private static let chunkBytes = 16 << 10

    private var frames: [ByteBuffer] = []
    private var head = 0
    private(set) var bytes = 0

    var isEmpty: Bool { head == frames.count }

    mutating func append(_ frame: ByteBuffer) {
        frames.append(frame)
        bytes += frame.readableBytes + SocketQueue.frameBytes
    }

    /// One large frame as it is, or several small ones copied together: the channel's own list of what it
    /// has to write stays short, and never shrinks once it was long.
    mutating func nextChunk() -> ByteBuffer? {
        guard var chunk = pop() else { return nil }
        while let next = first, chunk.readableBytes + next.readableBytes <= SocketQueue.chunkBytes {
            guard let frame = pop() else { break }
            chunk.writeImmutableBuffer(frame)
        }
        return chunk
    }

    mutating func removeAll() { self = SocketQueue() }

    private var first: ByteBuffer? { isEmpty ? nil : frames[head] }

    private mutating func pop() -> ByteBuffer? {
        guard !isEmpty else { return nil }
        var frame = ByteBuffer()
        swap(&frame, &frames[head])
        bytes -= frame.readableBytes + SocketQueue.frameBytes
        head += 1
        if isEmpty {
            frames = []
            head = 0
        } else if head >= 64, head * 2 >= frames.count {
            frames.removeFirst(head)
            head = 0
        }
        return frame
    }
}
