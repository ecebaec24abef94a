import ObjectRuntime
import Placement
import Raft

@testable import Cluster

/// An `EdgeRouter` at node 1 with a table of its own; the test plays the owners.
struct TestEdge {
    var table = TestTable()
    var router: EdgeRouter
    var nowMs: UInt64 = 1_000
    private var nextToken: UInt64 = 1

    init(adjust: (inout NodeSettings) -> Void = { _ in }) {
        var settings = NodeSettings()
        adjust(&settings)
        router = EdgeRouter(nodeID: NodeID(rawValue: 1), loop: 0, settings: settings,
            quotas: QuotaBook(loop: 0, limits: settings.limits))
    }

    /// With the shard owned by a node, and the table seen.
    init(ownedBy number: Int, adjust: (inout NodeSettings) -> Void = { _ in }) {
        self.init(adjust: adjust)
        give(to: number)
    }

    mutating func give(to number: Int) {
        table.give(to: number)
        see()
    }

    mutating func see(isRegistered: Bool = true) {
        router.observe(table.view(at: 1, isRegistered: isRegistered), nowMs: nowMs)
    }

    @discardableResult
    mutating func submit(_ operation: Operation, project: String = "p", key: String? = nil) -> UInt64 {
        defer { nextToken += 1 }
        router.submit(
            RequestToken(rawValue: nextToken),
            ClientRequest(
                project: project, objectClass: "c", objectID: "o", operation: operation,
                idempotency: key.map { IdempotencyKey(apiKey: "k", key: $0, requestHash: 1) }), nowMs: nowMs)
        return nextToken
    }

    /// Every process counts in a range of its own, so that outcomes for the one before mean nothing to it.
    var firstCounter: UInt64 { table.process(1).incarnation.rawValue << 40 | 1 }

    /// What has been sent since the last call.
    mutating func sent() -> [Try] {
        defer { router.dispatches = [] }
        return router.dispatches.map(\.attempt)
    }

    mutating func answers() -> [AnsweredRequest] {
        defer { router.answers = [] }
        return router.answers
    }

    mutating func settle(_ attempt: Try, _ result: TryOutcome.Result, commit: UInt64 = 0) {
        let outcome = TryOutcome(
            loop: attempt.origin.loop, token: attempt.origin.token, sequence: attempt.sequence,
            shard: attempt.shard, epoch: attempt.epoch, commitIndex: commit, result: result)
        router.settle(outcome, ownerName: "owner", nowMs: nowMs)
    }

    mutating func pass(ms: UInt64) {
        for _ in 0..<(ms / 10) {
            nowMs += 10
            router.tick(nowMs: nowMs)
        }
    }

    static func done(_ index: UInt64 = 1) -> TryOutcome.Result {
        .answered(Answer(reply: .noContent, index: index, applied: .yes))
    }
}
