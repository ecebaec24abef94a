import Placement
import Raft

extension Dice {
    /// A command that has a fair chance to have an effect on `state`, and a fair chance to be refused.
    mutating func command(for state: PlacementState) -> Command {
        switch below(20) {
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
        default:
            return tenancy(state)
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
        switch below(4) {
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
