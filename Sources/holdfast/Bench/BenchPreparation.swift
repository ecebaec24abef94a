import HoldfastClient

extension BenchWorkload {
    /// Makes every object before the clock runs; a refusal here ends the bench.
    func prepare(_ objectCount: Int, _ target: BenchTarget, _ pool: ConnectionPool) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let lanes = min(16, objectCount)
            for lane in 0..<lanes {
                group.addTask {
                    for object in stride(from: lane, to: objectCount, by: lanes) {
                        try await Self.check(pool.send(preparation(target, object: object), isRepeatable: true))
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func check(_ result: Result<HTTPResponse, HTTPFailure>) throws {
        switch result {
        case .success(let response) where response.isSuccess: return
        case .success(let response): throw HoldfastError(answer: response, isWrite: true)
        case .failure(let failure): throw failure
        }
    }
}
