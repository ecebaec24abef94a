import CHoldfast
import Cluster
import Placement

/// What a node looks after on its first loop, most of it once a second: the length of the journal, and memory that
/// is free or mapped but not given back.
struct Housekeeping {
    private var ticks = 0
    private var wasPressed = false
    private var archiveFault: String?
    var certificates = CertificateWatch()
    /// The journal is to be shorter than this: shards that hold it back are written to the store first.
    private static let journalBytes = 256 << 20

    mutating func tick(_ node: NodeShared) {
        ticks += 1
        guard ticks % 100 == 0 else { return }
        node.store.tick()
        node.space.lookAgain()
        pressJournal(node)
        complainOfArchive(node)
        if ticks % 500 == 0 { certificates.look(node, nowMs: Int64(SystemClocks.wallMs())) }
        if ticks % 1_000 == 0 { holdfast_return_memory() }
    }

    /// Once for each thing that is wrong.
    private mutating func complainOfArchive(_ node: NodeShared) {
        let fault = node.journal.statistics.archiveError
        if let fault, fault != archiveFault {
            node.logger.error("the journal's archive is not complete", metadata: ["because": "\(fault)"])
        }
        archiveFault = fault
    }

    private mutating func pressJournal(_ node: NodeShared) {
        var groups = node.journal.pressure(aboveBytes: Self.journalBytes).map(GroupID.init)
        // Whoever has a former data key, or has just begun to encrypt, wants to be rid of what was before.
        if node.store.isEncrypted, node.journal.statistics.formerSegments > 0 {
            groups += node.journal.retireFormerSegments().map(GroupID.init)
        }
        if !groups.isEmpty {
            node.logger.debug("the journal is held back", metadata: ["groups": "\(groups)"])
        }
        if groups.contains(.placement) { node.tellBrain(.journalPressure) }
        let shards = groups.compactMap(\.shard)
        guard !shards.isEmpty || wasPressed else { return }
        wasPressed = !shards.isEmpty
        for loop in node.loops { loop.eventLoop.execute { loop.input(.journalPressure(shards)) } }
    }
}
