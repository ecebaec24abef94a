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
        var request = HTTPRequest(method, "/admin/v1/" + path, body: body?.bytes)
        if let authorization { request.headers.append(("Authorization", authorization)) }
        if body != nil { request.headers.append(("Content-Type", "application/json")) }
        switch await pool.send(request, isRepeatable: !isWrite) {
        case .failure(let failure): throw HoldfastError(failure: failure, isWrite: isWrite)
        case .success(let response):
            guard response.isSuccess else { throw HoldfastError(answer: response, isWrite: isWrite) }
            guard response.body.readableBytes > 0 else { return .null }
            guard let json = try? JSON(parsing: response.bodyBytes) else {
                throw HoldfastError(.malformedAnswer, "the answer is no JSON", applied: isWrite ? .yes : .no)
            }
            return json
        }
    }
}
