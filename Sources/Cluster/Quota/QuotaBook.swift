import ObjectRuntime
import Placement

/// Limits and quotas as one loop applies them: where projects stand, and what has come since that was told.
///
/// One for each loop, shared by its router and its shards. Everything in it is bounded by the number of
/// projects with quotas. Without any it is one look at an empty dictionary.
final class QuotaBook {
    private struct Growth {
        var objects = 0
        var bytes = 0
        var sockets = 0
    }

    private let loop: Int
    /// Of single objects, the same at every node.
    private(set) var limits: Limits
    private let standardLimits: Limits
    private(set) var limited: [(project: String, quota: Quota)] = []
    private(set) var standing = QuotaStanding()
    private var growth: [String: Growth] = [:]
    private var buckets: [String: OperationBucket] = [:]
    private var asked: [String: UInt64] = [:]
    /// By kind.
    private(set) var refusals: [String: UInt64] = [:]

    init(loop: Int, limits: Limits) {
        self.loop = loop
        self.limits = limits
        standardLimits = limits
    }

    var isActive: Bool { !standing.lines.isEmpty }

    /// The placement state has changed.
    func observe(_ tenants: Tenants) {
        limits = standardLimits
        let chosen = tenants.objectLimits
        if let figure = chosen.valueBytes { limits.valueBytes = Int(figure) }
        if let figure = chosen.itemsPerObject { limits.itemsPerObject = Int(figure) }
        if let figure = chosen.objectBytes { limits.objectBytes = Int(figure) }
        if let figure = chosen.socketsPerObject { limits.socketsPerObject = Int(figure) }
        limited = tenants.limitedProjects
    }

    func adopt(_ newStanding: QuotaStanding, nowMs: UInt64) {
        standing = newStanding
        growth = [:]
        var kept: [String: OperationBucket] = [:]
        for (project, bucket) in buckets {
            guard let rate = rate(of: project) else { continue }
            kept[project] = bucket
            kept[project]?.setRate(rate, nowMs: nowMs)
        }
        buckets = kept
        asked = asked.filter { standing.lines[$0.key] != nil }
    }

    func count(_ kind: QuotaKind) { refusals[kind.rawValue, default: 0] += 1 }

    // MARK: - Objects and bytes, at the owner

    func room(of project: String) -> ProjectRoom? {
        guard let line = standing.lines[project], line.quota.objects != nil || line.quota.bytes != nil else {
            return nil
        }
        let grown = growth[project] ?? Growth()
        return ProjectRoom(
            objects: line.quota.objects.map { .init(used: line.used.objects.grown(by: grown.objects), limit: $0) },
            bytes: line.quota.bytes.map { .init(used: line.used.bytes.grown(by: grown.bytes), limit: $0) })
    }

    func grew(_ project: String, objects: Int, bytes: Int) {
        guard objects != 0 || bytes != 0, standing.lines[project] != nil else { return }
        growth[project, default: Growth()].objects += objects
        growth[project]?.bytes += bytes
    }

    // MARK: - Sockets and operations, at the edge

    /// Nil if the socket may come, which is then counted.
    func admitSocket(of project: String) -> Refusal? {
        guard let line = standing.lines[project], let limit = line.quota.sockets else { return nil }
        let used = line.used.sockets.grown(by: growth[project]?.sockets ?? 0)
        guard used >= limit else {
            growth[project, default: Growth()].sockets += 1
            return nil
        }
        count(.sockets)
        return .quota(
            .sockets,
            "The project may have \(limit) sockets and has \(used). Close some, or have the quota raised.")
    }

    /// Nil if the operation may pass, else why not, and how long until one may.
    func admitOperation(of project: String, nowMs: UInt64) -> (refusal: Refusal, retryAfterMs: UInt64)? {
        guard isActive, let line = standing.lines[project], let rate = rate(of: project),
            let limit = line.quota.operationsPerSecond
        else { return nil }
        asked[project, default: 0] += 1
        var bucket = buckets[project] ?? OperationBucket(rate: rate, nowMs: nowMs)
        let retryAfterMs = bucket.take(nowMs: nowMs)
        buckets[project] = bucket
        guard let retryAfterMs else { return nil }
        count(.operations)
        let refusal = Refusal.quota(
            .operations,
            "The project may do \(limit) operations a second, and asked for \(line.used.operationsPerSecond) in "
                + "the last one. Send fewer, or have the quota raised.")
        return (refusal, retryAfterMs)
    }

    private func rate(of project: String) -> UInt64? {
        guard let rates = standing.lines[project]?.loopRates, rates.indices.contains(loop) else { return nil }
        return rates[loop]
    }

    /// Operations per second that were asked for in the last `intervalMs`.
    func takeDemands(intervalMs: UInt64) -> [String: UInt64] {
        defer { asked = [:] }
        return asked.mapValues { ($0 * 1_000 + intervalMs - 1) / max(1, intervalMs) }
    }
}

extension UInt64 {
    fileprivate func grown(by change: Int) -> UInt64 {
        change >= 0 ? self &+ UInt64(change) : self - Swift.min(self, UInt64(-change))
    }
}
