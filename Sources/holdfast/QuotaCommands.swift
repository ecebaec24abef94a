import ArgumentParser
import HoldfastClient

/// A bound as it is given on the command line.
enum Bound: ExpressibleByArgument {
    case none
    case figure(Int)

    init?(argument: String) {
        if argument == "none" {
            self = .none
        } else if let figure = Int(argument), figure >= 0 {
            self = .figure(figure)
        } else {
            return nil
        }
    }

    var json: JSON {
        switch self {
        case .none: .null
        case .figure(let figure): .integer(figure)
        }
    }
}

private func members(_ bounds: [(name: String, bound: Bound?)]) -> [JSON.Member] {
    bounds.compactMap { name, bound in bound.map { JSON.Member(name, $0.json) } }
}

struct ProjectQuotaCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "quota",
        abstract: "What a project may use in the whole cluster, and what it uses; with options, set it.",
        discussion: "Bounds left out stay as they are; \"none\" takes one away.")

    @Argument(help: "The project's id.")
    var project: String

    @Option(help: ArgumentHelp("Objects that exist.", valueName: "n"))
    var objects: Bound?

    @Option(help: ArgumentHelp("Names and values of all items.", valueName: "n"))
    var bytes: Bound?

    @Option(help: ArgumentHelp("Sockets that are open.", valueName: "n"))
    var sockets: Bound?

    @Option(help: ArgumentHelp("Requests, and messages and joins of sockets.", valueName: "n"))
    var operationsPerSecond: Bound?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let path = "projects/\(percentEncoded(project))/quota"
        let changes = members([
            ("objects", objects), ("bytes", bytes), ("sockets", sockets),
            ("operationsPerSecond", operationsPerSecond),
        ])
        let client = try admin.client()
        let answer = changes.isEmpty ? try await client.get(path) : try await client.post(path, .object(changes))
        if output.json { return print(answer) }
        var table = TextTable("QUOTA", "MAY USE", "USES")
        for name in Self.figures {
            table.add(name, bound(answer["quota"]?[name]), cell(answer["usage"]?[name]))
        }
        print(table.text)
    }

    static let figures = ["objects", "bytes", "sockets", "operationsPerSecond"]

    private func bound(_ json: JSON?) -> String {
        let text = cell(json)
        return text == "-" ? "any" : text
    }
}

struct ClusterLimitsCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "Limits of single objects in the whole cluster; with options, set them.",
        discussion: "Limits left out stay as they are; \"none\" gives the standard figure back.")

    @Option(help: ArgumentHelp("A value, up to 1 MiB.", valueName: "n"))
    var valueBytes: Bound?

    @Option(help: ArgumentHelp("Items of an object, up to 100,000.", valueName: "n"))
    var itemsPerObject: Bound?

    @Option(help: ArgumentHelp("Names and values of an object together, up to 64 MiB.", valueName: "n"))
    var objectBytes: Bound?

    @Option(help: ArgumentHelp("Sockets on an object, up to 100,000.", valueName: "n"))
    var socketsPerObject: Bound?

    @OptionGroup var admin: AdminAccess
    @OptionGroup var output: OutputOptions

    func execute() async throws {
        let changes = members([
            ("valueBytes", valueBytes), ("itemsPerObject", itemsPerObject), ("objectBytes", objectBytes),
            ("socketsPerObject", socketsPerObject),
        ])
        let client = try admin.client()
        let answer =
            changes.isEmpty ? try await client.get("limits") : try await client.post("limits", .object(changes))
        if output.json { return print(answer) }
        var table = TextTable("LIMIT", "FIGURE")
        for name in ["valueBytes", "itemsPerObject", "objectBytes", "socketsPerObject"] {
            let figure = cell(answer["limits"]?[name])
            table.add(name, figure == "-" ? "standard" : figure)
        }
        print(table.text)
    }
}
