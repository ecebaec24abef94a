import HoldfastClient
import NIOCore
import Simulation

/// Makes a light load through all nodes and checks, window by window, what it is answered.
public struct VerifyRun: Sendable {
    public static let objectClass = "holdfast-verify"
    /// So long a node may take for a read at the end of a window before another is asked.
    private static let readTimeout = TimeAmount.seconds(3)

    private let access: LiveAccess
    private let options: VerifyOptions

    public init(_ access: LiveAccess, _ options: VerifyOptions) {
        self.access = access
        self.options = options
    }

    /// Ends after its time, when `isStopped`, or with the window in which it finds a violation. Removes its objects,
    /// save those with a violation. Throws if not even a read is answered at the beginning.
    public func run(
        isStopped: @escaping @Sendable () -> Bool, tell: (VerifyInterval) -> Void
    ) async throws -> VerifyVerdict {
        let name = "verify-\(String(options.seed, radix: 36))"
        let stage = VerifyStage(VerifyPlan(name: name, objects: options.objects, seed: options.seed))
        let objects = await stage.objects
        try await access.probe(ObjectName(name, class: Self.objectClass))
        var check = WindowCheck(objects: objects)
        var verdict = VerifyVerdict()
        let deadlineNs = options.seconds.map { steadyNs() + UInt64($0 * 1e9) } ?? .max
        var number = 0
        while !isStopped(), steadyNs() < deadlineNs, verdict.violations.isEmpty {
            number += 1
            let endNs = min(deadlineNs, steadyNs() + UInt64(options.intervalSeconds * 1e9))
            await load(stage, window: number) { isStopped() || steadyNs() >= endNs }
            let (records, silent) = await finish(stage, window: number)
            let report = check.close(records)
            var interval = VerifyInterval(number: number, records)
            (interval.violations, interval.undecided, interval.silent) = (report.violations, report.undecided, silent)
            verdict.add(interval)
            tell(interval)
            if report.violations.isEmpty {
                await renew(stage, report.retired, &check)
            } else {
                verdict.historyFile = try write(records, of: report.violations)
            }
        }
        let harmed = Set(verdict.violations.map(\.object))
        verdict.leftOver = await access.clear(objects.filter { !harmed.contains($0) }, class: Self.objectClass)
        return verdict
    }

    private func load(_ stage: VerifyStage, window: Int, isOver: @escaping @Sendable () -> Bool) async {
        // Each window begins at other nodes, so that every node is asked however many clients there are.
        let clients = (0..<options.clients).map { access.client(beginningAt: $0 + window) }
        let callers = clients.map { LiveCaller(client: $0, objectClass: Self.objectClass) }
        let seed = options.seed &+ UInt64(window)
        await LiveClients(callers: callers, ratePerSecond: options.ratePerSecond, seed: seed).run(
            isOver: isOver, next: { await stage.next() }, done: { await stage.add($0) })
        for client in clients { await client.close() }
    }

    /// Reads every item, through all nodes in turn. Answers all records of the window.
    private func finish(
        _ stage: VerifyStage, window: Int
    ) async -> (records: [LiveRecord], silent: [String]) {
        let endpoints = access.endpoints
        let clients = endpoints.map { access.client(endpoints: [$0], timeout: Self.readTimeout) }
        var silent: Set<Int> = []
        let places = await stage.places
        for turn in 0..<max(places.count, clients.count) {
            let place = places[turn % places.count]
            let read = LiveCall(object: place.object, item: place.item, call: .read)
            for position in Array(clients.indices).rotated(by: turn + window) where !silent.contains(position) {
                let caller = LiveCaller(client: clients[position], objectClass: Self.objectClass)
                let record = await caller.perform(read, process: WindowCheck.reader)
                if record.isAnswered || record.fault != nil {
                    await stage.add(record)
                    break
                }
                silent.insert(position)
            }
        }
        for client in clients { await client.close() }
        return (await stage.take(), silent.sorted().map { "\(endpoints[$0])" })
    }

    /// Takes fresh items in place of those that cannot be followed, and removes the old ones.
    private func renew(_ stage: VerifyStage, _ retired: [WindowCheck.Place], _ check: inout WindowCheck) async {
        let left = await stage.renew(retired)
        guard !left.isEmpty else { return }
        let client = access.client(timeout: Self.readTimeout)
        for place in left {
            check.forget(place)
            // One that cannot be removed now goes with its object.
            try? await client.removeItem(place.item, of: ObjectName(place.object, class: Self.objectClass))
        }
        await client.close()
    }

    private func write(_ records: [LiveRecord], of violations: [Violation]) throws -> String {
        let objects = Set(violations.map(\.object))
        try HistoryFile.write(
            records.filter { objects.contains($0.operation.object) }.map(\.json), to: options.historyFile)
        return options.historyFile
    }
}

/// What the clients of a verification share.
private actor VerifyStage {
    private var plan: VerifyPlan
    private var records: [LiveRecord] = []

    init(_ plan: VerifyPlan) { self.plan = plan }

    var objects: [String] { plan.objects }
    var places: [WindowCheck.Place] { plan.places }

    func next() -> LiveCall { plan.next() }

    func add(_ record: LiveRecord) {
        plan.note(record)
        records.append(record)
    }

    func take() -> [LiveRecord] {
        defer { records = [] }
        return records
    }

    func renew(_ retired: [WindowCheck.Place]) -> [WindowCheck.Place] { plan.renew(retired) }
}
