import ArgumentParser
import Backup
import HoldfastClient
import NIOCore
import NIOPosix
import ObjectRuntime

extension BackupFailure: ReportedFailure {
    var message: String { description }
    var exitStatus: Int32 { ExitStatus.failed }
}

struct BackupCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the whole cluster into a directory while it runs.",
        discussion: """
            Give the endpoints of all nodes: each shard is fetched from its owner. The backup is a directory of its \
            own in DIR, named by the time; it is whole when it has a manifest. It holds secrets.
            """)

    @Option(name: .long, help: ArgumentHelp("Where backups go.", valueName: "dir"))
    var to: String

    @Option(name: .long, help: ArgumentHelp("Shards fetched at the same time.", valueName: "number"))
    var parallel = 4

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Encrypt the files under the first data key in here; else in HOLDFAST_DATA_KEY, if that is set.",
            valueName: "file"))
    var dataKeyFile: String?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...64).contains(parallel) else { throw ValidationError("--parallel must be 1 to 64.") }
    }

    func execute() async throws {
        var options = BackupOptions(endpoints: try admin.cluster.endpoints(), token: try admin.token())
        options.parallel = parallel
        options.keys = try dataKeys(file: dataKeyFile)
        options.timeout = .milliseconds(Int64(admin.cluster.timeout * 1_000))
        let (directory, manifest) = try await BackupTaker.take(
            to: to, options, on: MultiThreadedEventLoopGroup.singleton.any())
        if output.json {
            return print(
                JSON.object([
                    JSON.Member("directory", .string(directory)), JSON.Member("objects", .integer(manifest.objects)),
                    JSON.Member("bytes", .integer(manifest.bytes)), JSON.Member("manifest", manifest.json),
                ]))
        }
        print(
            "\(directory): \(manifest.objects) objects in \(manifest.shards.count) shards, \(manifest.bytes) bytes, "
                + "in \(manifest.finishedAtMs - manifest.startedAtMs) ms")
    }
}
