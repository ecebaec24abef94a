import ArgumentParser
import HoldfastClient

struct ScrubCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "scrub",
        abstract: "Compare the replicas of a shard, or of all, with each other.",
        discussion: """
            The owners begin it and go on by themselves, one shard at a time: holdfast_scrubs_total counts how each \
            ended, and what differs is in the owner's log. A replica that differs from a majority is replaced.
            """)

    @Argument(help: "The shard's number; all if left out.")
    var shard = "all"

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let answer = try await admin.client().post("scrub", .object([JSON.Member("shard", .string(shard))]))
        if output.json { return print(answer) }
        print("asked for a scrub of \(cell(answer["shards"])) shards")
    }
}
