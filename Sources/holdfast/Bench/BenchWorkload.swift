import ArgumentParser
import HoldfastClient
import NIOCore

/// What every connection of a run asks for, over and over.
enum BenchWorkload: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// Durable increments, spread over many objects.
    case incrementSpread = "increment-spread"
    /// Durable increments of one item of one object.
    case incrementOne = "increment-one"
    /// Reads of small items, spread over many objects.
    case get
    /// Durable writes of a 64-byte value, spread over many objects.
    case set64

    func objectCount(_ spread: Int) -> Int {
        self == .incrementOne ? 1 : spread
    }

    /// The request for one object, as it goes out.
    func request(_ target: BenchTarget, object: Int) -> HTTPRequest {
        let item = target.path(object: object)
        switch self {
        case .incrementSpread, .incrementOne:
            return target.write("POST", item + "/increment", #"{"value":1}"#)
        case .get:
            return HTTPRequest("GET", item, headers: [("Authorization", target.authorization)])
        case .set64:
            return target.write("POST", item, Self.setBody)
        }
    }

    /// The request that makes an object ready for the run.
    func preparation(_ target: BenchTarget, object: Int) -> HTTPRequest {
        let body = self == .get || self == .set64 ? Self.setBody : #"{"value":0}"#
        return target.write("POST", target.path(object: object), body)
    }

    /// 62 letters and their quotes: 64 bytes of JSON.
    private static let setBody = #"{"value":""# + String(repeating: "h", count: 62) + #""}"#
}

/// Where a run's requests go.
struct BenchTarget: Sendable {
    var endpoints: [Endpoint]
    var project: String
    var authorization: String
    /// Begins the objects' names.
    var label: String

    func path(object: Int) -> String {
        "/project/\(percentEncoded(project))/cache/bench/\(label)-\(object)/n"
    }

    func write(_ method: String, _ target: String, _ body: String) -> HTTPRequest {
        HTTPRequest(
            method, target,
            headers: [("Authorization", authorization), ("Content-Type", "application/json")],
            body: Array(body.utf8))
    }
}
