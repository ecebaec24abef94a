// # Placement
//
// Which process owns which part of the key space, which processes exist, and who may use the cluster.
// The placement group keeps one `PlacementState` per node: commands come out of its Raft log, each is
// applied to the state, and every node that has applied the same log has the same state, byte for
// byte. This module is that state machine and the policies that make wishes. It does not replicate,
// measure time, grant leases or talk to anybody: the node's core does, and feeds it.
//
// ## What it promises
//
// O1  One writer per epoch. A shard's epoch is raised by every change of owner and in one place
//     (`ShardRecord.giveTo`), so no two processes ever get the same (shard, epoch). A live owner loses
//     a shard by its own command only: `assign` and `yield` are refused unless the proposer is the
//     recorded owner, of this incarnation, at the expected epoch. Nothing is ever given to a process
//     that is fenced, unknown, or no longer the newest run of its node.
// O6  A fence takes all shards of a process at once and names an heir for each: among the candidates
//     that the leader listed, a replica that may own, with the fewest shards in the table. Without one
//     the shard gets the next epoch and no owner, so that the old one is shut out at any rate.
// O7  A process is named by its parent's nonce before it has an incarnation. Registering is idempotent
//     by nonce; an obituary that comes first bars the nonce. A restart says nothing about the run
//     before it: that one stays live, shards and all, until it is fenced.
// O5  The lease duration changes by command; the longest that may still be in force is kept until a
//     second command, naming the revision that it saw, settles it.
// O9  The log of a shard decides who keeps it; the table follows the owner's reports and keeps the newest
//     by (epoch, index). A node tells of its own lost replica, naming the membership that it had; it
//     counts until a report leaves the node out, and a node that is listed again has a later `since`.
// O13 A split or merge is planned first, which reserves the new shard's id, and carried out by the owner's
//     own command: the child of a split begins one epoch above its parent, a merged shard one above both.
//     Ids (home and serial) are never used twice. A merge is called off by any change of owner.
// I5  After every command the table covers the key space exactly once and names no fenced owner. This
//     is asserted, in release builds too.
//
// A name belongs to one node. Another node takes it only when no run of the first is live; that one is
// then replaced for good. A removed node does not come back under its id.
//
// ## How
//
// `apply` reads an envelope (who proposed, which command), changes the state and says what happened
// with a typed result. It is total: bytes that it cannot read, versions that it does not know and
// commands that break a rule change nothing and are refused, on every node in the same way. Commands
// are idempotent or expect an epoch or revision, because a proposer that saw no outcome tries again.
//
// The state is a value. A node hands copies to its event loops after each change; the parts that a
// command does not touch are shared between the copies. Everything is kept in order, so lookups are
// binary searches, and snapshots, lists and choices come out the same on every node.
//
// The policies (`ReplicaPolicy`, `BalancePolicy`, `SplitPolicy`, `VoterPolicy`) are pure functions of
// the state and of what the leader has measured. They only wish: owners are asked, and may decline. Each
// says in words what it found. Called again and again they come to rest, and never undo each other.
//
// Whatever an administrator does comes as `audited`: the command, who asked, when and from where. The entry of
// the audit is made with the command's effect, so neither is there without the other.
//
// Snapshots and commands of 0.2.0 and 0.3.0 are read. A registration of that time keeps its effect: names did not
// belong to one node then.
//
// ## What is left out
//
// New generations (a restore, a forced recovery) change the table too; their commands come with the parts
// that drive them. The loads of shards are measured and smoothed elsewhere.

import Binary
import Raft

/// Everything that the placement group agrees on.
public struct PlacementState: Sendable, Equatable {
    public let genesis: Genesis
    /// The last entry of the placement group's log that was applied.
    public private(set) var appliedIndex: LogIndex
    public internal(set) var registry: Registry
    public internal(set) var table: Table
    public internal(set) var settings: ClusterSettings
    public internal(set) var tenants: Tenants
    public internal(set) var audit = AuditLog()

    /// The state before the first command: shards without owners, nobody registered.
    public init(genesis: Genesis) {
        if let fault = genesis.fault { preconditionFailure("not a genesis: \(fault)") }
        guard let table = Table(records: genesis.firstRecords()) else {
            preconditionFailure("I5: the first table covers the key space")
        }
        self.genesis = genesis
        appliedIndex = .zero
        registry = Registry()
        self.table = table
        settings = ClusterSettings(
            lease: LeaseSettings(durationMs: genesis.leaseDurationMs), replicasPerShard: genesis.replicasPerShard)
        tenants = Tenants(signingKey: SigningKey(id: 0, secret: genesis.signingKey, createdAtMs: 0))
    }

    init(
        genesis: Genesis, appliedIndex: LogIndex, registry: Registry, table: Table, settings: ClusterSettings,
        tenants: Tenants
    ) {
        self.genesis = genesis
        self.appliedIndex = appliedIndex
        self.registry = registry
        self.table = table
        self.settings = settings
        self.tenants = tenants
    }

    /// Applies one committed entry. Payloads that are no proposal have no effect.
    public mutating func apply(_ payload: [UInt8], at index: LogIndex) -> CommandResult {
        guard let proposal = try? ProposalEnvelope.decode(payload) else {
            advance(to: index)
            return .refused(.malformed)
        }
        return apply(proposal.command, at: index)
    }

    /// Applies one command that has been read already.
    public mutating func apply(_ command: Command, at index: LogIndex) -> CommandResult {
        advance(to: index)
        let revision = table.revision
        let result = execute(command)
        if table.revision != revision || command.mayFence { checkTable() }
        if command.mayDivide { precondition(table.isNumberedWell, "O1: no shard's id is used twice") }
        return result
    }

    private mutating func advance(to index: LogIndex) {
        precondition(index > appliedIndex, "I6: entries are applied once, in order")
        appliedIndex = index
    }

    mutating func execute(_ command: Command) -> CommandResult {
        switch command {
        case .register(let registration):
            register(registration)
        case .fence(let process, let candidates, let cause):
            fence(process, candidates: candidates, cause: cause)
        case .bury(let node, let nonce, let candidates):
            bury(node: node, nonce: nonce, candidates: candidates)
        case .appoint(let candidates):
            appoint(candidates: candidates)
        case .assign(let shard, let expected, let proposer, let target):
            assign(shard, expected: expected, proposer: proposer, target: target)
        case .yield(let shard, let expected, let proposer, let reached):
            yield(shard, expected: expected, proposer: proposer, reached: reached)
        case .recordReplicas(let shard, let expected, let proposer, let index, let configuration):
            recordReplicas(
                shard, expected: expected, proposer: proposer, index: index, configuration: configuration)
        case .reportLost(let shard, let since, let proposer):
            reportLost(shard, since: since, proposer: proposer)
        case .planSplit, .split, .planMerge, .merge, .cancelPlan:
            divide(command)
        case .setStanding(let node, let standing):
            setStanding(standing, of: node)
        case .removeNode(let node, let atMs):
            removeNode(node, atMs: atMs)
        case .setLeaseDuration, .settleLeaseDuration, .setClockDrift, .setReadMode, .setReplacement,
            .setReplicasPerShard:
            changeSetting(command)
        case .createProject, .createKey, .revokeKey, .setClass, .addSigningKey, .setAdmin, .setQuota,
            .setObjectLimits:
            tenants.apply(command)
        case .createAdministrator, .revokeAdministrator, .rotateKey, .setOrigins:
            tenants.applyAccess(command)
        case .setAuditRetention(let entries, let ageMs):
            setAuditRetention(entries: entries, ageMs: ageMs)
        case .audited(let note, let command):
            executeAudited(note, command)
        }
    }

    private func checkTable() {
        precondition(table.coversKeySpace, "I5: the table covers the key space exactly once")
        precondition(namesNoFencedOwner, "I5: the table names no fenced process as owner")
    }

    /// Half of I5: every owner is registered and not fenced.
    var namesNoFencedOwner: Bool {
        table.records.allSatisfy { $0.owner.map(registry.isLive) ?? true }
    }
}
