import NIOHTTP1
import ObjectRuntime
import Placement
import TLS

@testable import EdgeNode

// Texts of clients: JSON, paths, bodies, events, tokens.

func fuzzJSON(_ bytes: [UInt8]) {
    guard (try? JSONScanner.check(bytes)) != nil else { return }
    _ = JSONInput(bytes)
    // A number has one text, and that text is the same number.
    let number = JSONNumber.parse(bytes)
    if number.isFinite {
        precondition(JSONNumber.parse(JSONNumber.text(number)) == number, "a number changes when it is written")
    }
}

func fuzzPaths(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    _ = percentDecoded(Substring(text).utf8)
    guard let target = RequestTarget(text) else { return }
    _ = target.parameter("prefix")
    for method in [.GET, .POST, .PUT, .DELETE, .PATCH] as [HTTPMethod] {
        _ = try? Route(method: method, segments: target.segments)
    }
}

/// A body for each kind of call; what is taken is executed.
func fuzzBodies(_ bytes: [UInt8]) {
    var rest = bytes[...]
    let kind = choice(&rest)
    guard let operation = operation(kind, Array(rest)) else { return }
    execute(operation)
}

private func operation(_ kind: UInt8, _ body: [UInt8]) -> Operation? {
    switch kind % 14 {
    case 0: try? OperationParser.setItem(body: body, name: "a", keyVersion: nil)
    case 1: try? OperationParser.setItems(body: body, keyVersion: 1)
    case 2: try? OperationParser.getItems(body: body)
    case 3: try? OperationParser.removeItems(body: body)
    case 4: try? OperationParser.increment(body: body, name: "a")
    case 5: try? OperationParser.decrement(body: body, name: "a")
    case 6: try? OperationParser.push(body: body, name: "a")
    case 7: try? OperationParser.splice(body: body, name: "a")
    case 8: try? OperationParser.merge(body: body, name: "a")
    case 9: try? OperationParser.setIn(body: body, name: "a")
    case 10: try? OperationParser.encryptionSettings(body: body)
    case 11: try? OperationParser.rotateEncryption(body: body)
    case 12: try? OperationParser.message(body: body, isText: false, keyVersion: nil)
    default: try? OperationParser.message(body: body, isText: true, keyVersion: 1)
    }
}

/// What the text of an item was makes atomic operations go other ways.
private let values = ["1", "[1,2,3]", #"{"a":{"b":[1]},"c":"d"}"#, "null"].map { Array($0.utf8) }

private func execute(_ operation: Operation) {
    for value in values {
        var shard = FuzzedShard()
        shard.run(.setItem(ItemWrite(name: "a", value: value)))
        shard.run(operation)
        shard.check()
    }
}

func fuzzClientEvents(_ bytes: [UInt8]) {
    guard let frame = ClientFrame.parse(bytes) else { return }
    _ = frame.identityToken.map { IdentityToken($0) }
}

nonisolated(unsafe) private let gateway = ExecutingGateway()

/// Tokens of every kind. Their signatures are wrong nearly always: what is read before that matters here.
func fuzzTokens(_ bytes: [UInt8]) {
    _ = IdentityToken(String(decoding: bytes, as: UTF8.self))
    guard let tenants = gateway.view.state?.tenants else { return }
    let signer = TokenSigner(clusterKeys: { ClusterKeys.none })
    _ = try? signer.claims(of: bytes, tenants: tenants)
    _ = try? Capability(bytes, tenants: tenants, clusterKeys: ClusterKeys.none)
    if let decoded = Base64.decode(bytes) { _ = JSONInput(decoded) }
    for algorithm in PublicKeyAlgorithm.allCases { _ = try? PublicKey(bytes, algorithm: algorithm) }
}
