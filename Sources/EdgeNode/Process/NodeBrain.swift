import Cluster
import Logging
import NIOCore
import Placement
import Raft
import Storage
import StoreBinding
import Synchronization

/// Feeds the `NodeCore` and carries out what it wants. Lives on the first loop and is touched there
/// only, which is what makes the unchecked `Sendable` true.
final class NodeBrain: @unchecked Sendable {
    private let core: NodeCore
    private let node: NodeShared
    private let directory: DataDirectory
    private var isTurnScheduled = false
    /// A link may end while it is written to, and says so.
    private var isInTurn = false
    private var proposals: [UInt64: (Result<CommandResult, ProposalFailure>) -> Void] = [:]
    private var reports: [UInt64: ([NodeReport]) -> Void] = [:]
    private var nextToken: UInt64 = 1
    private var peerAddresses: [NodeID: String] = [:]

    init(core: NodeCore, node: NodeShared, directory: DataDirectory) {
        self.core = core
        self.node = node
        self.directory = directory
    }

    private var home: NodeLoop { node.loops[0] }

    /// Each input has a reading of the clock of its own: by the loop's, which serves a whole turn, a lease would be counted
    /// from before it was asked for (O5).
    ///
    /// What other nodes say decides on leases and elections. It is answered at once: at the end of the turn it would wait
    /// behind all that clients have sent, at each of the five steps of a renewal.
    func input(_ input: NodeInput) {
        home.eventLoop.preconditionInEventLoop()
        core.step(input, now: SystemClocks.now())
        if case .message = input, !isInTurn { return turn() }
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        home.eventLoop.execute {
            self.isTurnScheduled = false
            self.turn()
        }
    }

    func propose(_ command: Command, answer: @escaping (Result<CommandResult, ProposalFailure>) -> Void) {
        let token = takeToken()
        proposals[token] = answer
        input(.propose(RequestToken(rawValue: token), command))
    }

    func report(wholeCluster: Bool, answer: @escaping ([NodeReport]) -> Void) {
        let token = takeToken()
        reports[token] = answer
        input(.report(RequestToken(rawValue: token), wholeCluster: wholeCluster))
    }

    /// What was only for the invitation is no longer needed: a node of the cluster has a link of its own.
    func endInvitation(_ address: String) {
        home.joinLinks.removeValue(forKey: address)?.close()
    }

    private func takeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    // MARK: - Effects

    private func turn() {
        isInTurn = true
        defer { isInTurn = false }
        let effects = core.flush(now: SystemClocks.now())
        if let batch = effects.persist { persist(batch) }
        if let genesis = effects.formed { form(genesis) }
        if let book = effects.addressBook { learn(book) }
        for (address, message) in effects.toAddresses { home.send(message, toAddress: address) }
        home.send(effects.messages)
        tellLoops(effects)
        for (token, result) in effects.proposals { proposals.removeValue(forKey: token.rawValue)?(result) }
        for (token, found) in effects.reports { reports.removeValue(forKey: token.rawValue)?(found) }
        for id in effects.collect { collect(id) }
        for obituary in effects.buried {
            for loop in node.loops { loop.eventLoop.execute { loop.buried(obituary) } }
        }
        if let reason = effects.exit { node.exit(reason) }
    }

    private func persist(_ batch: PersistBatch) {
        node.journal.append(batch.records.map(JournalRecord.init)) { result in
            self.home.eventLoop.execute {
                switch result {
                case .success: self.input(.persisted(batch.id))
                case .failure(let error): self.node.failStop(error)
                }
            }
        }
    }

    /// The directory belongs to the cluster from now on: before anything is voted or acknowledged.
    private func form(_ genesis: Genesis) {
        do {
            try directory.join(cluster: genesis.clusterID)
            PeerFile.removeRejoin(from: directory.path)
        } catch {
            node.failStop(error)
        }
        for loop in node.loops { loop.eventLoop.execute { loop.input(.formed(genesis)) } }
    }

    private func tellLoops(_ effects: NodeEffects) {
        if let view = effects.view {
            for loop in node.loops { loop.eventLoop.execute { loop.adopt(view) } }
        }
        if let lease = effects.lease {
            for loop in node.loops { loop.eventLoop.execute { loop.input(.lease(lease)) } }
        }
        if let quota = effects.quota {
            for loop in node.loops { loop.eventLoop.execute { loop.input(.quota(quota)) } }
        }
        if let full = effects.fullNodes {
            for loop in node.loops { loop.eventLoop.execute { loop.input(.fullNodes(full)) } }
        }
        for message in effects.toLoops {
            guard case .shard(let shard) = message.destination else { continue }
            let loop = node.loops[homeLoop(of: shard, loops: node.loops.count)]
            let sender = node.identity.nodeID
            loop.eventLoop.execute { loop.input(.message(from: sender, message)) }
        }
        if effects.drainLoops {
            for loop in node.loops { loop.eventLoop.execute { loop.drain() } }
        }
    }

    private func learn(_ book: [(node: NodeID, address: String)]) {
        for entry in book { peerAddresses[entry.node] = entry.address }
        for loop in node.loops { loop.eventLoop.execute { loop.learn(book) } }
        let others = peerAddresses.keys.sorted().compactMap { peerAddresses[$0] }
        PeerFile(
            clusterID: directory.identity.cluster, node: node.identity.nodeID.rawValue,
            addresses: [node.identity.peerAddress] + others
        ).write(to: directory.path)
    }

    /// Gathers the reports of all loops on this one.
    private func collect(_ id: UInt64) {
        let gathered = NIOLoopBoundBox(Gathered(), eventLoop: home.eventLoop)
        for loop in node.loops {
            loop.eventLoop.execute {
                let (shards, counters) = loop.report()
                self.home.eventLoop.execute {
                    gathered.value.loops += 1
                    gathered.value.shards += shards
                    gathered.value.counters.add(counters)
                    guard gathered.value.loops == self.node.loops.count else { return }
                    let shards = gathered.value.shards.sorted { $0.shard < $1.shard }
                    var counters = gathered.value.counters
                    counters.rejectedLinks = self.node.rejections.byCause
                    self.input(.collected(id, shards: shards, counters: counters))
                }
            }
        }
    }

    private struct Gathered {
        var loops = 0
        var shards: [ShardReport] = []
        var counters = NodeCounters()
    }
}
