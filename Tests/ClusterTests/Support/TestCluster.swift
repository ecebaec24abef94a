import Binary
import ObjectRuntime
import Placement
import Raft

@testable import Cluster

/// Three nodes in one thread: the test decides when a batch is durable, what is delivered, and the time.
final class TestCluster {
    struct Letter {
        var from: Int
        var to: Int
        var message: PeerMessage
    }

    private(set) var nodes: [TestNode] = []
    private(set) var now = Clocks(bootNs: 1_000_000_000, rawNs: 1_000_000_000, wallMs: 1_700_000_000_000)
    private var post: [Letter] = []
    private var nextToken: UInt64 = 1
    /// Letters for which this is true are lost.
    var loses: (Letter) -> Bool = { _ in false }
    /// Letters for which this is true are kept in `kept`.
    var keeps: (Letter) -> Bool = { _ in false }
    var kept: [Letter] = []
    /// Of all nodes.
    private(set) var settledBackups: [SettledBackup] = []

    init(
        shards: Int = 1, nodes count: Int = 3, leaseDurationMs: UInt64 = 2_000,
        adjust: (inout NodeSettings) -> Void = { _ in }
    ) {
        var settings = NodeSettings()
        adjust(&settings)
        for number in 0..<count {
            let membership =
                number == 0
                ? Membership.bootstrap(initialNodes: count, shards: shards, leaseDurationMs: leaseDurationMs)
                : .join(["peer1"])
            nodes.append(TestNode(number: number, membership: membership, settings: settings, now: now))
        }
        for node in nodes { link(node.number) }
    }

    /// A formed cluster of which every shard is served.
    static func serving(
        shards: Int = 1, nodes: Int = 3, leaseDurationMs: UInt64 = 2_000,
        adjust: (inout NodeSettings) -> Void = { _ in }
    ) -> TestCluster {
        let cluster = TestCluster(shards: shards, nodes: nodes, leaseDurationMs: leaseDurationMs, adjust: adjust)
        cluster.advance(upToMs: 5_000) {
            cluster.servingShards == shards && cluster.nodes.allSatisfy { $0.lease != nil }
        }
        return cluster
    }

    // MARK: - Time

    func advance(ms: Int) {
        advance(upToMs: ms) { false }
    }

    /// Ticks until `isDone`; true if it came to that.
    @discardableResult
    func advance(upToMs limit: Int, until isDone: () -> Bool) -> Bool {
        for _ in 0..<(limit / 10) {
            if isDone() { return true }
            now.bootNs += 10_000_000
            now.rawNs += 10_000_000
            now.steadyNs += 10_000_000
            now.wallMs += 10
            for node in nodes where node.isUp {
                if !node.isLoopHung { node.loop.step(.tick, now: now) }
                node.core.step(.tick, now: now)
                flush(node)
            }
            deliver()
        }
        return isDone()
    }

    // MARK: - Carrying out

    /// Delivers until nothing moves any more.
    func deliver() {
        while !post.isEmpty {
            let letters = post
            post = []
            for letter in letters { deliver(letter) }
        }
    }

    func deliver(_ letter: Letter) {
        let node = nodes[letter.to]
        guard node.isUp else { return }
        let sender = TestNode.identity(letter.from, nonce: 0).nodeID
        if case .node = letter.message.destination {
            node.core.step(.message(from: sender, letter.message), now: now)
        } else {
            node.loop.step(.message(from: sender, letter.message), now: now)
        }
        flush(node)
    }

    func releaseKept() {
        let letters = kept
        kept = []
        keeps = { _ in false }
        for letter in letters { deliver(letter) }
        deliver()
    }

    /// Flushes both cores and, unless the test holds the journal, makes everything durable.
    func flush(_ node: TestNode) {
        repeat {
            for _ in 0..<2 {
                carryOut(node.core.flush(now: now), at: node)
                if !node.isLoopHung { carryOut(node.loop.flush(now: now), at: node) }
            }
        } while !node.holdsJournal && node.sync(now: now)
    }

    private func carryOut(_ effects: NodeEffects, at node: TestNode) {
        node.write(effects.persist, isNode: true)
        for outgoing in effects.messages { send(outgoing.message, to: outgoing.to, from: node) }
        for (address, message) in effects.toAddresses {
            if let target = nodes.first(where: { $0.identity.peerAddress == address }), target !== node {
                send(message, to: target.nodeID, from: node)
            }
        }
        if let genesis = effects.formed { node.loop.step(.formed(genesis), now: now) }
        if let view = effects.view {
            node.view = view
            node.loop.step(.view(view), now: now)
        }
        if let lease = effects.lease {
            node.lease = lease
            node.loop.step(.lease(lease), now: now)
        }
        if let quota = effects.quota { node.loop.step(.quota(quota), now: now) }
        if let full = effects.fullNodes { node.loop.step(.fullNodes(full), now: now) }
        for message in effects.toLoops { node.loop.step(.message(from: node.nodeID, message), now: now) }
        if effects.drainLoops, !node.isLoopHung { node.loop.step(.drain, now: now) }
        for (token, result) in effects.proposals { node.proposals[token.rawValue] = result }
        node.buried += effects.buried
        if let reason = effects.exit, node.exit == nil {
            node.exit = reason
            node.crash()
        }
    }

    private func carryOut(_ effects: LoopEffects, at node: TestNode) {
        node.write(effects.persist, isNode: false)
        for outgoing in effects.messages { send(outgoing.message, to: outgoing.to, from: node) }
        for answered in effects.answers {
            precondition(node.answers[answered.token.rawValue] == nil, "a client is answered once")
            node.answers[answered.token.rawValue] = answered.answer
        }
        for output in effects.sockets { carryOut(output, at: node) }
        node.scrubbed += effects.scrubbed
        node.lost += effects.lost
        node.serve(effects.store, now: now)
        settledBackups += effects.backups
        for (_, message) in effects.toLoops { node.loop.step(.message(from: node.nodeID, message), now: now) }
        for request in effects.toNode { node.core.step(.loop(request), now: now) }
    }

    private func send(_ message: PeerMessage, to target: NodeID, from node: TestNode) {
        let letter = Letter(from: node.number, to: Int(target.rawValue) - 1, message: message)
        if loses(letter) || !node.isUp { return }
        if keeps(letter) { return kept.append(letter) }
        post.append(letter)
    }

    // MARK: - Clients

    /// Hands a request to a node; its answer comes out of `answer`.
    func submit(
        _ operation: Operation, at number: Int, objectID: String = "o", key: String? = nil,
        minimumIndex: UInt64? = nil
    ) -> UInt64 {
        let token = nextToken
        nextToken += 1
        let request = ClientRequest(
            project: "p", objectClass: "c", objectID: objectID, operation: operation,
            idempotency: key.map { IdempotencyKey(apiKey: "k", key: $0, requestHash: 7) },
            minimumIndex: minimumIndex)
        nodes[number].loop.step(.request(RequestToken(rawValue: token), request), now: now)
        flush(nodes[number])
        deliver()
        return token
    }

    func answer(_ token: UInt64) -> ClientAnswer? {
        nodes.lazy.compactMap { $0.answers[token] }.first
    }

    /// Submits and waits.
    func run(
        _ operation: Operation, at number: Int, objectID: String = "o", key: String? = nil
    ) -> ClientAnswer? {
        let token = submit(operation, at: number, objectID: objectID, key: key)
        advance(upToMs: 3_000) { answer(token) != nil }
        return answer(token)
    }

    func backup(_ shard: ShardID, token: UInt64, at number: Int) {
        nodes[number].loop.step(.backup(RequestToken(rawValue: token), shard), now: now)
        flush(nodes[number])
        deliver()
    }

    // MARK: - Faults

    func crash(_ number: Int) {
        nodes[number].crash()
        post.removeAll { $0.from == number || $0.to == number }
        for node in nodes where node.isUp {
            node.core.step(.linkDown(nodes[number].nodeID), now: now)
            node.loop.step(.linkDown(nodes[number].nodeID), now: now)
            flush(node)
        }
    }

    /// The parent of a dead process tells everybody (O7).
    func bury(_ number: Int) {
        let obituary = Obituary(node: nodes[number].nodeID, nonce: nodes[number].identity.nonce)
        for node in nodes where node.isUp {
            node.core.step(.obituary(obituary), now: now)
            flush(node)
        }
        deliver()
    }

    func restart(_ number: Int, nonce: UInt64, forgetting: (LogRecord) -> Bool = { _ in false }) throws {
        try nodes[number].restart(nonce: nonce, now: now, forgetting: forgetting)
        link(number)
    }

    private func link(_ number: Int) {
        for other in nodes where other.number != number && other.isUp {
            for (node, peer) in [(nodes[number], other), (other, nodes[number])] {
                node.core.step(.linkUp(peer.nodeID), now: now)
                node.loop.step(.linkUp(peer.nodeID), now: now)
            }
        }
    }

    /// Cuts a node off from all others; `loses` is taken.
    func isolate(_ number: Int) {
        loses = { $0.from == number || $0.to == number }
    }

    // MARK: - Looking

    static let shard = ShardID(rawValue: 0)

    func inspection(_ number: Int, _ shard: ShardID = TestCluster.shard) -> ShardInspection? {
        nodes[number].isUp ? nodes[number].loop.inspect(shard, now: now) : nil
    }

    /// The node that serves the shard.
    func owner(of shard: ShardID = TestCluster.shard) -> Int? {
        nodes.indices.first { inspection($0, shard)?.isServing == true }
    }

    var servingShards: Int {
        let shards = nodes[0].view?.state?.table.records.map(\.shard) ?? []
        return shards.filter { owner(of: $0) != nil }.count
    }

    /// The placement leader that everybody who is up and has one knows.
    var leader: Int? {
        nodes.first { $0.isUp && $0.core.placement?.role == .leader }?.number
    }

    /// Some node that is none of these.
    func other(than numbers: Int...) -> Int {
        nodes.indices.first { !numbers.contains($0) && nodes[$0].isUp } ?? 0
    }
}

extension ClientAnswer {
    var text: String {
        if case .json(let bytes) = reply { return String(decoding: bytes, as: UTF8.self) }
        return "\(reply)"
    }

    var refusal: Refusal? {
        if case .refused(let refusal) = reply { return refusal }
        return nil
    }
}

extension Operation {
    static func addOne(_ name: ItemName = "n") -> Operation { .increment(name, by: 1, WriteOptions()) }
    static func set(_ name: ItemName, _ value: String) -> Operation {
        .setItem(ItemWrite(name: name, value: Array(value.utf8)))
    }
    static func setIfAbsent(_ name: ItemName, _ value: String) -> Operation {
        .setItem(ItemWrite(name: name, value: Array(value.utf8), ifAbsent: true))
    }
}
