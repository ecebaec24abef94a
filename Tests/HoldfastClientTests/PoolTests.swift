import NIOCore
import NIOPosix
import Testing

@testable import HoldfastClient

/// A node that is slow to take in connections is not buried under them.
struct PoolTests {
    /// Opens nothing until it is told to. Used on its loop only, which makes it `Sendable`.
    private final class Gate: @unchecked Sendable {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        private var held: [(Endpoint, EventLoopPromise<HTTPConnection>)] = []
        private var isOpen = false
        private(set) var pending = 0
        private(set) var most = 0

        func connect(_ endpoint: Endpoint) -> EventLoopFuture<HTTPConnection> {
            let promise = loop.makePromise(of: HTTPConnection.self)
            pending += 1
            most = max(most, pending)
            if isOpen { begin(endpoint, promise) } else { held.append((endpoint, promise)) }
            return promise.futureResult
        }

        func open() {
            isOpen = true
            for (endpoint, promise) in held { begin(endpoint, promise) }
            held = []
        }

        func refuse() {
            for (_, promise) in held {
                pending -= 1
                promise.fail(HTTPFailure.notConnected("refused"))
            }
            held = []
        }

        private func begin(_ endpoint: Endpoint, _ promise: EventLoopPromise<HTTPConnection>) {
            let loop = loop
            HTTPConnection.connect(to: endpoint, on: loop).assumeIsolated().whenComplete { result in
                self.pending -= 1
                promise.completeWith(result)
            }
        }
    }

    private let gate = Gate()

    private func pool(_ endpoint: Endpoint) -> ConnectionPool {
        let gate = gate
        return ConnectionPool(endpoints: [endpoint], on: gate.loop, timeout: .seconds(30)) { gate.connect($0) }
    }

    /// Puts requests before the closed gate, until all of them have come to the pool's loop.
    private func gather(_ count: Int, _ pool: ConnectionPool) async throws -> [Task<Result<HTTPResponse, HTTPFailure>, Never>] {
        let tasks = (0..<count).map { _ in Task { await pool.send(HTTPRequest("GET", "/"), isRepeatable: true) } }
        let least = min(count, ConnectionPool.openingPerEndpointMax)
        while try await gate.loop.submit({ [gate, pool] in pool.waitingCount < count || gate.pending < least }).get() {
            await Task.yield()
        }
        return tasks
    }

    @Test func fewConnectionsAreOpenedAtOnceAndAllRequestsAreServed() async throws {
        let ok = ScriptedServer.Step.answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        let server = try await ScriptedServer(Array(repeating: ok, count: 200))
        let pool = pool(server.endpoint)
        let tasks = try await gather(200, pool)
        let before = try await gate.loop.submit { [gate] in gate.most }.get()
        #expect(before == ConnectionPool.openingPerEndpointMax)
        try await gate.loop.submit { [gate] in gate.open() }.get()
        for task in tasks {
            let status = try await task.value.get().status
            #expect(status == 200)
        }
        let after = try await gate.loop.submit { [gate] in gate.most }.get()
        #expect(after == ConnectionPool.openingPerEndpointMax)
        await pool.close()
        try await server.close()
    }

    @Test func aFailureIsOneForAllWhoWait() async throws {
        let ok = ScriptedServer.Step.answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        let server = try await ScriptedServer(Array(repeating: ok, count: 100))
        let pool = pool(server.endpoint)
        let tasks = try await gather(100, pool)
        let left = try await gate.loop.submit { [gate, pool] in
            gate.refuse()
            return pool.waitingCount
        }.get()
        #expect(left == 0)
        // Each tries again by itself.
        try await gate.loop.submit { [gate] in gate.open() }.get()
        for task in tasks {
            let status = try await task.value.get().status
            #expect(status == 200)
        }
        await pool.close()
        try await server.close()
    }
}
