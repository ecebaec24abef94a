import ArgumentParser
import Backup
import HoldfastClient
import NIOCore
import NIOPosix
import ObjectRuntime

struct RestoreCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring a backup, or one object of it, into a cluster.",
        discussion: """
            The cluster is formed already: a new one for everything, any one for a single object. Nothing that is \
            there is overwritten without --overwrite. A restore that broke off is simply repeated.
            """)

    @Option(name: .long, help: ArgumentHelp("A backup, or a directory of backups: then the newest.", valueName: "dir"))
    var from: String

    @Option(name: .long, help: ArgumentHelp("Only this object.", valueName: "project/class/id"))
    var object: String?

    @Option(name: .long, help: ArgumentHelp("Restore the object under this name.", valueName: "project/class/id"))
    var `as`: String?

    @Flag(name: .long, help: "Replace objects that have something else than the backup.")
    var overwrite = false

    @Flag(name: .long, help: "Compare afterwards every object with the backup.")
    var verify = false

    @Flag(name: .long, help: "Restore nothing: compare the cluster with the backup.")
    var compare = false

    @Flag(name: .long, help: "Print the object's items, and restore nothing.")
    var print = false

    @Option(name: .long, help: ArgumentHelp("Calls under way at the same time.", valueName: "number"))
    var parallel = 4

    @Option(
        name: .long,
        help: ArgumentHelp("Archive of journals, to go on from the backup; repeatable.", valueName: "dir"))
    var archive: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Keys of a backup or archive that is encrypted; or HOLDFAST_DATA_KEY.", valueName: "file"))
    var dataKeyFile: String?

    @Option(name: .long, help: ArgumentHelp("The object's state after this entry.", valueName: "epoch/index"))
    var at: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The state at this time: 2026-11-26T03:00:00Z, or ms since 1970.", valueName: "time"))
    var until: String?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (at == nil && until == nil) == archive.isEmpty, at == nil || until == nil else {
            throw ValidationError("A point in time is one of --at and --until, with --archive.")
        }
        guard at == nil || object != nil else { throw ValidationError("--at goes with --object.") }
        guard (1...64).contains(parallel) else { throw ValidationError("--parallel must be 1 to 64.") }
        guard object != nil || (self.as == nil && !print) else {
            throw ValidationError("--as and --print go with --object.")
        }
        guard !(compare && (overwrite || verify)) else {
            throw ValidationError("--compare changes nothing: neither --overwrite nor --verify goes with it.")
        }
    }

    func execute() async throws {
        let backup = try OpenedBackup(at: from, keys: try dataKeys(file: dataKeyFile))
        if let object { return try await restoreOne(try Self.name(object), of: backup) }
        try backup.verifyAll()
        let restorer = try restorer()
        if let point = try point() { return try await restoreAll(backup, at: point, restorer) }
        let report = try await restorer.restoreAll(backup, mode)
        try show(report, compare ? "compared" : "restored")
        guard verify else { return }
        try show(try await restorer.restoreAll(backup, .compare), "compared")
    }

    private func restoreAll(_ backup: OpenedBackup, at point: PointInTime, _ restorer: Restorer) async throws {
        let logs = try backup.logs(in: archive, keys: try dataKeys(file: dataKeyFile))
        let (report, ends) = try await restorer.restoreAll(backup, at: point, logs: logs, mode)
        try show(report, compare ? "compared" : "restored", ends)
        guard verify else { return }
        try show(try await restorer.restoreAll(backup, at: point, logs: logs, .compare).report, "compared", ends)
    }

    private func point() throws -> PointInTime? {
        if let at {
            let parts = at.split(separator: "/", omittingEmptySubsequences: false).map { UInt64($0) }
            guard parts.count == 2, let epoch = parts[0], let index = parts[1] else {
                throw ValidationError("'\(at)' is not of the form EPOCH/INDEX.")
            }
            return .entry(epoch: epoch, index: index)
        }
        guard let until else { return nil }
        guard let ms = TimeText.milliseconds(until) else {
            throw ValidationError(
                "'\(until)' is neither a time like 2026-11-26T03:00:00Z nor a number of milliseconds.")
        }
        return .time(ms: ms)
    }

    private var mode: Restoration.Mode { compare ? .compare : overwrite ? .overwrite : .create }

    private static func name(_ text: String) throws -> BackupObjectName {
        guard let name = BackupObjectName(text) else {
            throw ValidationError("'\(text)' is not of the form PROJECT/CLASS/ID.")
        }
        return name
    }

    private func restorer() throws -> Restorer { Restorer(client: try admin.client(), parallel: parallel) }

    // MARK: - One object

    private func restoreOne(_ name: BackupObjectName, of backup: OpenedBackup) async throws {
        let id = backup.id(project: name.project, objectClass: name.objectClass, id: name.id)
        guard let shard = backup.shard(of: id.key.rawValue) else {
            throw CommandFailure(message: "the backup has no shard for \(name)")
        }
        try backup.verify(shard)
        var found = try backup.object(id)
        var ends: [ReplayEnd] = []
        if let point = try point() {
            let (object, floor, end) = try backup.object(
                id, at: point, archives: archive, keys: try dataKeys(file: dataKeyFile))
            found = object.map { ($0, floor) }
            ends = [end]
        }
        guard let (stored, floor) = found else {
            throw CommandFailure(message: "there is no object \(name) in the backup, or at that moment")
        }
        if print { return Swift.print(String(decoding: stored.itemsText, as: UTF8.self)) }
        let target = try self.as.map { text in try Self.name(text) } ?? name
        let restorer = try restorer()
        try show(
            try await restorer.restore(stored, as: target, mode, versionFloor: floor),
            compare ? "compared" : "restored", ends)
        guard verify else { return }
        try show(try await restorer.restore(stored, as: target, .compare, versionFloor: floor), "compared")
    }

    // MARK: - What came of it

    private static func json(_ end: ReplayEnd) -> JSON {
        [
            "shard": .integer(end.shard), "epoch": .integer(end.epoch), "index": .integer(end.index),
            "endOfArchive": .bool(end.isEndOfArchive),
        ]
    }

    /// Anything refused makes the command fail.
    private func show(_ report: RestoreReport, _ done: String, _ ends: [ReplayEnd] = []) throws {
        let incomplete = ends.filter(\.isEndOfArchive)
        if output.json {
            let refused = report.refused.map { refusal in
                JSON.object([
                    JSON.Member("object", .string("\(refusal.name)")), JSON.Member("why", .string(refusal.why)),
                ])
            }
            Swift.print(
                JSON.object([
                    JSON.Member("did", .string(done)), JSON.Member("objects", .integer(report.objects)),
                    JSON.Member("refused", .integer(report.refusedCount)), JSON.Member("named", .array(refused)),
                    JSON.Member("ends", .array(ends.map(Self.json))),
                ]))
        } else {
            for refusal in report.refused { Swift.print("\(refusal.name): \(refusal.why)") }
            Swift.print("\(done): \(report.objects) objects, \(report.refusedCount) of them refused")
            for end in ends.prefix(8) { Swift.print("shard \(end.shard) as of entry \(end.epoch)/\(end.index)") }
            if !incomplete.isEmpty {
                Swift.print("\(incomplete.count) logs end there in the archives: later entries, if any, are not in them")
            }
        }
        guard report.refusedCount == 0 else {
            throw CommandFailure(message: "\(report.refusedCount) objects are not as in the backup")
        }
    }
}
