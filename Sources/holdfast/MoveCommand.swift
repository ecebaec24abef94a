import ArgumentParser
import HoldfastClient

/// A shard, or the one in which an object lies: `3`, `3.1`, `PROJECT/CLASS/ID`.
enum ShardOrObject: ExpressibleByArgument, Equatable {
    case shard(String)
    case object(project: String, objectClass: String, id: String)

    init?(argument: String) {
        let numbers = argument.split(separator: ".", omittingEmptySubsequences: false)
        if numbers.count <= 2, numbers.allSatisfy({ UInt32($0) != nil }) {
            self = .shard(argument)
            return
        }
        // The id may hold slashes.
        let parts = argument.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        self = .object(project: parts[0], objectClass: parts[1], id: parts[2])
    }

    var members: [JSON.Member] {
        switch self {
        case .shard(let shard): [JSON.Member("shard", .string(shard))]
        case .object(let project, let objectClass, let id):
            [
                JSON.Member("project", .string(project)), JSON.Member("class", .string(objectClass)),
                JSON.Member("id", .string(id)),
            ]
        }
    }

    var query: String {
        members.map { "\($0.name)=\(percentEncoded($0.value.text ?? ""))" }.joined(separator: "&")
    }
}

struct MoveCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "move", abstract: "Hand a shard over to another of its replicas, and say what it cost.")

    @Argument(help: ArgumentHelp("The shard (3, 3.1), or an object in it.", valueName: "shard|project/class/id"))
    var what: ShardOrObject

    @Option(name: .long, help: ArgumentHelp("The node that is to own it.", valueName: "node"))
    var to: String

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let body = JSON.object(what.members + [JSON.Member("to", .string(to))])
        let answer = try await admin.client(waitingSeconds: 15).post("move", body)
        if output.json { return print(answer) }
        print(
            "shard \(cell(answer["name"])) went from \(cell(answer["from"])) to \(cell(answer["to"])), "
                + "epoch \(cell(answer["epoch"]))")
        print(
            "pause \(cell(answer["pauseMs"])) ms, sockets dropped \(cell(answer["socketsDropped"])), "
                + "events lost \(cell(answer["eventsLost"]))")
    }
}
