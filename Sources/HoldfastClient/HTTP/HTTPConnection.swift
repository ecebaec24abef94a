import NIOCore
import NIOPosix

/// Why a request got no answer.
public enum HTTPFailure: Error, Sendable, Equatable {
    /// Nothing was sent: nobody listens there, or nobody answered the connect in time.
    case notConnected(String)
    /// The connection ended after the request had been handed to it: it may have been executed.
    case connectionLost(String)
    /// No answer within the request's time: it may be executed yet. The connection is closed.
    case timedOut
    /// What came back was no HTTP response: the request may have been executed.
    case malformed(String)

    /// The request certainly never left this process.
    public var wasNeverSent: Bool {
        if case .notConnected = self { true } else { false }
    }
}

/// One keep-alive connection with at most one request in flight.
///
/// Made for load: requests are bytes that the caller built once, answers arrive by callback on the
/// event loop, nothing is allocated per request but what the answer itself needs. Every member is
/// used on `eventLoop` only, and checked to be; that confinement is what makes it `Sendable`.
public final class HTTPConnection: ChannelInboundHandler, @unchecked Sendable {
    public typealias InboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer
    public typealias Completion = (Result<HTTPResponse, HTTPFailure>) -> Void

    public let endpoint: Endpoint
    public let eventLoop: any EventLoop
    /// How long an answer may take; 0 waits as long as the connection lives.
    public var requestTimeout = TimeAmount.zero
    /// Called once when the connection has ended while no request was in flight.
    public var onIdleClose: (() -> Void)?

    private var context: ChannelHandlerContext?
    private var parser = HTTPResponseParser()
    private var completion: Completion?
    private var deadline = NIODeadline.distantFuture
    private var watchdog: Scheduled<Void>?
    private var watchdogTime = NIODeadline.distantFuture

    private init(endpoint: Endpoint, eventLoop: any EventLoop) {
        self.endpoint = endpoint
        self.eventLoop = eventLoop
    }

    /// Connects; the future fails with `HTTPFailure.notConnected`.
    public static func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop, timeout: TimeAmount = .seconds(5)
    ) -> EventLoopFuture<HTTPConnection> {
        let connection = HTTPConnection(endpoint: endpoint, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try endpoint.addTLS(to: channel)
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
        return endpoint.connect(bootstrap).map { _ in connection }.flatMapErrorThrowing { error in
            throw HTTPFailure.notConnected("\(endpoint): \(plainText(of: error))")
        }
    }

    public var isOpen: Bool { context != nil }
    public var isBusy: Bool { completion != nil }

    /// Sends a whole request. `completion` runs on the event loop, exactly once, and may send the next.
    public func send(_ request: ByteBuffer, completion: @escaping Completion) {
        eventLoop.preconditionInEventLoop()
        precondition(self.completion == nil, "one request in flight per connection")
        guard let context else {
            completion(.failure(.notConnected("\(endpoint): connection is closed")))
            return
        }
        self.completion = completion
        if requestTimeout > .zero {
            deadline = .now() + requestTimeout
            if watchdog == nil || deadline < watchdogTime { watch(until: deadline) }
        }
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    public func close() {
        eventLoop.preconditionInEventLoop()
        context?.close(promise: nil)
    }

    // One timer serves all requests of the connection: it looks again when it has come too early.
    private func watch(until time: NIODeadline) {
        watchdog?.cancel()
        watchdogTime = time
        watchdog = eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            self.watchdog = nil
            guard self.completion != nil else { return }
            if NIODeadline.now() < self.deadline {
                self.watch(until: self.deadline)
            } else {
                self.end(.timedOut)
            }
        }
    }

    private func end(_ failure: HTTPFailure) {
        let open = context
        context = nil
        watchdog?.cancel()
        watchdog = nil
        if let waiting = completion {
            completion = nil
            waiting(.failure(failure))
        } else {
            let notify = onIdleClose
            onIdleClose = nil
            notify?()
        }
        open?.close(promise: nil)
    }

    private func deliver(_ response: HTTPResponse) {
        guard let waiting = completion else {
            end(.malformed("an answer that nobody asked for"))
            return
        }
        completion = nil
        if !response.keepsAlive {
            let open = context
            context = nil
            open?.close(promise: nil)
        }
        waiting(.success(response))
    }

    // MARK: ChannelInboundHandler

    public func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        parser.receive(unwrapInboundIn(data))
        do {
            while let response = try parser.next() { deliver(response) }
        } catch {
            end(.malformed(error.reason))
        }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        if let response = try? parser.finish() { deliver(response) }
        if self.context != nil || completion != nil { end(.connectionLost("\(endpoint): connection closed")) }
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.connectionLost("\(endpoint): \(plainText(of: error))"))
    }
}

extension Endpoint {
    /// Without asking the resolver where the host is an address.
    func connect(_ bootstrap: ClientBootstrap) -> EventLoopFuture<any Channel> {
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            return bootstrap.connect(to: address)
        }
        return bootstrap.connect(host: host, port: port)
    }
}

/// What the system calls an error, without the library's own words around it.
func plainText(of error: any Error) -> String {
    if let error = error as? IOError { return systemErrorText(error.errnoCode) }
    if let error = error as? NIOConnectionError, let first = error.connectionErrors.first {
        return plainText(of: first.error)
    }
    return "\(error)"
}
