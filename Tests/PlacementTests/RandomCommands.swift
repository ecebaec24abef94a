import Placement
import Raft

extension Dice {
    /// A command that has a fair chance to have an effect on `state`, and a fair chance to be refused.
    mutating func command(for state: PlacementState) -> Command {
        switch below(30) {
        case 0...3:
            return .register(registration(1 + below(6), nonce: below(60)))
        case 4, 5:
            let causes = FenceCause.allCases
            return .fence(someProcess(state), candidates: candidates(state), cause: pick(causes))
        case 6, 7:
            return .bury(node: node(1 + below(7)), nonce: UInt64(below(60)), candidates: candidates(state))
        case 8, 9:
            return .appoint(candidates: candidates(state))
        case 10...12:
            let record = pick(state.table.records)
            return .assign(
                record.shard, expected: epoch(near: record), proposer: proposer(record, state),
                target: someProcess(state))
        case 13...15:
            let record = pick(state.table.records)
            return .yield(
                record.shard, expected: epoch(near: record), proposer: proposer(record, state),
                reached: (0..<below(3)).map { _ in node(1 + below(6)) })
        case 16:
            return setting(state)
        case 17...20:
            return replicas(state)
        case 21...25:
            return division(state)
        case 26:
            let node = node(1 + below(7))
            return chance(60) ? .setStanding(node, pick(NodeStanding.allCases)) : .removeNode(node, atMs: chance(50) ? 0 : 1_000)
        case 27:
            return access(state)
        case 28 where chance(50):
            return .audited(note(), chance(20) ? nil : chance(50) ? tenancy(state) : access(state))
        default:
            return tenancy(state)
        }
    }

    /// Up to `count` of the nodes that random states have.
    mutating func nodes(_ count: Int) -> [NodeID] { (0..<below(count + 1)).map { _ in node(1 + below(7)) } }

    private mutating func replicas(_ state: PlacementState) -> Command {
        let record = pick(state.table.records)
        if chance(30) {
            let member = pick(record.members)
            return .reportLost(
                record.shard, since: chance(80) ? member.since : record.configuredAt,
                proposer: state.registry.newestLive(of: member.node) ?? someProcess(state))
        }
        let index = record.configuredAt.index.rawValue &+ UInt64(below(4))
        let configuration =
            chance(5)
            ? Configuration(voters: [])
            : Configuration(
                voters: [node(1 + below(6))] + nodes(4), outgoing: chance(30) ? nodes(3) : [],
                learners: chance(40) ? nodes(2) : [])
        return .recordReplicas(
            record.shard, expected: epoch(near: record), proposer: proposer(record, state),
            index: LogIndex(index),
            configuration: configuration)
    }

    private mutating func division(_ state: PlacementState) -> Command {
        let position = below(state.table.records.count)
        let record = state.table.records[position]
        let next = state.table.records[min(position + 1, state.table.records.count - 1)]
        let owner = proposer(record, state)
        let index = LogIndex(UInt64(below(100)))
        switch (record.plan, below(10)) {
        case (.split(let cut, let child), 0...6):
            return .split(
                record.shard, expected: epoch(near: record), proposer: owner, cut: cut, child: child,
                index: index)
        case (.merge(let other, let into), 0...6):
            let isLeft = next.shard == other
            return .merge(
                MergeProposal(
                    left: isLeft ? record.shard : other, expectedLeft: epoch(near: record), leftIndex: index,
                    right: isLeft ? other : record.shard, expectedRight: epoch(near: isLeft ? next : record),
                    rightIndex: index + 1, proposer: owner, into: into))
        case (.some(let plan), _):
            return .cancelPlan(record.shard, expected: record.epoch, proposer: owner, plan: plan)
        case (nil, 0...4):
            let width = state.table.range(of: record.shard).map { $0.upperBound - $0.lowerBound } ?? 0
            let cut = record.start &+ (width == 0 ? 0 : draw() % width) &+ UInt64(below(2))
            return .planSplit(record.shard, expected: epoch(near: record), cut: cut)
        case (nil, _):
            return .planMerge(
                left: record.shard, expectedLeft: epoch(near: record), right: next.shard,
                expectedRight: epoch(near: next))
        }
    }

    private mutating func someProcess(_ state: PlacementState) -> NodeProcess {
        let live = state.nodes.flatMap { record in
            record.live.map { NodeProcess(node: record.node, incarnation: $0.incarnation) }
        }
        return live.isEmpty || chance(15) ? process(1 + below(7), below(20)) : pick(live)
    }

    private mutating func candidates(_ state: PlacementState) -> [NodeProcess] {
        (0..<below(6)).map { _ in someProcess(state) }
    }

    private mutating func epoch(near record: ShardRecord) -> Epoch {
        chance(85) ? record.epoch : Epoch(record.epoch.rawValue &+ UInt64(below(3)) &- 1)
    }

    private mutating func proposer(_ record: ShardRecord, _ state: PlacementState) -> NodeProcess {
        guard let owner = record.owner, chance(85) else { return someProcess(state) }
        return owner
    }

    private mutating func setting(_ state: PlacementState) -> Command {
        switch below(6) {
        case 4: .setReplacement(afterMs: UInt64(below(4_000)))
        case 5: .setReplicasPerShard(below(9))
        case 0: .setLeaseDuration(milliseconds: UInt64(below(70_000)))
        case 1: .settleLeaseDuration(revision: state.settings.lease.revision &- UInt64(below(2)))
        case 2: .setClockDrift(perMille: UInt64(below(120)))
        default: .setReadMode(pick(ReadMode.allCases))
        }
    }

    private mutating func tenancy(_ state: PlacementState) -> Command {
        let project = pick(["demo", "shop", "a.b", "", "p-\(below(20))"])
        let keyID = "k\(below(12))"
        switch below(8) {
        case 0: return .createProject(id: project, createdAtMs: UInt64(below(1_000)))
        case 1: return .createKey(apiKey(keyID, project: project, hash: UInt8(below(3))))
        case 2: return .revokeKey(project: project, keyID: keyID)
        case 3:
            return .setClass(
                project: project, name: pick(["_undefined_", "ä", "chat", ""]), settings: classSettings())
        case 4:
            let id = state.tenants.newestSigningKey.id &- 1 &+ UInt64(below(3))
            return .addSigningKey(
                SigningKey(id: id, secret: bytes(8 + below(32)), createdAtMs: UInt64(below(9))))
        case 5: return .setQuota(project: project, quota())
        case 6: return .setObjectLimits(objectLimits())
        default: return .setAdmin(Credential(salt: bytes(below(20)), secretHash: bytes(below(40))))
        }
    }

    private mutating func note() -> AuditNote {
        var note = AuditNote(
            callID: UInt64(below(40)), atMs: UInt64(below(9_000_000)), actor: pick(["root", "ä", "ann"]),
            role: pick(AdminRole.allCases), address: "::1")
        note.action = String(repeating: "a", count: below(200))
        note.target = String(repeating: "é", count: below(600))
        return note
    }

    private mutating func access(_ state: PlacementState) -> Command {
        let project = pick(["demo", "shop"])
        let keyID = "k\(below(12))"
        switch below(6) {
        case 0:
            return .createAdministrator(
                Administrator(
                    name: pick(["ann", "bob", "", "eve"]), role: pick(AdminRole.allCases),
                    credential: Credential(salt: bytes(16), secretHash: bytes(32)), createdAtMs: UInt64(below(9))))
        case 1: return .revokeAdministrator(name: pick(["ann", "bob", "nobody"]))
        case 2:
            var key = apiKey(keyID, project: project, hash: UInt8(below(3)))
            key.rights = Rights(
                scopes: Scopes(rawValue: UInt8(below(40))), classPrefix: pick(["", "chat"]), idPrefix: pick(["", "é"]))
            return .createKey(key)
        case 3:
            let known = state.tenants.key(project: project, keyID: keyID)?.version ?? 1
            return .rotateKey(
                KeyRotation(
                    project: project, keyID: keyID, expectedVersion: known &- (chance(20) ? 1 : 0),
                    credential: Credential(salt: bytes(16), secretHash: bytes(32)),
                    formerUntilMs: chance(50) ? UInt64(below(99)) : nil))
        case 4:
            return .setOrigins(project: project, (0..<below(4)).map { chance(90) ? "https://a\($0).example" : "" })
        default: return .setAuditRetention(entries: below(25_000), ageMs: chance(50) ? 3_600_000 : UInt64(below(9)))
        }
    }

    private mutating func figure() -> UInt64? {
        if chance(50) { return nil }
        return chance(10) ? draw() : UInt64(below(70_000))
    }

    private mutating func quota() -> Quota {
        Quota(objects: figure(), bytes: figure(), sockets: figure(), operationsPerSecond: figure())
    }

    private mutating func objectLimits() -> ObjectLimits {
        ObjectLimits(
            valueBytes: figure(), itemsPerObject: figure(), objectBytes: figure(), socketsPerObject: figure())
    }

    private mutating func classSettings() -> ClassSettings {
        let keys = (0..<below(3)).map {
            SignatureKey(
                version: UInt64($0), algorithm: pick(SignatureAlgorithm.allCases), key: bytes(below(9)))
        }
        let identities: [UserIdentity] = [
            .off, .signature(secret: bytes(4)), .token(pick(SignatureAlgorithm.allCases), key: bytes(5)),
        ]
        return ClassSettings(
            defaultTTLMs: chance(50) ? UInt64(below(1_000)) : nil, requiresIDSignature: chance(30),
            signatureKeys: keys, userIdentity: pick(identities))
    }
}
