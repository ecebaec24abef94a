import DequeModule
import Raft

/// What a core has handed to the journal and has not heard back about.
///
/// Messages that rest on records (votes, seals, acknowledgements) wait here until the batch that
/// holds the records, and with it every earlier batch, is durable (O3, O12).
struct PersistQueue {
    /// A group's log is durable up to here once the batch is.
    struct Mark {
        var group: GroupID
        var position: Position
    }

    struct Batch {
        var id: BatchID
        var marks: [Mark] = []
        var messages: [Outgoing] = []
        var storeRequests: [StoreRequest] = []

        var isEmpty: Bool { marks.isEmpty && messages.isEmpty && storeRequests.isEmpty }

        mutating func add(_ other: Batch) {
            marks += other.marks
            messages += other.messages
            storeRequests += other.storeRequests
        }
    }

    private var open = Batch(id: BatchID(rawValue: 1))
    private var records: [LogRecord] = []
    private var outstanding: Deque<Batch> = []

    mutating func add(_ record: LogRecord) {
        records.append(record)
    }

    mutating func add(mark: Mark) {
        open.marks.append(mark)
    }

    mutating func add(message: Outgoing) {
        open.messages.append(message)
    }

    /// For the store, once the records are durable.
    mutating func add(afterwards request: StoreRequest) {
        open.storeRequests.append(request)
    }

    /// Closes the batch of this turn. Messages with nothing to wait for come back at once.
    mutating func close() -> (batch: PersistBatch?, released: Batch?) {
        if records.isEmpty {
            guard !open.isEmpty else { return (nil, nil) }
            let closed = open
            open = Batch(id: open.id)
            // Nothing new to write, but what they rest on may still be on its way to the disk.
            guard let last = outstanding.indices.last else { return (nil, closed) }
            outstanding[last].add(closed)
            return (nil, nil)
        }
        let batch = PersistBatch(id: open.id, records: records)
        outstanding.append(open)
        open = Batch(id: BatchID(rawValue: open.id.rawValue + 1))
        records = []
        return (batch, nil)
    }

    /// The oldest outstanding batch is durable.
    mutating func persisted(_ id: BatchID) -> Batch {
        guard let first = outstanding.popFirst(), first.id == id else {
            preconditionFailure("O12: batches become durable in the order in which they were written")
        }
        return first
    }
}
