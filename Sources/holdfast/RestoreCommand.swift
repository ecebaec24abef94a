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

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...64).contains(parallel) else { throw ValidationError("--parallel must be 1 to 64.") }
        guard object != nil || (self.as == nil && !print) else {
            throw ValidationError("--as and --print go with --object.")
        }
        guard !(compare && (overwrite || verify)) else {
            throw ValidationError("--compare changes nothing: neither --overwrite nor --verify goes with it.")
        }
    }

    func execute() async throws {
        let backup = try OpenedBackup(at: from)
        if let object { return try await restoreOne(try Self.name(object), of: backup) }
        try backup.verifyAll()
        let restorer = try restorer()
        let report = try await restorer.restoreAll(backup, mode)
        try show(report, compare ? "compared" : "restored")
        guard verify else { return }
        try show(try await restorer.restoreAll(backup, .compare), "compared")
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
        guard let (stored, floor) = try backup.object(id) else {
            throw CommandFailure(message: "the backup has no object \(name)")
        }
        if print { return Swift.print(String(decoding: stored.itemsText, as: UTF8.self)) }
        let target = try self.as.map { text in try Self.name(text) } ?? name
        let restorer = try restorer()
        try show(
            try await restorer.restore(stored, as: target, mode, versionFloor: floor),
            compare ? "compared" : "restored")
        guard verify else { return }
        try show(try await restorer.restore(stored, as: target, .compare, versionFloor: floor), "compared")
    }

    // MARK: - What came of it

    /// Anything refused makes the command fail.
    private func show(_ report: RestoreReport, _ done: String) throws {
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
                ]))
        } else {
            for refusal in report.refused { Swift.print("\(refusal.name): \(refusal.why)") }
            Swift.print("\(done): \(report.objects) objects, \(report.refusedCount) of them refused")
        }
        guard report.refusedCount == 0 else {
            throw CommandFailure(message: "\(report.refusedCount) objects are not as in the backup")
        }
    }
}
