import HoldfastClient
import Simulation

/// One operation that a client is about to make.
struct PlannedOperation {
    var object: String
    var call: Call

    /// Every object keeps its one item under this name.
    static let item = "v"

    func request(project: String, authorization: String, idempotencyKey: String?) -> HTTPRequest {
        let path =
            "/project/\(percentEncoded(project))/cache/\(Load.objectClass)/\(percentEncoded(object))/\(Self.item)"
        var headers = [("Authorization", authorization)]
        guard let (suffix, body) = write else { return HTTPRequest("GET", path, headers: headers) }
        headers.append(("Content-Type", "application/json"))
        if let idempotencyKey { headers.append(("Idempotency-Key", idempotencyKey)) }
        return HTTPRequest("POST", path + suffix, headers: headers, body: body.bytes)
    }

    private var write: (suffix: String, body: JSON)? {
        switch call {
        case .increment(let delta): ("/increment", ["value": .integer(delta)])
        case .push(let element): ("/push", ["value": .integer(element)])
        case .set(let value): ("", ["value": .integer(value)])
        case .compareAndSet(let expected, let value):
            ("", ["value": .integer(value), "updatedAt": .integer(expected)])
        case .read, .compareAndSwap, .remove: nil
        }
    }

    var isWrite: Bool { write != nil }

    /// What a 2xx, or a 404 of a read, shows; `nil` if it is not what the protocol promises.
    func outcome(_ response: HTTPResponse) -> Outcome? {
        if response.status == 404 {
            return isWrite || response.body.readableBytes > 0 ? nil : .answered(.absent, version: 0)
        }
        guard let json = try? JSON(parsing: response.bodyBytes), let item = Item(json),
            let shown = Self.observation(item.value, of: object)
        else { return nil }
        return .answered(shown, version: UInt64(item.updatedAt))
    }

    private static func observation(_ value: JSON, of object: String) -> Observation? {
        if let elements = value.elements {
            let numbers = elements.compactMap { $0.int.map(UInt64.init) }
            return numbers.count == elements.count ? .list(numbers) : nil
        }
        guard let number = value.int else { return nil }
        return Load.isRegister(object) ? .value(UInt64(number)) : .number(Int64(number))
    }
}
