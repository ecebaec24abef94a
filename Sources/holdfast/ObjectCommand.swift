import ArgumentParser
import HoldfastClient

struct ObjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "object", abstract: "Items and events of objects.",
        subcommands: [
            ObjectGetCommand.self, ObjectSetCommand.self, ObjectListCommand.self, ObjectDeleteCommand.self,
            ObjectWatchCommand.self, ObjectSendCommand.self, ObjectPresenceCommand.self,
        ])
}

/// The object a verb is about, and how to reach it.
struct ObjectAddress: ParsableArguments {
    @Argument(help: "The object's id.")
    var id: String

    @Option(name: .long, help: ArgumentHelp("The object's class.", valueName: "class"))
    var `class` = ObjectName.defaultClass

    @OptionGroup var access: ProjectAccess
    @OptionGroup var output: OutputOptions

    var object: ObjectName { ObjectName(id, class: self.class) }
}

private func document(_ item: Item) -> JSON {
    var members = [
        JSON.Member("value", item.value), JSON.Member("createdAt", .integer(item.createdAt)),
        JSON.Member("updatedAt", .integer(item.updatedAt)),
        JSON.Member("expiresAt", .integer(item.expiresAt)),
    ]
    if let version = item.keyVersion { members.append(JSON.Member("keyVersion", .integer(version))) }
    return .object(members)
}

private func printTable(_ items: [(String, Item)]) {
    var table = TextTable("ITEM", "UPDATED AT", "VALUE")
    for (name, item) in items { table.add(name, String(item.updatedAt), item.value.description) }
    print(table.text)
}

struct ObjectGetCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Print an item's value, or all items of the object.")

    @OptionGroup var address: ObjectAddress

    @Argument(help: "The item; all items without it.")
    var item: String?

    func execute() async throws {
        let client = try address.access.client()
        guard let name = item else {
            let items = try await client.getAllItems(of: address.object)
            if !address.output.json { return printTable(items) }
            return print(JSON.object(items.map { JSON.Member($0.0, document($0.1)) }))
        }
        guard let found = try await client.getItem(name, of: address.object) else {
            throw CommandFailure(message: "no item '\(name)'")
        }
        print(address.output.json ? document(found) : found.value)
    }
}

struct ObjectSetCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "set", abstract: "Write an item.")

    @OptionGroup var address: ObjectAddress

    @Argument(help: "The item.")
    var item: String

    @Argument(help: "The value as JSON; what is no JSON is taken as a string.")
    var value: String

    @Option(name: .customLong("ttl-ms"), help: ArgumentHelp("Lifetime.", valueName: "ms"))
    var ttlMs: Int?

    @Flag(name: .long, help: "Only if there is no such item.")
    var ifAbsent = false

    @Option(name: .long, help: ArgumentHelp("Only if the item's updatedAt is this.", valueName: "ms"))
    var updatedAt: Int?

    func execute() async throws {
        let json = (try? JSON(parsing: value)) ?? .string(value)
        let stored = try await address.access.client().setItem(
            item, json, of: address.object, ifAbsent: ifAbsent,
            WriteOptions(ttlMs: ttlMs, updatedAt: updatedAt))
        guard let stored else { throw CommandFailure(message: "item '\(item)' exists, nothing written") }
        print(address.output.json ? document(stored).description : "updatedAt \(stored.updatedAt)")
    }
}

struct ObjectListCommand: ClusterVerb {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List an object's items.")

    @OptionGroup var address: ObjectAddress

    @Option(name: .long, help: "Only items whose names begin so.")
    var prefix: String?

    func execute() async throws {
        let items = try await address.access.client().getAllItems(of: address.object, prefix: prefix)
        if !address.output.json { return printTable(items) }
        print(JSON.object(items.map { JSON.Member($0.0, document($0.1)) }))
    }
}

struct ObjectDeleteCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove an item, or with --all everything in the object.")

    @OptionGroup var address: ObjectAddress

    @Argument(help: "The item.")
    var item: String?

    @Flag(name: .long, help: "Remove all items.")
    var all = false

    func validate() throws {
        guard (item == nil) == all else { throw ValidationError("Give an item, or --all.") }
    }

    func execute() async throws {
        let client = try address.access.client()
        if let item {
            try await client.removeItem(item, of: address.object)
        } else {
            try await client.clear(address.object)
        }
        if address.output.json { print("{}") }
    }
}
