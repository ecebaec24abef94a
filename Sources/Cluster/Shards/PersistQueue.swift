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
        var marks: [Mark]
        var messages: [Outgoing]
    }

    private var open = Batch(id: BatchID(rawValue: 1), marks: [], messages: [])
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

    /// Closes the batch of this turn. Messages with nothing to wait for come back at once.
    mutating func close() -> (batch: PersistBatch?, released: Batch?) {
        if records.isEmpty {
            guard !open.marks.isEmpty || !open.messages.isEmpty else { return (nil, nil) }
            if let last = outstanding.indices.last {
                // Nothing new to write, but what they rest on may still be on its way to the disk.
                outstanding[last].marks += open.marks
                outstanding[last].messages += open.messages
                open.marks = []
                open.messages = []
                return (nil, nil)
            }
            let released = open
            open.marks = []
            open.messages = []
            return (nil, released)
        }
        let batch = PersistBatch(id: open.id, records: records)
        outstanding.append(open)
        open = Batch(id: BatchID(rawValue: open.id.rawValue + 1), marks: [], messages: [])
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
