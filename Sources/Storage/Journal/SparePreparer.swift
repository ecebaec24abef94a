/// Has the next segment ready before it is needed, on a thread of its own.
final class SparePreparer: @unchecked Sendable {
    private enum State {
        case idle
        case wanted(Int)
        case preparing
        case ready(Int)
    }

    private let files: SegmentFiles
    private let monitor = Monitor()
    // Both guarded by the monitor.
    private var state = State.idle
    private var isStopped = false
    private var thread: WorkerThread?

    init(files: SegmentFiles) {
        self.files = files
        if let bytes = files.spareBytes() { state = .ready(bytes) }
        thread = WorkerThread(name: "journal-spare") { [unowned self] in run() }
    }

    /// Asks for a spare of `capacity` unless one is there or under way.
    func request(_ capacity: Int) {
        monitor.locked {
            guard case .idle = state else { return }
            state = .wanted(capacity)
            monitor.signal()
        }
    }

    /// A spare of at least `capacity` bytes; waits for one under way, makes one if there is none that fits.
    /// Answers its size. The caller turns it into a segment and then requests the next.
    func take(atLeast capacity: Int) throws(JournalError) -> Int {
        let ready: Int? = monitor.locked {
            while isUnderWay && !isStopped { monitor.wait() }
            defer { state = .idle }
            if case .ready(let bytes) = state { return bytes }
            return nil
        }
        if let ready, ready >= capacity { return ready }
        _ = try files.makeSpare(capacity: capacity, isStopped: { false })
        return capacity
    }

    /// Makes the spare of a segment that is needed no more. False if there is one, or one is under way.
    func offer(_ sequence: UInt64, bytes: Int) throws(JournalError) -> Bool {
        let isWelcome = monitor.locked {
            guard case .idle = state else { return false }
            // Nobody else makes one meanwhile.
            state = .preparing
            return true
        }
        guard isWelcome else { return false }
        do throws(JournalError) {
            try files.recycle(sequence)
            monitor.locked { finish(.ready(bytes)) }
            return true
        } catch {
            monitor.locked { finish(.idle) }
            throw error
        }
    }

    private func finish(_ state: State) {
        self.state = state
        monitor.signal()
    }

    private var isUnderWay: Bool {
        switch state {
        case .wanted, .preparing: true
        case .idle, .ready: false
        }
    }

    func stop() {
        monitor.locked {
            isStopped = true
            monitor.signal()
        }
        thread?.join()
        thread = nil
    }

    private func run() {
        while let capacity = nextWanted() {
            // A failure is kept to itself: `take` tries again when the segment is needed, and reports.
            let made = (try? files.makeSpare(capacity: capacity) { monitor.locked { isStopped } }) ?? false
            monitor.locked { finish(made ? .ready(capacity) : .idle) }
        }
    }

    private func nextWanted() -> Int? {
        monitor.locked {
            while true {
                if isStopped { return nil }
                if case .wanted(let capacity) = state {
                    state = .preparing
                    return capacity
                }
                monitor.wait()
            }
        }
    }
}
