@testable import ObjectRuntime

/// Random requests on a few objects and items, of all kinds, sensible and not.
struct RandomOperations {
    var json: RandomJSON
    let objects = (0..<4).map { TestOwner.object("o\($0)") }
    let names: [ItemName] = ["a", "b", "counter", "list", "tree", "a rather long name"]

    init(seed: UInt64) {
        json = RandomJSON(seed: seed)
    }

    mutating func below(_ count: Int) -> Int { json.below(count) }

    mutating func object() -> ObjectID { objects[below(objects.count)] }

    mutating func name() -> ItemName { names[below(names.count)] }

    mutating func someNames() -> [ItemName] { (0..<below(4)).map { _ in name() } }

    /// Mostly none; versions are small numbers that match now and then.
    mutating func options(nowMs: UInt64) -> WriteOptions {
        WriteOptions(
            ttlMs: below(3) == 0 ? UInt64(1 + below(30)) : nil,
            updatedAt: below(8) == 0 ? nowMs - min(nowMs, UInt64(below(3))) : nil)
    }

    mutating func write(nowMs: UInt64) -> ItemWrite {
        let value =
            below(10) == 0 ? Array("[\(String(repeating: "1,", count: 3000))0]".utf8) : json.value(depth: 3)
        return ItemWrite(
            name: name(), value: value, options: options(nowMs: nowMs), ifAbsent: below(4) == 0,
            keyVersion: below(6) == 0 ? UInt64(below(3)) : nil)
    }

    mutating func operation(nowMs: UInt64) -> Operation {
        let options = options(nowMs: nowMs)
        switch below(20) {
        case 0, 1, 2: return .setItem(write(nowMs: nowMs))
        case 3:
            var writes: [ItemWrite] = []
            for _ in 0..<below(4) {
                let write = write(nowMs: nowMs)
                if !writes.contains(where: { $0.name == write.name }) { writes.append(write) }
            }
            return .setItems(writes)
        case 4: return .getItem(name())
        case 5: return .getItems(someNames())
        case 6: return .getAll(prefix: below(2) == 0 ? "" : "a")
        case 7: return .keys(prefix: "")
        case 8: return .removeItem(name())
        case 9: return .removeItems(someNames())
        case 10: return below(3) == 0 ? .clear : .increment("counter", by: Double(below(10)), options)
        case 11, 12: return .increment("counter", by: 0.5, options)
        case 13: return .decrement("counter", by: 2, options)
        case 14, 15: return .push("list", value: json.value(depth: 1), options)
        case 16:
            return .splice(
                "list", Splice(start: below(9) - 4, deleteCount: below(4), items: [json.value(depth: 1)]),
                options)
        case 17: return .merge("tree", members: json.object(depth: 2), options)
        case 18:
            return .setIn(
                "tree", path: [[0x61], [UInt8(0x30 + below(3))]], value: json.value(depth: 1), options)
        default: return below(2) == 0 ? .encryptionSettings(saltBytes: 16) : .rotateEncryption(saltBytes: 8)
        }
    }

    mutating func id(counter: UInt64) -> OperationID? {
        switch below(4) {
        case 0: nil
        case 1: .client(apiKey: "key", key: "k\(below(40))", requestHash: UInt64(below(2)))
        default:
            .edge(
                stream: EdgeStream(incarnation: UInt64(1 + below(2)), loop: UInt16(below(2))),
                counter: counter)
        }
    }
}
