import Raft

/// A disk that forgets what was not synced. Writes become durable in order.
struct TestDisk {
    private(set) var hardState = HardState()
    private(set) var snapshot: Snapshot
    private(set) var entries: [Entry] = []
    var isDamaged = false

    /// Written, not synced; with the messages that wait for it.
    private(set) var pending: [Ready] = []

    init(_ initial: InitialState) {
        hardState = initial.hardState
        snapshot = initial.snapshot
        entries = initial.entries
        isDamaged = !initial.holdsLog
    }

    mutating func write(_ ready: Ready) {
        guard ready.needsPersistence || !ready.messagesAfterPersist.isEmpty else { return }
        pending.append(ready)
    }

    /// Makes the oldest write durable and returns it.
    mutating func sync() -> Ready? {
        guard !pending.isEmpty else { return nil }
        let ready = pending.removeFirst()
        if let state = ready.hardState { hardState = state }
        if let installed = ready.snapshot {
            snapshot = installed
            entries = []
        }
        if let first = ready.entries.first {
            precondition(first.index > snapshot.index, "a write below the snapshot")
            entries.removeAll { $0.index >= first.index }
            precondition(first.index == (entries.last?.index ?? snapshot.index).next, "a write leaves a gap")
            entries += ready.entries
        }
        return ready
    }

    /// The machine loses power: of what was not synced, the first `kept` writes happen to be there.
    mutating func crash(keeping kept: Int = 0) {
        for _ in 0..<min(kept, pending.count) { _ = sync() }
        pending = []
    }

    /// Everything is gone, and that is known: the replica may not speak in its old name. The sealed term is
    /// taken to be readable, so that what is tested is the log.
    mutating func loseLog() {
        snapshot = Snapshot(index: .zero, term: .zero, configuration: snapshot.configuration)
        entries = []
        isDamaged = true
    }

    /// A checkpoint: the state machine is durable up to `newer`, the log before it may go.
    mutating func checkpoint(_ newer: Snapshot) {
        guard newer.index > snapshot.index else { return }
        let last = entries.last?.index ?? snapshot.index
        guard newer.index <= last, entries.contains(where: { $0.position == newer.position }) else { return }
        snapshot = newer
        entries.removeAll { $0.index <= newer.index }
    }

    var initialState: InitialState {
        InitialState(hardState: hardState, snapshot: snapshot, entries: entries, holdsLog: !isDamaged)
    }
}
