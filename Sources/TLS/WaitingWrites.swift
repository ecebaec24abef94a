import NIOCore

/// What was written to a connection and is not encrypted yet, in order. Takes no memory while it is empty.
struct WaitingWrites {
    struct Write {
        var bytes: ByteBuffer
        let promise: EventLoopPromise<Void>?
    }

    private var writes: [Write] = []
    /// Those before it are gone.
    private var first = 0
    /// Those before it were flushed.
    private var flushedEnd = 0
    private(set) var byteCount = 0
    private(set) var flushedByteCount = 0

    var hasFlushed: Bool { flushedEnd > first }
    var flushedCount: Int { flushedEnd - first }

    mutating func append(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        byteCount += bytes.readableBytes
        writes.append(Write(bytes: bytes, promise: promise))
    }

    mutating func flush() {
        flushedEnd = writes.count
        flushedByteCount = byteCount
    }

    /// The first write that was flushed.
    var firstByteCount: Int { writes[first].bytes.readableBytes }

    /// Gives the first `count` bytes of the first write to `body`.
    mutating func take<Result>(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let result = writes[first].bytes.readWithUnsafeReadableBytes { bytes in
            (count, body(UnsafeRawBufferPointer(rebasing: bytes[..<count])))
        }
        byteCount -= count
        flushedByteCount -= count
        return result
    }

    /// Lets the first write go, of which nothing is left.
    mutating func pop() -> EventLoopPromise<Void>? {
        let promise = writes[first].promise
        writes[first].bytes = ByteBuffer()
        first += 1
        if first == writes.count {
            self = WaitingWrites()
        }
        return promise
    }

    /// All that waits, or only what was not flushed.
    mutating func removeAll(unflushedOnly: Bool = false) -> [EventLoopPromise<Void>] {
        let start = unflushedOnly ? flushedEnd : first
        let promises = writes[start...].compactMap(\.promise)
        if start == first {
            self = WaitingWrites()
        } else {
            writes.removeSubrange(start...)
            byteCount = flushedByteCount
        }
        return promises
    }
}
