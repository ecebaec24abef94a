// HoldfastClient: talk to a cluster from Swift.
//
// The module has two floors, for calls and for sockets alike.
//
// The lower one is made for load and for proofs. `HTTPConnection` is one keep-alive connection with one
// request in flight; requests are bytes that the caller prepared, answers come back by callback on the
// event loop. It never retries and hides nothing: what happened to a request is either an answer or one
// of the `HTTPFailure`s, which say whether the request can have been executed. `holdfast bench` and the
// chaos runner live here.
//
// The upper one is made for programs. `HoldfastClient` knows the calls on items, `AdminClient` the admin
// API; both send through a `ConnectionPool`, which reuses connections, goes on to the next endpoint when
// one is down, and tries again for as long as the call's time allows. Any node takes any call, so
// endpoints are interchangeable. `Subscription` hears of one object's events, and goes on at another node
// where it was when its socket is lost.
//
// What it promises:
// - A write takes effect once, however often it had to be sent: every write carries an `Idempotency-Key`,
//   the caller's or one made here, and the cluster gives a repeated key its first answer.
// - Errors are honest. `HoldfastError.applied` says `yes`, `no` or `unknown`, and it says `no` only when
//   the cluster did, or when the request never left.
// - No answer, however broken, traps: bodies and heads are bounded, parsed strictly, and refused whole.
//
// What is left out: TLS, pipelining, redirects, proxies, HTTP/2, HEAD. JSON
// numbers are kept as text, because a client library has no business rounding them.

import NIOCore

/// The calls on one project's objects. Cheap to copy; all copies share their connections.
public struct HoldfastClient: Sendable {
    public enum Credentials: Sendable, Hashable {
        case key(String, secret: String)
        case token(String)

        /// The `Authorization` header's value.
        public var authorization: String {
            switch self {
            case .key(let key, let secret): "Basic " + base64Encoded(Array("\(key):\(secret)".utf8))
            case .token(let token): "Bearer " + token
            }
        }
    }

    public let project: String
    private let pool: ConnectionPool
    private let authorization: String
    private var observer: (@Sendable (HTTPResponse) -> Void)?

    public init(pool: ConnectionPool, project: String, credentials: Credentials) {
        self.pool = pool
        self.project = project
        authorization = credentials.authorization
    }

    public init(
        endpoints: [Endpoint], project: String, credentials: Credentials, on eventLoop: any EventLoop,
        timeout: TimeAmount = .seconds(10)
    ) {
        let pool = ConnectionPool(endpoints: endpoints, on: eventLoop, timeout: timeout)
        self.init(pool: pool, project: project, credentials: credentials)
    }

    /// A copy that shows `body` each answer as it came, before it is read: for who checks the cluster itself.
    /// `body` may be called on any thread.
    public func observing(_ body: @escaping @Sendable (HTTPResponse) -> Void) -> HoldfastClient {
        var copy = self
        copy.observer = body
        return copy
    }

    public func close() async {
        await pool.close()
    }

    /// A token for these credentials.
    public func token() async throws(HoldfastError) -> String {
        try await answer(HTTPRequest("GET", path("auth/token")), isWrite: false).bodyText
    }

    /// A capability for one object; for an API key and its secret only.
    public func capability(_ wish: Capability.Wish) async throws(HoldfastError) -> String {
        let request = HTTPRequest("POST", path("auth/capability"), body: wish.json.bytes)
        return try await answer(request, isWrite: false).bodyText
    }

    // MARK: Sockets

    /// Where the object's sockets are opened, for `SocketClient` and `Subscription`.
    public static func socketTarget(project: String, _ object: ObjectName) -> String {
        "/project/\(percentEncoded(project))/ws/\(object.path)"
    }

    /// Sends to all subscribers of the object. Not stored, and sent once: when the answer gets lost, nobody
    /// knows whether it was delivered.
    public func send(_ message: JSON, to object: ObjectName) async throws(HoldfastError) {
        let request = HTTPRequest("POST", path("message", object), body: message.bytes)
        _ = try await answer(request, isWrite: true, isRepeatable: false)
    }

    /// Who has joined, in the order of joining.
    public func presence(of object: ObjectName) async throws(HoldfastError) -> [Member] {
        let request = HTTPRequest("GET", path("presence-list", object))
        let answer = try await document(request, isWrite: false)
        guard let elements = answer.elements else {
            throw Self.malformed("a list of members", isWrite: false)
        }
        return elements.compactMap(Member.init)
    }

    // MARK: Reading

    /// `nil` if there is no such item.
    public func getItem(_ name: String, of object: ObjectName) async throws(HoldfastError) -> Item? {
        let request = HTTPRequest("GET", path("cache", object, name))
        return try await optionalItem(request, isWrite: false)
    }

    /// Those of the named items that exist.
    public func getItems(_ names: [String], of object: ObjectName) async throws(HoldfastError) -> [(
        String, Item
    )] {
        let body = JSON.array(names.map(JSON.string)).bytes
        let request = HTTPRequest("POST", path("cache-query", object), body: body)
        return try await items(request, isWrite: false)
    }

    public func getAllItems(
        of object: ObjectName, prefix: String? = nil
    ) async throws(HoldfastError) -> [(String, Item)] {
        try await items(HTTPRequest("GET", path("cache", object, prefix: prefix)), isWrite: false)
    }

    public func getAllKeys(of object: ObjectName, prefix: String? = nil) async throws(HoldfastError)
        -> [String]
    {
        let request = HTTPRequest("GET", path("cache-keys", object, prefix: prefix))
        let answer = try await document(request, isWrite: false)
        guard let elements = answer.elements else { throw Self.malformed("a list of names", isWrite: false) }
        return elements.compactMap(\.text)
    }

    // MARK: Writing

    /// `nil` if `ifAbsent` found an item, which then stays as it is.
    @discardableResult
    public func setItem(
        _ name: String, _ value: JSON, of object: ObjectName, ifAbsent: Bool = false,
        _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item? {
        var members = [JSON.Member("value", value)] + options.members
        if ifAbsent { members.append(JSON.Member("ifAbsent", true)) }
        let request = write("POST", path("cache", object, name), members, options)
        return try await optionalItem(request, isWrite: true)
    }

    public func removeItem(
        _ name: String, of object: ObjectName, _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) {
        _ = try await answer(write("DELETE", path("cache", object, name), nil, options), isWrite: true)
    }

    /// Removes every item of the object.
    public func clear(_ object: ObjectName, _ options: WriteOptions = WriteOptions())
        async throws(HoldfastError)
    {
        _ = try await answer(write("DELETE", path("cache", object), nil, options), isWrite: true)
    }

    @discardableResult
    public func increment(
        _ name: String, by amount: Double = 1, of object: ObjectName, _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item {
        try await operation("increment", name, object, [JSON.Member("value", Self.number(amount))], options)
    }

    @discardableResult
    public func decrement(
        _ name: String, by amount: Double = 1, of object: ObjectName, _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item {
        try await operation("decrement", name, object, [JSON.Member("value", Self.number(amount))], options)
    }

    @discardableResult
    public func push(
        _ name: String, _ value: JSON, of object: ObjectName, _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item {
        try await operation("push", name, object, [JSON.Member("value", value)], options)
    }

    @discardableResult
    public func splice(
        _ name: String, startIndex: Int, deleteCount: Int, items: [JSON] = [], of object: ObjectName,
        _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item {
        let members = [
            JSON.Member("startIndex", .integer(startIndex)),
            JSON.Member("deleteCount", .integer(deleteCount)),
            JSON.Member("items", .array(items)),
        ]
        return try await operation("splice", name, object, members, options)
    }

    @discardableResult
    public func merge(
        _ name: String, _ value: JSON, of object: ObjectName, _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item {
        try await operation("merge", name, object, [JSON.Member("value", value)], options)
    }

    @discardableResult
    public func setIn(
        _ name: String, path: [String], _ value: JSON, of object: ObjectName,
        _ options: WriteOptions = WriteOptions()
    ) async throws(HoldfastError) -> Item {
        let members = [JSON.Member("path", .array(path.map(JSON.string))), JSON.Member("value", value)]
        return try await operation("set-in", name, object, members, options)
    }
}

extension HoldfastClient {
    private func path(_ rest: String) -> String {
        "/project/\(percentEncoded(project))/\(rest)"
    }

    private func path(_ noun: String, _ object: ObjectName, prefix: String? = nil) -> String {
        path("\(noun)/\(object.path)") + (prefix.map { "?prefix=" + percentEncoded($0) } ?? "")
    }

    private func path(_ noun: String, _ object: ObjectName, _ name: String) -> String {
        path("\(noun)/\(object.path)/\(percentEncoded(name))")
    }

    private func write(
        _ method: String, _ target: String, _ members: [JSON.Member]?, _ options: WriteOptions
    ) -> HTTPRequest {
        let key = options.idempotencyKey ?? randomIdempotencyKey()
        return HTTPRequest(
            method, target, headers: [("Idempotency-Key", key)], body: members.map { JSON.object($0).bytes })
    }

    private func operation(
        _ word: String, _ name: String, _ object: ObjectName, _ members: [JSON.Member],
        _ options: WriteOptions
    ) async throws(HoldfastError) -> Item {
        let request = write(
            "POST", path("cache", object, name) + "/" + word, members + options.members, options)
        guard let item = try await optionalItem(request, isWrite: true) else {
            throw Self.malformed("an item", isWrite: true)
        }
        return item
    }

    private func optionalItem(_ request: HTTPRequest, isWrite: Bool) async throws(HoldfastError) -> Item? {
        let answer = try await answer(request, isWrite: isWrite)
        if answer.status == 204 || answer.status == 404 { return nil }
        guard let json = try? JSON(parsing: answer.bodyBytes), let item = Item(json) else {
            throw Self.malformed("an item", isWrite: isWrite)
        }
        return item
    }

    private func items(_ request: HTTPRequest, isWrite: Bool) async throws(HoldfastError) -> [(String, Item)]
    {
        let answer = try await document(request, isWrite: isWrite)
        guard let members = answer.members else { throw Self.malformed("named items", isWrite: isWrite) }
        return members.compactMap { member in Item(member.value).map { (member.name, $0) } }
    }

    private func document(_ request: HTTPRequest, isWrite: Bool) async throws(HoldfastError) -> JSON {
        let answer = try await answer(request, isWrite: isWrite)
        guard let json = try? JSON(parsing: answer.bodyBytes) else {
            throw Self.malformed("a JSON document", isWrite: isWrite)
        }
        return json
    }

    /// A success, or a 404 without body, which means "no value". Reads have no effect and writes carry their
    /// key, so either may be sent again.
    private func answer(
        _ request: HTTPRequest, isWrite: Bool, isRepeatable: Bool = true
    ) async throws(HoldfastError) -> HTTPResponse {
        var request = request
        request.headers.append(("Authorization", authorization))
        if request.body != nil { request.headers.append(("Content-Type", "application/json")) }
        switch await pool.send(request, isRepeatable: isRepeatable) {
        case .failure(let failure): throw HoldfastError(failure: failure, isWrite: isWrite)
        case .success(let response):
            observer?(response)
            if response.isSuccess || (response.status == 404 && response.body.readableBytes == 0) {
                return response
            }
            throw HoldfastError(answer: response, isWrite: isWrite)
        }
    }

    private static func malformed(_ wanted: String, isWrite: Bool) -> HoldfastError {
        HoldfastError(.malformedAnswer, "the answer is not \(wanted)", applied: isWrite ? .yes : .no)
    }

    private static func number(_ value: Double) -> JSON {
        Int(exactly: value).map { .integer($0) } ?? .real(value)
    }
}

/// 128 random bits in hexadecimal.
public func randomIdempotencyKey() -> String {
    let digits = Array("0123456789abcdef".utf8)
    let characters = (0..<32).map { _ in digits[Int.random(in: 0..<16)] }
    return String(decoding: characters, as: UTF8.self)
}
