import NIOCore

/// The admin API: JSON in, JSON out, with a bearer token.
public struct AdminClient: Sendable {
    private let pool: ConnectionPool
    private let authorization: String?

    public init(pool: ConnectionPool, token: String?) {
        self.pool = pool
        authorization = token.map { "Bearer " + $0 }
    }

    /// `path` starts behind `/admin/v1/` and is encoded already.
    public func get(_ path: String) async throws(HoldfastError) -> JSON {
        try await call("GET", path, body: nil)
    }

    /// Admin commands are not idempotent by key, so a lost answer is reported and not tried again.
    public func post(_ path: String, _ body: JSON) async throws(HoldfastError) -> JSON {
        try await call("POST", path, body: body)
    }

    public func delete(_ path: String) async throws(HoldfastError) -> JSON {
        try await call("DELETE", path, body: nil)
    }

    private func call(_ method: String, _ path: String, body: JSON?) async throws(HoldfastError) -> JSON {
        let isWrite = method != "GET"
        let response = try await exchange(
            method, path, body: body?.bytes, type: body == nil ? nil : "application/json", isRepeatable: !isWrite)
        guard response.body.readableBytes > 0 else { return .null }
        guard let json = try? JSON(parsing: response.bodyBytes) else {
            throw HoldfastError(.malformedAnswer, "the answer is no JSON", applied: isWrite ? .yes : .no)
        }
        return json
    }

    /// What is no JSON: files of backups.
    public func getBytes(_ path: String) async throws(HoldfastError) -> [UInt8] {
        try await exchange("GET", path, body: nil, type: nil, isRepeatable: true).bodyBytes
    }

    /// For calls that may come twice. The answer is JSON.
    public func postBytes(_ path: String, _ body: [UInt8]) async throws(HoldfastError) -> JSON {
        let response = try await exchange(
            "POST", path, body: body, type: "application/octet-stream", isRepeatable: true)
        guard let json = try? JSON(parsing: response.bodyBytes) else {
            throw HoldfastError(.malformedAnswer, "the answer is no JSON", applied: .yes)
        }
        return json
    }

    private func exchange(
        _ method: String, _ path: String, body: [UInt8]?, type: String?, isRepeatable: Bool
    ) async throws(HoldfastError) -> HTTPResponse {
        var request = HTTPRequest(method, "/admin/v1/" + path, body: body)
        if let authorization { request.headers.append(("Authorization", authorization)) }
        if let type { request.headers.append(("Content-Type", type)) }
        switch await pool.send(request, isRepeatable: isRepeatable) {
        case .failure(let failure): throw HoldfastError(failure: failure, isWrite: method != "GET")
        case .success(let response):
            guard response.isSuccess else { throw HoldfastError(answer: response, isWrite: method != "GET") }
            return response
        }
    }

    /// Ends its connections.
    public func close() async { await pool.close() }
}
