@testable import Raft

/// A group under random faults, all drawn from one seed: messages lost, doubled and reordered, links cut one
/// way, crashes that lose what was not synced, slow disks, compaction, changes of configuration.
struct FuzzCluster {
    enum Kind { case elected, appointed }

    let kind: Kind
    /// One node may lose its disk; then the configuration stays, so that a majority always has its own.
    let losesDisk: Bool
    /// Snapshots are files, written and read with delays.
    let usesFiles: Bool
    let changesMembers: Bool
    var membership = FuzzMembership()
    var random: Generator
    var nodes: [TestNode] = []
    var network: [Message] = []
    var rules = Invariants()
    var cuts: Set<[NodeID]> = []
    var isFaulty = true
    /// Appointed: what the placement table says, and who has heard it.
    var table: (epoch: Term, owner: NodeID, incarnation: UInt64) = (.zero, NodeID(0), 0)
    var proposals: UInt64 = 0
    /// Reads that wait, with the highest commit index that anybody knew when they were asked.
    var reads: [NodeID: [UInt64: LogIndex]] = [:]
    var deliveredCount = 0
    var answeredReads = 0
    /// Snapshots that were installed.
    var installedCount = 0

    init(
        kind: Kind, seed: UInt64, voters: Int, joining: Int, losesDisk: Bool = false, usesFiles: Bool = false,
        changesMembers: Bool = false
    ) {
        self.changesMembers = changesMembers
        self.kind = kind
        self.losesDisk = losesDisk
        self.usesFiles = usesFiles
        random = Generator(seed: seed)
        let configuration = Configuration(voters: (1...voters).map { NodeID(UInt64($0)) })
        var settings = Self.settings
        settings.limitsSnapshotRate = usesFiles
        for number in 1...voters + joining {
            let initial = number <= voters ? InitialState.newGroup(configuration) : .joining
            nodes.append(
                TestNode(id: NodeID(UInt64(number)), initial: initial, usesFiles: usesFiles) { id, state in
                    switch kind {
                    case .elected:
                        .elected(ElectedReplica(id: id, initial: state, settings: settings, seed: seed))
                    case .appointed: .appointed(AppointedReplica(id: id, initial: state, settings: settings))
                    }
                })
        }
        for position in nodes.indices { nodes[position].syncsAtOnce = false }
    }

    /// Small limits, so that every limit is met often.
    static var settings: ReplicaSettings {
        var settings = ReplicaSettings()
        settings.messageBytesMax = 300
        settings.messageEntriesMax = 8
        settings.probeBytesMax = 120
        settings.inFlightBytesMax = 900
        settings.inFlightMessagesMax = 4
        settings.snapshotChunkBytes = 64
        settings.snapshotWindowBytes = 200
        settings.fileRetryTicks = 6
        settings.fileSourceTimeoutTicks = 30
        return settings
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func anyNode() -> Int { Int.random(in: nodes.indices, using: &random) }

    func position(of id: NodeID) -> Int? { nodes.firstIndex { $0.id == id } }

    var leaders: [Int] { nodes.indices.filter { nodes[$0].isUp && nodes[$0].replica.serves } }

    // MARK: One step

    mutating func step() {
        if changesMembers, chance(8) { return administer() }
        if usesFiles, chance(30) { return workOnFiles(anyNode()) }
        switch Int.random(in: 0..<1000, using: &random) {
        case 0..<400: deliverOne()
        case 400..<570: tick(anyNode())
        case 570..<680: proposeSomewhere()
        case 680..<880: syncSomewhere()
        case 880..<890: crash(anyNode())
        case 890..<925: restart(anyNode())
        case 925..<935: cutOrHeal()
        case 935..<945: compactSomewhere()
        case 945..<955: changeConfiguration()
        case 955..<970: kindSpecificStep()
        case 970..<990: kind == .elected ? readSomewhere() : learnTable(anyNode())
        default: report()
        }
    }

    mutating func collect(_ position: Int) {
        guard nodes[position].isUp else { return }
        nodes[position].pump(&rules)
        network += nodes[position].takeOutbox()
        installedCount += nodes[position].takeEvents().filter { $0.hasPrefix("installs") }.count
        checkServing(position)
        checkReads(position)
        if network.count > 400 { network.removeFirst(network.count - 400) }
    }

    mutating func deliverOne() {
        guard !network.isEmpty else { return }
        let inOrder = !isFaulty || chance(70)
        let message = network.remove(at: inOrder ? 0 : Int.random(in: network.indices, using: &random))
        if isFaulty {
            if chance(6) || cuts.contains([message.from, message.to]) { return }
            if chance(4) { network.append(message) }
        }
        guard let receiver = position(of: message.to), nodes[receiver].isUp else { return }
        deliveredCount += 1
        nodes[receiver].replica.step(message)
        if !isFaulty || chance(70) { collect(receiver) }
    }

    private mutating func workOnFiles(_ position: Int) {
        guard nodes[position].isUp else { return }
        for _ in 0..<Int.random(in: 1...4, using: &random) where nodes[position].files.hasWork {
            nodes[position].work(isLost: isFaulty && chance(5))
        }
        collect(position)
    }

    mutating func tick(_ position: Int) {
        guard nodes[position].isUp else { return }
        if usesFiles { nodes[position].replica.addSnapshotBudget(bytes: 100) }
        nodes[position].replica.tick()
        collect(position)
    }

    mutating func proposeSomewhere() {
        guard let leader = leaders.randomElement(using: &random) else { return }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            proposals += 1
            let size = Int.random(in: 1...40, using: &random)
            _ = nodes[leader].replica.propose(
                [UInt8](repeating: UInt8(truncatingIfNeeded: proposals), count: size))
        }
        if chance(60) { collect(leader) }
    }

    mutating func syncSomewhere() {
        let position = anyNode()
        guard nodes[position].isUp else { return }
        for _ in 0..<Int.random(in: 1...3, using: &random) { _ = nodes[position].sync(&rules) }
        collect(position)
    }

    mutating func crash(_ position: Int) {
        guard nodes[position].isUp else { return }
        nodes[position].crash(keeping: Int.random(in: 0...2, using: &random))
        if losesDisk, position == nodes.count - 1, chance(50) { nodes[position].loseDisk() }
        rules.observeDurable(nodes[position].disk.hardState, of: nodes[position].id)
        reads[nodes[position].id] = nil
        let dead = nodes[position].id
        guard chance(50) else { return }
        for other in nodes.indices where other != position {
            nodes[other].replica.report(dead, reachable: false)
            if chance(50) { tellDeath(of: dead, to: other) }
        }
    }

    private mutating func tellDeath(of dead: NodeID, to position: Int) {
        let after = Int.random(in: 0...3, using: &random)
        nodes[position].replica.change(
            { $0.leaderDied(dead, term: $0.term, campaignAfterTicks: after) }, { _ in })
    }

    mutating func restart(_ position: Int) {
        guard !nodes[position].isUp else { return }
        nodes[position].restart()
        if usesFiles { nodes[position].resumeFiles(resumes: chance(70)) }
        for other in nodes.indices where other != position && nodes[other].isUp {
            nodes[other].replica.report(nodes[position].id, reachable: true)
        }
        collect(position)
    }

    private mutating func cutOrHeal() {
        if chance(40) { return cuts.removeAll() }
        cuts.insert([nodes[anyNode()].id, nodes[anyNode()].id])
    }

    private mutating func compactSomewhere() {
        let position = anyNode()
        guard nodes[position].isUp else { return }
        let keep = Int.random(in: 0...400, using: &random)
        nodes[position].compact(keepingBytes: keep, through: nodes[position].replica.applied)
    }

    mutating func changeConfiguration() {
        guard !losesDisk, let leader = leaders.randomElement(using: &random) else { return }
        let shuffled = nodes.map(\.id).shuffled(using: &random)
        let count = Int.random(in: 1...min(4, shuffled.count), using: &random)
        // Voters only from those that have acknowledged something; the rest come as learners first.
        let own = nodes[leader].id
        let usable = shuffled.filter { !membership.isLost($0) }
        let known = usable.filter { $0 == own || matchIndex(of: $0, at: leader) > .zero }
        let learners = chance(70) ? usable.suffix(2) : []
        let target = Configuration(voters: Array(known.prefix(count)), learners: Array(learners))
        _ = nodes[leader].replica.proposeConfiguration(target)
        collect(leader)
    }

    private func matchIndex(of node: NodeID, at leader: Int) -> LogIndex {
        nodes[leader].replica.read({ $0.matchIndex(of: node) }, { $0.matchIndex(of: node) })
    }

    mutating func report() {
        let position = anyNode()
        let peer = nodes[anyNode()].id
        guard nodes[position].isUp, peer != nodes[position].id else { return }
        nodes[position].replica.report(peer, reachable: chance(60))
        collect(position)
    }

    // MARK: Elected and appointed

    private mutating func kindSpecificStep() {
        switch kind {
        case .elected: transferSomewhere()
        case .appointed: chance(40) ? reassign() : learnTable(anyNode())
        }
    }

    private mutating func transferSomewhere() {
        guard let leader = leaders.randomElement(using: &random) else { return }
        let target = nodes[anyNode()].id
        nodes[leader].replica.change({ _ = $0.transferLeadership(to: target) }, { _ in })
        collect(leader)
    }

    mutating func reassign() {
        let owner = anyNode()
        guard nodes[owner].isUp else { return }
        table = (table.epoch.next, nodes[owner].id, nodes[owner].incarnation)
        learnTable(owner)
    }

    mutating func learnTable(_ position: Int) {
        guard nodes[position].isUp else { return }
        let (epoch, owner, incarnation) = table
        let id = nodes[position].id
        // Now and then the table is told wrongly: two owners of one epoch. The seals must keep them apart.
        let isOwner = id == owner && nodes[position].incarnation == incarnation || (isFaulty && chance(15))
        let own = nodes[position].incarnation
        let replicas = nodes.map(\.id)
        nodes[position].replica.change(
            { _ in },
            {
                if isOwner { $0.appoint(term: epoch, incarnation: own, asking: replicas) }
                $0.observe(term: epoch)
            })
        collect(position)
    }

    // MARK: Serving and reads

    /// O2: whoever serves has committed an entry of its own term.
    private mutating func checkServing(_ position: Int) {
        let replica = nodes[position].replica
        guard replica.serves, replica.term(at: replica.commit) != replica.hardState.term else { return }
        rules.violated("node \(nodes[position].id) serves before its barrier is committed")
    }

    private mutating func readSomewhere() {
        guard let leader = leaders.randomElement(using: &random) else { return }
        let known = LogIndex(UInt64(rules.committed.count))
        let id = nodes[leader].replica.change({ $0.requestReadIndex() }, { _ in nil })
        if let id { reads[nodes[leader].id, default: [:]][id] = known }
        collect(leader)
    }

    private mutating func checkReads(_ position: Int) {
        let id = nodes[position].id
        let (answered, abandoned) = nodes[position].takeReads()
        for state in answered {
            guard let known = reads[id]?.removeValue(forKey: state.id) else { continue }
            answeredReads += 1
            if state.index < known { rules.violated("stale read: \(state.index) after \(known)") }
        }
        for request in abandoned { reads[id]?[request] = nil }
    }
}

// MARK: - Liveness

extension FuzzCluster {
    /// All faults end. Then the group must come to rest with one leader and equal logs.
    mutating func heal() {
        isFaulty = false
        cuts = []
        for position in nodes.indices {
            nodes[position].syncsAtOnce = true
            if !nodes[position].isUp { restart(position) }
        }
        // Whoever was told wrongly that it is the owner gives up after a time (O2); here at once.
        for position in nodes.indices where nodes[position].id != table.owner {
            nodes[position].replica.change({ _ in }, { $0.resign() })
        }
        for one in nodes.indices {
            for other in nodes.indices where other != one {
                nodes[one].replica.report(nodes[other].id, reachable: true)
            }
            collect(one)
        }
    }

    mutating func round() {
        for position in nodes.indices { tick(position) }
        var budget = 20_000
        while budget > 0 {
            for position in nodes.indices where nodes[position].files.hasWork { workOnFiles(position) }
            guard !network.isEmpty || nodes.contains(where: \.files.hasWork) else { break }
            deliverOne()
            budget -= 1
        }
        if budget == 0 { rules.violated("messages never end") }
    }

    /// Nil when the group has converged on a new entry; else what is wrong.
    mutating func converge(rounds: Int) -> String? {
        var marker: (index: LogIndex, term: Term)?
        for number in 0..<rounds {
            if kind == .appointed, number % 40 == 0, leaders.isEmpty || hasSecondCandidate {
                reassignToWorkable()
            }
            round()
            guard let leader = leaders.last else { continue }
            let replica = nodes[leader].replica
            if marker == nil || replica.term(at: marker!.index) != marker!.term {
                guard let index = nodes[leader].replica.propose([0xFF]) else { continue }
                marker = (index, replica.hardState.term)
                collect(leader)
            }
            if let marker, hasConverged(on: marker.index, leader: leader) { return nil }
        }
        return "no convergence: "
            + nodes.map {
                "\($0.id) \($0.replica.standing) t\($0.replica.hardState.term) "
                    + "last \($0.replica.lastIndex) commit \($0.replica.commit) \($0.replica.configuration)"
            }
            .joined(separator: "; ")
    }

    /// Somebody is sealed for another owner of the table's epoch, because it was told wrongly.
    private var hasSecondCandidate: Bool {
        nodes.contains {
            $0.replica.hardState.term == table.epoch && $0.replica.hardState.vote?.node ?? table.owner != table.owner
        }
    }

    private func hasConverged(on index: LogIndex, leader: Int) -> Bool {
        let replica = nodes[leader].replica
        guard !replica.configuration.isJoint, replica.commit >= index else { return false }
        let damaged = nodes.filter(\.disk.isDamaged).map(\.id)
        return replica.configuration.members.allSatisfy { member in
            damaged.contains(member)
                || nodes.contains { $0.id == member && $0.machine.index >= replica.commit }
        }
    }

    private mutating func reassignToWorkable() {
        let owner = anyNode()
        guard !nodes[owner].disk.isDamaged else { return }
        table = (table.epoch.next, nodes[owner].id, nodes[owner].incarnation)
        for position in nodes.indices { learnTable(position) }
    }
}
