import Binary
import Cluster
import NIOHTTP1
import ObjectRuntime

// From a route, headers and body to the operation that the object's owner executes.

extension HTTPEdge {
    func objectRequest(
        _ route: ObjectRoute, target: RequestTarget, request: HTTPRequest, caller: Caller
    ) throws(HTTPFault) -> ClientRequest {
        let asked: Operation
        do throws(Refusal) {
            asked = try route.call.operation(target: target, request: request)
        } catch {
            throw HTTPFault(error, applied: .no)
        }
        let operation = try caller.grant.narrowed(asked)
        let idempotency = try idempotencyKey(request, caller: caller)
        return ClientRequest(
            project: route.project, objectClass: route.objectClass, objectID: route.objectID,
            operation: operation, idempotency: operation.isWrite ? idempotency : nil,
            minimumIndex: operation.isWrite ? nil : try minimumIndex(request))
    }

    private func minimumIndex(_ request: HTTPRequest) throws(HTTPFault) -> UInt64? {
        guard let text = request.headers.minimumIndex else { return nil }
        guard let index = UInt64(digits: text) else {
            throw .validation("minIndex", "Holdfast-Min-Index must be a whole number.")
        }
        return index
    }

    private func idempotencyKey(_ request: HTTPRequest, caller: Caller) throws(HTTPFault) -> IdempotencyKey?
    {
        guard let key = request.headers.idempotencyKey else { return nil }
        guard (1...128).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .validation(
                "idempotencyKey", "Idempotency-Key must be 1 to 128 printable ASCII characters.")
        }
        return IdempotencyKey(apiKey: caller.identity, key: key, requestHash: requestHash(request))
    }
}

extension ObjectCall {
    func operation(target: RequestTarget, request: HTTPRequest) throws(Refusal) -> Operation {
        switch self {
        case .setItem(let name):
            try OperationParser.setItem(
                body: request.bodyBytes, name: name, keyVersion: try keyVersion(request))
        case .setItems:
            try OperationParser.setItems(body: request.bodyBytes, keyVersion: try keyVersion(request))
        case .getItem(let name): try OperationParser.getItem(name: name)
        case .getItems: try OperationParser.getItems(body: request.bodyBytes)
        case .getAllItems: OperationParser.getAll(prefix: target.parameter("prefix") ?? "")
        case .getAllKeys: OperationParser.keys(prefix: target.parameter("prefix") ?? "")
        case .removeItem(let name): try OperationParser.removeItem(name: name)
        case .removeItemsOrClear: try removal(request)
        case .atomic(let word, let name): try atomic(word, name, request)
        case .encryptionSettings: try OperationParser.encryptionSettings(body: request.bodyBytes)
        case .rotateEncryption: try OperationParser.rotateEncryption(body: request.bodyBytes)
        case .presenceList: .presenceList
        case .message: try message(request)
        }
    }

    private func atomic(_ word: String, _ name: String, _ request: HTTPRequest) throws(Refusal) -> Operation
    {
        guard let operation = try OperationParser.atomic(word: word, body: request.bodyBytes, name: name)
        else {
            throw .invalid("operation", "There is no operation of this name.")
        }
        return operation
    }

    /// A proxy that strips bodies would otherwise turn "remove these" into "remove all": a content
    /// type without a body is refused.
    private func removal(_ request: HTTPRequest) throws(Refusal) -> Operation {
        if request.hasBody { return try OperationParser.removeItems(body: request.bodyBytes) }
        guard request.headers.contentType == nil else {
            throw .invalid("body.missing", "There is a Content-Type but no body; nothing was removed.")
        }
        return OperationParser.clear()
    }

    /// Encrypted payloads come as text: what looks like JSON in them is none.
    private func message(_ request: HTTPRequest) throws(Refusal) -> Operation {
        guard request.hasBody else { throw .invalid("body.missing", "A message needs a body.") }
        let isText = request.headers.contentType?.lowercased().hasPrefix("text/plain") ?? false
        return try OperationParser.message(
            body: request.bodyBytes, isText: isText, keyVersion: try keyVersion(request))
    }

    private func keyVersion(_ request: HTTPRequest) throws(Refusal) -> UInt64? {
        guard let text = request.headers.encryptionKeyVersion else { return nil }
        guard let version = UInt64(digits: text) else {
            throw .invalid("keyVersion", "X-Enc-KV must be a whole number.")
        }
        return version
    }
}

extension UInt64 {
    /// A number of digits only; `UInt64(_:)` would take a sign too.
    init?(digits text: String) {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        self.init(text)
    }
}

/// Tells another request with the same idempotency key. The same on every node and in every release,
/// since a retry may come to any of them.
private func requestHash(_ request: HTTPRequest) -> UInt64 {
    var writer = ByteWriter(reserving: (request.body?.readableBytes ?? 0) + request.uri.utf8.count + 16)
    writer.writeString(request.method.rawValue)
    writer.writeString(request.uri)
    if let body = request.body { writer.writeRaw(body.readableBytesView) }
    return SipHash(key0: 0x1d, key1: 0x4b).hash(writer.bytes)
}
