import NIOCore
import NIOPosix

@testable import HoldfastClient

/// A server on loopback that answers requests from a script, in the order in which they come.
final class ScriptedServer: @unchecked Sendable {
    enum Step {
        case answer(String)
        /// Takes the request and ends the connection.
        case hangUp
        /// Takes the request and stays silent.
        case silence
    }

    let endpoint: Endpoint
    private let channel: any Channel
    private let script: Script

    /// Requests that came, heads and bodies as they were sent.
    var requests: [String] {
        get async throws { try await channel.eventLoop.submit { self.script.requests }.get() }
    }

    /// Shared by the connections; used on one event loop.
    private final class Script: @unchecked Sendable {
        var steps: [Step]
        var requests: [String] = []

        init(_ steps: [Step]) {
            self.steps = steps
        }
    }

    init(_ steps: [Step]) async throws {
        let script = Script(steps)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.script = script
        channel = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        endpoint = Endpoint(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    func close() async throws {
        try await channel.close()
    }

    static func json(_ status: Int, _ body: String) -> Step {
        .answer(
            "HTTP/1.1 \(status) X\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let script: Script
        private var received = ""

        init(_ script: Script) {
            self.script = script
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received += String(buffer: unwrapInboundIn(data))
            guard isWhole else { return }
            script.requests.append(received)
            received = ""
            let step = script.steps.isEmpty ? Step.hangUp : script.steps.removeFirst()
            switch step {
            case .answer(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .hangUp: context.close(promise: nil)
            case .silence: break
            }
        }

        private var isWhole: Bool {
            let parts = received.components(separatedBy: "\r\n\r\n")
            guard parts.count > 1 else { return false }
            let lengths = parts[0].components(separatedBy: "Content-Length: ")
            guard lengths.count > 1, let length = Int(lengths[1].prefix { $0.isNumber }) else { return true }
            return received.utf8.count >= parts[0].utf8.count + 4 + length
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
