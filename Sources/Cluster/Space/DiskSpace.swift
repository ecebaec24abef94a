import Binary
import Placement
import Raft

/// Whether this node's disk has room to go on.
public enum DiskSpace: Sendable, Equatable {
    case roomy
    /// What is written now still finds room; soon nothing will.
    case low
    /// What is to be written waits.
    case stalled

    var hasRoom: Bool { self == .roomy }
}

/// A node says whether it has room for more: owners without room hand over to those that have it.
public struct SpaceReport: Sendable, Equatable {
    public var process: NodeProcess
    public var hasRoom: Bool

    func encode(into writer: inout ByteWriter) {
        process.encode(into: &writer)
        writer.write(hasRoom)
    }

    init(process: NodeProcess, hasRoom: Bool) {
        self.process = process
        self.hasRoom = hasRoom
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init(process: try NodeProcess(from: &reader), hasRoom: try reader.readBool())
    }
}

/// What a node knows of its own room and that of others.
struct SpaceBoard {
    static let repeatMs: UInt64 = 1_000
    private(set) var hasRoom = true
    private var isChanged = false
    private var tellAtMs: UInt64 = 0
    /// Nodes that said they had no room, and until when that counts. Looked up and filtered by key only.
    private var full: [NodeID: UInt64] = [:]
    private var told: [NodeID] = []

    mutating func set(_ space: DiskSpace) {
        guard space.hasRoom != hasRoom else { return }
        hasRoom = space.hasRoom
        isChanged = true
    }

    mutating func take(_ report: SpaceReport, nowMs: UInt64) {
        full[report.process.node] = report.hasRoom ? nil : nowMs + 3 * Self.repeatMs
    }

    func hasRoom(_ node: NodeID) -> Bool { full[node] == nil }

    /// Whether to tell the others: at each change, and again and again while there is no room.
    mutating func isTimeToTell(nowMs: UInt64) -> Bool {
        guard isChanged || (!hasRoom && nowMs >= tellAtMs) else { return false }
        isChanged = false
        tellAtMs = nowMs + Self.repeatMs
        return true
    }

    /// The nodes without room, if they are others than at the last call. Rising.
    mutating func news(nowMs: UInt64) -> [NodeID]? {
        full = full.filter { $0.value > nowMs }
        let now = full.keys.sorted()
        guard now != told else { return nil }
        told = now
        return now
    }
}

extension NodeCore {
    /// Called every tick.
    func exchangeSpace(nowMs: UInt64) {
        if let process, space.isTimeToTell(nowMs: nowMs) {
            let report = SpaceReport(process: process, hasRoom: space.hasRoom)
            for node in reachable where node != identity.nodeID { send(.space(report), to: node) }
        }
        if let full = space.news(nowMs: nowMs) { effects.fullNodes = full }
    }

    func receive(_ report: SpaceReport, from sender: NodeID, nowMs: UInt64) {
        guard report.process.node == sender else { return reject() }
        space.take(report, nowMs: nowMs)
    }
}
