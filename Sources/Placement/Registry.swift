import Binary
import Raft

/// Which node processes exist, and which of them are over.
///
/// Incarnations come from one rising counter and are never used again. A process is live from its
/// registration until its fence; there is no way back (O6). A node may have several live processes: a
/// restarted one registers at once, while the run before it waits for its obituary or for the end of
/// its lease.
public struct Registry: Sendable, Equatable {
    /// Sorted by node id.
    public private(set) var nodes: [NodeRecord] = []
    public private(set) var lastIncarnation = Incarnation.zero
    /// Obituaries of runs whose node has never registered, oldest first; bounded for all together.
    /// A forgotten one is harmless: a dead process that is registered late renews no lease and is
    /// fenced like any other.
    private(set) var strangers: [Stranger] = []
    /// Nodes that were removed, in the order of their removal, bounded; they do not come back.
    public private(set) var removed: [NodeID] = []
    /// Names whose last holder was removed, oldest first, bounded.
    public private(set) var removals: [Removal] = []

    /// Certificates of that name that were made before do not count any more.
    public struct Removal: Sendable, Equatable {
        public let name: String
        public let atMs: UInt64
    }

    struct Stranger: Sendable, Equatable {
        let node: NodeID
        let nonce: UInt64
    }

    enum BurialPlace: Equatable {
        case run(Run)
        case grave
        case unknown
    }

    public func record(of node: NodeID) -> NodeRecord? {
        position(of: node).map { nodes[$0] }
    }

    /// The node that last registered under `name`: a replaced disk is a new node with the old name.
    public func record(named name: String) -> NodeRecord? {
        nodes.filter { $0.name == name }.max { $0.incarnation < $1.incarnation }
    }

    /// Registered and not fenced, whether or not it is the newest run of its node.
    public func isLive(_ process: NodeProcess) -> Bool {
        guard let position = position(of: process.node) else { return false }
        let record = nodes[position]
        if record.newest.incarnation == process.incarnation { return !record.isFenced }
        return record.older.contains { $0.incarnation == process.incarnation }
    }

    /// Registered once and over. A process that has not been registered yet is not fenced.
    public func isFenced(_ process: NodeProcess) -> Bool {
        process.incarnation != .zero && process.incarnation <= lastIncarnation && !isLive(process)
    }

    /// The newest run of the node, if it may be given shards.
    public func newestLive(of node: NodeID) -> NodeProcess? {
        position(of: node).flatMap { nodes[$0].newestLive }
    }

    /// The run that a nonce names, or what is left of it.
    func burialPlace(node: NodeID, nonce: UInt64) -> BurialPlace {
        guard let record = record(of: node) else {
            return strangers.contains(Stranger(node: node, nonce: nonce)) ? .grave : .unknown
        }
        if let run = record.live.first(where: { $0.nonce == nonce }) { return .run(run) }
        if record.newest.nonce == nonce || record.graves.contains(nonce) { return .grave }
        return .unknown
    }

    /// Whether one more run of the node may be registered.
    func hasRoom(for node: NodeID) -> Bool {
        guard let record = record(of: node) else { return nodes.count < PlacementLimits.nodes }
        return record.older.count < PlacementLimits.unfencedRuns
    }

    /// Gives the next incarnation. The nonce must be unknown, with room for another run.
    mutating func begin(_ registration: Registration) -> NodeProcess {
        let incarnation = Incarnation(rawValue: lastIncarnation.rawValue + 1)
        lastIncarnation = incarnation
        let place = insertionPoint(of: registration.node)
        if place < nodes.count, nodes[place].node == registration.node {
            nodes[place].begin(registration, incarnation: incarnation)
        } else {
            let own = strangers.filter { $0.node == registration.node }.map(\.nonce)
            strangers.removeAll { $0.node == registration.node }
            let graves = Array(own.suffix(PlacementLimits.gravesPerNode))
            nodes.insert(NodeRecord(registration, incarnation: incarnation, graves: graves), at: place)
        }
        return NodeProcess(node: registration.node, incarnation: incarnation)
    }

    /// Ends a live process for good; false if it is not live.
    mutating func fence(_ process: NodeProcess) -> Bool {
        guard let position = position(of: process.node),
            let run = nodes[position].live.first(where: { $0.incarnation == process.incarnation })
        else { return false }
        nodes[position].fence(run)
        return true
    }

    /// Remembers a run that ended before it was registered.
    mutating func remember(node: NodeID, nonce: UInt64) {
        if let position = position(of: node) {
            nodes[position].dig(graveOf: nonce)
            return
        }
        if strangers.count >= PlacementLimits.strangers { strangers.removeFirst() }
        strangers.append(Stranger(node: node, nonce: nonce))
    }

    mutating func setStanding(_ standing: NodeStanding, of node: NodeID) -> Bool {
        guard let position = position(of: node) else { return false }
        nodes[position].standing = standing
        return true
    }

    /// Forgets a node, its runs with it: they count as over.
    mutating func remove(_ node: NodeID, atMs: UInt64) {
        guard let position = position(of: node) else { return }
        let name = ExactText(nodes.remove(at: position).name)
        // A node that was replaced has left its name, and its certificate, to the other.
        if atMs > 0, !nodes.contains(where: { ExactText($0.name) == name }) { note(Removal(name: name.text, atMs: atMs)) }
        if removed.count >= PlacementLimits.removedNodes { removed.removeFirst() }
        removed.append(node)
    }

    private mutating func note(_ removal: Removal) {
        removals.removeAll { ExactText($0.name) == ExactText(removal.name) }
        if removals.count >= PlacementLimits.removedNodes { removals.removeFirst() }
        removals.append(removal)
    }

    /// When the name's last holder was removed, if it was.
    public func removal(ofName name: String) -> UInt64? {
        removals.last { ExactText($0.name) == ExactText(name) }?.atMs
    }

    /// Why a node may not go by a name, if it may not: one name is one node.
    func objection(to registration: Registration) -> CommandRefusal? {
        if removed.contains(registration.node) { return .nodeRemoved }
        let others = otherHolders(of: registration)
        let isReplaced = record(of: registration.node)?.isReplaced == true
        if isReplaced, others.contains(where: { !$0.isReplaced }) { return .nodeReplaced }
        return others.contains { !$0.live.isEmpty } ? .nameInUse : nil
    }

    private func otherHolders(of registration: Registration) -> [NodeRecord] {
        let name = ExactText(registration.name)
        return nodes.filter { $0.node != registration.node && ExactText($0.name) == name }
    }

    /// The name is this node's from now on; whoever had it is not coming back.
    mutating func claimName(_ registration: Registration) {
        for holder in otherHolders(of: registration) {
            if let position = position(of: holder.node) { nodes[position].isReplaced = true }
        }
        if let position = position(of: registration.node) { nodes[position].isReplaced = false }
    }

    private func position(of node: NodeID) -> Int? {
        let place = insertionPoint(of: node)
        return place < nodes.count && nodes[place].node == node ? place : nil
    }

    private func insertionPoint(of node: NodeID) -> Int {
        var low = 0
        var high = nodes.count
        while low < high {
            let middle = low + (high - low) / 2
            if nodes[middle].node < node { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension Registry: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(lastIncarnation.rawValue)
        writer.writeAll(nodes)
        writer.writeArray(strangers) {
            $0.write($1.node.rawValue)
            $0.write($1.nonce)
        }
        writer.writeArray(removed) { $0.write($1.rawValue) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        lastIncarnation = Incarnation(rawValue: try reader.readVariable())
        nodes = try reader.readAll(limit: PlacementLimits.nodes)
        try readStrangers(from: &reader)
        removed = try reader.readNodes(limit: PlacementLimits.removedNodes)
        guard removed.allSatisfy({ position(of: $0) == nil }), Set(removed).count == removed.count else {
            throw DecodingFailure("the registry holds a node that was removed")
        }
    }

    func encodeRemovals(into writer: inout ByteWriter) {
        writer.writeArray(removals) {
            $0.writeString($1.name)
            $0.write($1.atMs)
        }
    }

    mutating func readRemovals(from reader: inout ByteReader) throws(DecodingFailure) {
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.removedNodes)) {
            let name = try reader.readString(limit: PlacementLimits.nameBytes)
            let atMs = try reader.readUInt64()
            guard atMs > 0, removal(ofName: name) == nil else {
                throw DecodingFailure("the registry remembers a removal twice, or at no time")
            }
            removals.append(Removal(name: name, atMs: atMs))
        }
    }

    /// As 0.2.0 wrote it, when nodes were not removed.
    init(fromFirstFormat reader: inout ByteReader) throws(DecodingFailure) {
        lastIncarnation = Incarnation(rawValue: try reader.readVariable())
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.nodes)) {
            nodes.append(try NodeRecord(fromFirstFormat: &reader))
        }
        try readStrangers(from: &reader)
    }

    private mutating func readStrangers(from reader: inout ByteReader) throws(DecodingFailure) {
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.strangers)) {
            let node = NodeID(rawValue: try reader.readUInt64())
            strangers.append(Stranger(node: node, nonce: try reader.readUInt64()))
        }
        guard isStrictlyRising(nodes, by: { $0.node < $1.node }) else {
            throw DecodingFailure("the nodes of the registry are out of order")
        }
        let incarnations = nodes.flatMap { $0.older + [$0.newest] }.map(\.incarnation)
        guard Set(incarnations).count == incarnations.count,
            incarnations.allSatisfy({ $0 > .zero && $0 <= lastIncarnation }),
            lastIncarnation.rawValue < UInt64.max / 2
        else { throw DecodingFailure("the registry holds an incarnation that was never given") }
    }
}
