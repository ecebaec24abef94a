/// Has the next segment ready before it is needed, on a thread of its own.
final class SparePreparer: @unchecked Sendable {
    private enum State {
        case idle
        case wanted(Int)
        case preparing
        case ready(Int)
        /// There was no room for one of this size; tried again from time to time.
        case failed(Int)
    }

    private let files: SegmentFiles
    private let gauge: SpaceGauge
    private let retryMs: Int
    private let monitor = Monitor()
    // Both guarded by the monitor.
    private var state = State.idle
    private var isStopped = false
    private var thread: WorkerThread?

    init(files: SegmentFiles, gauge: SpaceGauge, retryMs: Int) {
        self.files = files
        self.gauge = gauge
        self.retryMs = retryMs
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
        gauge.spareIsMissing(false)
        return capacity
    }

    /// Makes the spare of a segment that is needed no more. False if there is one, or one is under way.
    func offer(_ sequence: UInt64, bytes: Int) throws(JournalError) -> Bool {
        let isWelcome = monitor.locked {
            switch state {
            case .idle, .failed:
                state = .preparing  // nobody else makes one meanwhile
                return true
            case .wanted, .preparing, .ready: return false
            }
        }
        guard isWelcome else { return false }
        do throws(JournalError) {
            try files.recycle(sequence)
            monitor.locked { finish(.ready(bytes)) }
            gauge.spareIsMissing(false)
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
        case .idle, .ready, .failed: false
        }
    }

    /// Tries at once what has failed for want of space.
    func retry() {
        monitor.locked {
            if case .failed(let capacity) = state { state = .wanted(capacity) }
            monitor.signal()
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
            let next = prepare(capacity)
            monitor.locked { finish(next) }
            switch next {
            case .failed: gauge.spareIsMissing(true)
            case .ready: gauge.spareIsMissing(false)
            case .idle, .wanted, .preparing: break
            }
        }
    }

    private func prepare(_ capacity: Int) -> State {
        do throws(JournalError) {
            let made = try files.makeSpare(capacity: capacity) { monitor.locked { isStopped } }
            return made ? .ready(capacity) : .idle
        } catch {
            // Said before the present segment is full. What else fails, `take` meets again and reports.
            return error.kind == .diskFull ? .failed(capacity) : .idle
        }
    }

    private func nextWanted() -> Int? {
        monitor.locked {
            while !isStopped {
                switch state {
                case .wanted(let capacity):
                    state = .preparing
                    return capacity
                case .failed(let capacity):
                    if !monitor.wait(milliseconds: retryMs), case .failed = state { state = .wanted(capacity) }
                case .idle, .preparing, .ready: monitor.wait()
                }
            }
            return nil
        }
    }
}
