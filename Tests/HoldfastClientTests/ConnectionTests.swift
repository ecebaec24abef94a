import NIOCore
import NIOPosix
import Testing

@testable import HoldfastClient

@Suite struct ConnectionTests {
    private static let ok = ScriptedServer.Step.answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    /// Sends requests one after the other over one connection; answers what came back for each.
    private func exchange(
        _ steps: [ScriptedServer.Step], requests: Int, timeout: TimeAmount = .seconds(5)
    ) async throws -> [Result<Int, HTTPFailure>] {
        let server = try await ScriptedServer(steps)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let connection = try await HTTPConnection.connect(to: server.endpoint, on: loop).get()
        var results: [Result<Int, HTTPFailure>] = []
        for _ in 0..<requests {
            results.append(
                await withCheckedContinuation { continuation in
                    loop.execute {
                        connection.requestTimeout = timeout
                        connection.send(HTTPRequest("GET", "/").encoded(for: server.endpoint)) { result in
                            continuation.resume(returning: result.map(\.status))
                        }
                    }
                })
        }
        return results
    }

    @Test func keepsTheConnectionForTheNextRequest() async throws {
        #expect(
            try await exchange([Self.ok, Self.ok, Self.ok], requests: 3) == [
                .success(200), .success(200), .success(200),
            ])
    }

    @Test func tellsALostAnswerFromARequestThatWasNeverSent() async throws {
        let results = try await exchange([.hangUp], requests: 2)
        guard case .failure(.connectionLost) = results[0] else {
            Issue.record("expected a lost connection, got \(results[0])")
            return
        }
        guard case .failure(let second) = results[1] else {
            Issue.record("expected a failure, got \(results[1])")
            return
        }
        #expect(second.wasNeverSent)
    }

    @Test func endsAConnectionWhoseAnswerIsOverdue() async throws {
        let results = try await exchange([.silence], requests: 2, timeout: .milliseconds(20))
        #expect(results[0] == .failure(.timedOut))
        guard case .failure(.notConnected) = results[1] else {
            Issue.record("expected a closed connection, got \(results[1])")
            return
        }
    }

    @Test func endsAConnectionThatTalksNonsense() async throws {
        let results = try await exchange([.answer("220 mail ready\r\n\r\n")], requests: 1)
        guard case .failure(.malformed) = results[0] else {
            Issue.record("expected a malformed answer, got \(results[0])")
            return
        }
    }

    @Test func endsAConnectionThatAnswersTwice() async throws {
        let results = try await exchange(
            [
                .answer(
                    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                )
            ], requests: 2)
        #expect(results[0] == .success(200))
        guard case .failure(.notConnected) = results[1] else {
            Issue.record("expected a closed connection, got \(results[1])")
            return
        }
    }
}
