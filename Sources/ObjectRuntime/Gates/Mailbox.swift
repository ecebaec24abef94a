import DequeModule

/// Requests that wait while a shard is not ready, first in, first out. Bounded: what does not fit is
/// refused at once, with nothing applied (O11).
public struct Mailbox<Message> {
    public let countLimit: Int
    public let bytesLimit: Int

    private var waiting: Deque<(message: Message, bytes: Int)> = []
    public private(set) var bytes = 0

    public init(countLimit: Int, bytesLimit: Int) {
        self.countLimit = countLimit
        self.bytesLimit = bytesLimit
    }

    public var count: Int { waiting.count }
    public var isEmpty: Bool { waiting.isEmpty }

    /// False if the message does not fit; then nothing is kept. One message alone always fits, however
    /// large, or it could never pass.
    public mutating func post(_ message: Message, bytes size: Int) -> Bool {
        guard waiting.isEmpty || (waiting.count < countLimit && bytes + size <= bytesLimit) else {
            return false
        }
        waiting.append((message, size))
        bytes += size
        return true
    }

    public mutating func next() -> Message? {
        guard let first = waiting.popFirst() else { return nil }
        bytes -= first.bytes
        return first.message
    }

    /// Takes everything out, in order.
    public mutating func takeAll() -> [Message] {
        defer {
            waiting.removeAll()
            bytes = 0
        }
        return waiting.map(\.message)
    }

    /// Takes out what no longer waits (a deadline has passed, a client has gone); the rest keeps its order.
    public mutating func remove(where leaves: (Message) -> Bool) -> [Message] {
        var left: [Message] = []
        var kept: Deque<(message: Message, bytes: Int)> = []
        for entry in waiting {
            if leaves(entry.message) {
                left.append(entry.message)
                bytes -= entry.bytes
            } else {
                kept.append(entry)
            }
        }
        waiting = kept
        return left
    }
}

extension Mailbox: Sendable where Message: Sendable {}
