import Raft

/// A replica with its disk and its state machine: what a driver does, in the smallest form.
struct TestNode {
    let id: NodeID
    var replica: TestReplica
    var disk: TestDisk
    var machine = TestMachine()
    var isUp = true
    /// Syncs at once. Without it the test syncs by hand.
    var syncsAtOnce = true
    var incarnation: UInt64 = 1
    private(set) var outbox: [Message] = []
    private(set) var events: [String] = []
    private(set) var reads: [ReadState] = []
    private(set) var abandonedReads: [UInt64] = []
    var providesSnapshots = true
    /// Snapshots are files: their bytes pass by the replica.
    let usesFiles: Bool
    var files = TestFiles()

    typealias Make = (NodeID, InitialState) -> TestReplica
    private let make: Make

    init(id: NodeID, initial: InitialState, usesFiles: Bool = false, make: @escaping Make) {
        self.id = id
        self.usesFiles = usesFiles
        self.make = make
        disk = TestDisk(initial)
        replica = make(id, initial)
        machine.install(initial.snapshot)
    }

    mutating func crash(keeping kept: Int = 0) {
        disk.crash(keeping: kept)
        files.crash(keepingBytes: 40 * kept)
        isUp = false
        outbox = []
    }

    mutating func loseDisk() { disk.loseLog() }

    mutating func send(_ message: Message) { outbox.append(message) }

    /// A message leaves, unless bytes of a file have to be read for it.
    private mutating func send(_ messages: [Message]) {
        for message in messages {
            if message.missingBytes == nil { send(message) } else { files.unread.append(message) }
        }
    }

    private mutating func install(_ snapshot: Snapshot) {
        var whole = snapshot
        if let hash = snapshot.externalHash {
            guard let data = files.whole[hash] else { preconditionFailure("the installed file is gone") }
            whole.content = .bytes(data)
        }
        machine.install(whole)
    }

    mutating func restart() {
        isUp = true
        incarnation += 1
        replica = make(id, disk.initialState)
        machine = TestMachine()
        install(disk.snapshot)
    }

    /// Begins anew under the same name, after its log was lost and it was taken out and in again.
    mutating func rejoin(sealedAt term: Term) {
        disk = TestDisk(.joining(sealedAt: term))
        files = TestFiles()
        outbox = []
        restart()
    }

    /// Takes everything that is ready.
    mutating func pump(_ rules: inout Invariants) {
        var rounds = 0
        while replica.hasReady {
            takeReady(&rules)
            if syncsAtOnce { while sync(&rules) {} }
            rounds += 1
            precondition(rounds < 10_000, "node \(id) is never done")
        }
        if syncsAtOnce { while sync(&rules) {} }
    }

    mutating func takeReady(_ rules: inout Invariants) {
        let before = replica.commit
        let ready = replica.ready()
        if replica.leads {
            rules.observeLeader(
                Candidate(node: id, incarnation: replica.hardState.vote?.incarnation ?? 0),
                term: replica.hardState.term, termAt: { replica.term(at: $0) }, first: replica.firstIndex)
        }
        if let first = ready.entries.first {
            rules.observeWrite(ready.entries, previousTerm: replica.term(at: first.index.previous))
        }
        if replica.commit < before { rules.violated("node \(id): commit fell") }
        send(ready.messages)
        disk.write(ready)
        if let snapshot = ready.snapshot {
            if snapshot.index < machine.index { rules.violated("node \(id): a snapshot over a newer state") }
            install(snapshot)
            events.append("installs snapshot \(snapshot.position)")
        }
        for entry in ready.committed {
            machine.apply(entry)
            rules.observeApply(entry, by: id)
        }
        reads += ready.readStates
        abandonedReads += ready.abandonedReads
        guard !usesFiles else { return takeFiles(of: ready) }
        if ready.snapshotWanted {
            events.append("wants a snapshot")
            if providesSnapshots { provideSnapshot() } else { replica.snapshotFailed() }
        }
    }

    mutating func provideSnapshot() {
        let index = replica.applied
        if let snapshot = replica.makeSnapshot(at: index, data: machine.snapshotData(through: index)) {
            replica.provideSnapshot(snapshot)
        } else {
            replica.snapshotFailed()
        }
    }

    /// Makes the oldest write durable. False if there is none.
    mutating func sync(_ rules: inout Invariants) -> Bool {
        guard let ready = disk.sync() else { return false }
        if let state = ready.hardState { rules.observeDurable(state, of: id) }
        outbox += ready.messagesAfterPersist
        if let mark = ready.mark { replica.persisted(mark) }
        return true
    }

    mutating func compact(keepingBytes: Int, through index: LogIndex) {
        replica.compact(keepingBytes: keepingBytes, through: index)
        let kept = min(index, replica.applied)
        if let snapshot = replica.makeSnapshot(at: kept, data: machine.snapshotData(through: kept)) {
            disk.checkpoint(snapshot)
        }
    }

    mutating func takeOutbox() -> [Message] {
        defer { outbox = [] }
        return outbox
    }

    mutating func takeEvents() -> [String] {
        defer { events = [] }
        return events
    }

    mutating func takeReads() -> (answered: [ReadState], abandoned: [UInt64]) {
        defer {
            reads = []
            abandonedReads = []
        }
        return (reads, abandonedReads)
    }
}
