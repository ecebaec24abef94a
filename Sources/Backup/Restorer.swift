import Cluster
import HoldfastClient
import NIOCore
import ObjectRuntime
import Placement

/// What became of a restore.
public struct RestoreReport: Sendable, Equatable {
    public var objects: UInt64 = 0
    public var parts: UInt64 = 0
    /// Objects that were refused, each once, with the reason; at most so many are named.
    public var refused: [(name: BackupObjectName, why: String)] { Array(refusals.prefix(Self.namedMax)) }
    public var refusedCount: Int { refusals.count }
    static let namedMax = 20
    fileprivate var refusals: [(name: BackupObjectName, why: String)] = []
    fileprivate var refusedNames: Set<BackupObjectName> = []

    public init() {}

    fileprivate mutating func refuse(_ part: RestoredPart, _ why: String) {
        let name = BackupObjectName(part)
        if refusedNames.insert(name).inserted { refusals.append((name, why)) }
    }

    public static func == (left: RestoreReport, right: RestoreReport) -> Bool {
        left.objects == right.objects && left.parts == right.parts && left.refusedNames == right.refusedNames
    }
}

/// Sends what a backup has to a cluster. Every call may come twice, so a restore that broke off is repeated whole.
public struct Restorer: Sendable {
    private let client: AdminClient
    /// Calls under way at the same time.
    private let parallel: Int
    /// How long one call is repeated while owners are changing.
    private let patience: TimeAmount

    public init(client: AdminClient, parallel: Int = 4, patience: TimeAmount = .seconds(60)) {
        self.client = client
        self.parallel = parallel
        self.patience = patience
    }

    // MARK: - Everything

    /// Projects, keys, classes and limits, then all objects, then quotas: a quota must not stand in the way of what
    /// was there.
    public func restoreAll(_ backup: OpenedBackup, _ mode: Restoration.Mode) async throws -> RestoreReport {
        if mode != .compare { try await run(backup.placement.restoringCommands) }
        var report = RestoreReport()
        for shard in backup.manifest.shards {
            try await restore(try backup.objects(of: shard), mode, &report)
        }
        if mode != .compare { try await run(backup.placement.quotaCommands) }
        return report
    }

    /// The same, with every object as it was at a moment after the backup. Answers where the logs came to stand, too.
    public func restoreAll(
        _ backup: OpenedBackup, at point: PointInTime, logs: ArchivedLogs, _ mode: Restoration.Mode
    ) async throws -> (report: RestoreReport, ends: [ReplayEnd]) {
        if mode != .compare { try await run(backup.placement.restoringCommands) }
        var report = RestoreReport()
        var ends: [ReplayEnd] = []
        for shard in backup.manifest.shards {
            let found = try backup.objects(of: shard, at: point, logs: logs)
            ends += found.ends
            var batches = RestoreBatches(mode)
            var calls: [[RestoredPart]] = []
            for (object, floor) in found.objects where object.hasContent {
                report.objects += 1
                calls += batches.add(object, as: BackupObjectName(object.id), versionFloor: floor)
            }
            try await send(calls + [batches.finish()], &report)
        }
        if mode != .compare { try await run(backup.placement.quotaCommands) }
        return (report, ends)
    }

    private func run(_ commands: [Command]) async throws {
        var rest = commands[...]
        while !rest.isEmpty {
            // Keys and classes are a few kilobytes at most.
            let batch = Array(rest.prefix(64))
            rest = rest.dropFirst(64)
            _ = try await client.postBytes("restore/commands", RestoreBody.encode(batch))
        }
    }

    private func restore(
        _ objects: BackupObjects, _ mode: Restoration.Mode, _ report: inout RestoreReport
    ) async throws {
        var objects = objects
        let floor = objects.versionFloor
        var batches = RestoreBatches(mode)
        while let frame = try objects.next() {
            var calls: [[RestoredPart]] = []
            for object in frame where object.hasContent {
                report.objects += 1
                calls += batches.add(object, as: BackupObjectName(object.id), versionFloor: floor)
            }
            try await send(calls, &report)
        }
        try await send([batches.finish()], &report)
    }

    /// One object, under its own name or another one.
    public func restore(
        _ object: StoredObject, as name: BackupObjectName, _ mode: Restoration.Mode, versionFloor: UInt64
    ) async throws -> RestoreReport {
        var report = RestoreReport()
        report.objects = 1
        var batches = RestoreBatches(mode)
        var calls = batches.add(object, as: name, versionFloor: versionFloor)
        calls.append(batches.finish())
        try await send(calls, &report)
        return report
    }

    // MARK: - Calls

    private func send(_ calls: [[RestoredPart]], _ report: inout RestoreReport) async throws {
        let calls = calls.filter { !$0.isEmpty }
        var refusals: [(RestoredPart, String)] = []
        try await withThrowingTaskGroup(of: [(RestoredPart, String)].self) { group in
            var rest = calls[...]
            for call in rest.prefix(parallel) { group.addTask { try await send(call) } }
            rest = rest.dropFirst(parallel)
            for try await refused in group {
                refusals += refused
                if let call = rest.popFirst() { group.addTask { try await send(call) } }
            }
        }
        report.parts += UInt64(calls.reduce(0) { $0 + $1.count })
        for (part, why) in refusals { report.refuse(part, why) }
    }

    /// Until each part is done or refused for good. What is of unknown fate is sent again: it may come twice.
    private func send(_ call: [RestoredPart]) async throws -> [(RestoredPart, String)] {
        var waiting = call
        var refused: [(RestoredPart, String)] = []
        let deadline = NIODeadline.now() + patience
        while true {
            let answer = try await client.postBytes("restore/objects", RestoreBody.encode(waiting))
            guard let failed = answer["failed"]?.elements else { throw BackupFailure("an answer lacks what failed") }
            var again: [RestoredPart] = []
            for failure in failed {
                guard let position = failure["position"]?.int, waiting.indices.contains(position) else {
                    throw BackupFailure("an answer names a part that was not sent")
                }
                let why = failure["message"]?.text ?? ""
                if Self.isPassing(failure) {
                    again.append(waiting[position])
                } else {
                    refused.append((waiting[position], why))
                }
            }
            if again.isEmpty { return refused }
            guard NIODeadline.now() < deadline else {
                throw BackupFailure(
                    "\(again.count) parts were not taken in time; the restore can be repeated: "
                        + (failed.first?["message"]?.text ?? ""))
            }
            waiting = again
            try await Task.sleep(nanoseconds: 200_000_000)
        }
    }

    private static func isPassing(_ failure: JSON) -> Bool {
        let status = failure["status"]?.int ?? 0
        return status == 503 || status == 429 && failure["code"]?.text?.contains("quota") != true
            || failure["code"]?.text == "outcomeUnknown"
    }
}

extension PlacementState {
    /// What another cluster can take: the tenants, the limits of objects, and how reads are answered.
    var restoringCommands: [Command] {
        var commands: [Command] = [
            .setObjectLimits(tenants.objectLimits), .setReadMode(settings.reads),
            .setClockDrift(perMille: settings.lease.driftPerMille), .setReplacement(afterMs: settings.replaceAfterMs),
        ]
        for project in tenants.projects {
            commands.append(.createProject(id: project.id, createdAtMs: project.createdAtMs))
            for key in project.keys {
                commands.append(.createKey(key))
                if key.isRevoked { commands.append(.revokeKey(project: project.id, keyID: key.keyID)) }
            }
            for (name, settings) in project.classes {
                commands.append(.setClass(project: project.id, name: name, settings: settings))
            }
        }
        return commands
    }

    var quotaCommands: [Command] {
        tenants.limitedProjects.map { .setQuota(project: $0.project, $0.quota) }
    }
}
