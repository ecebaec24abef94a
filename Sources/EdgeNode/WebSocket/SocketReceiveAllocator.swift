import NIOCore

/// Sizes of the buffers into which a socket's channel reads.
///
/// A channel keeps the first buffer that it ever had, and uses it again while `record` does not say that
/// sizes grow. So only small buffers are ever kept: whatever is larger is made for one read.
struct SocketReceiveAllocator: RecvByteBufferAllocator {
    static let smallBytes = 512
    static let largeBytes = 16 << 10

    private var nextBytes = SocketReceiveAllocator.smallBytes

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        allocator.buffer(capacity: nextBytes)
    }

    mutating func record(actualReadBytes: Int) -> Bool {
        if actualReadBytes >= nextBytes {
            nextBytes = min(SocketReceiveAllocator.largeBytes, nextBytes * 8)
        } else if actualReadBytes < nextBytes / 2 {
            nextBytes = SocketReceiveAllocator.smallBytes
        }
        return nextBytes > SocketReceiveAllocator.smallBytes
    }
}
