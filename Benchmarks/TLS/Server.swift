import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import TLS

/// One loop, and for each connection the handler of `kind` and an echo. Runs until it is killed.
func serve(_ kind: String, port: Int, _ files: BenchmarkFiles) throws {
    let makeTLS = try tlsHandlers(kind, files)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let channel = try ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1_024)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                if let handler = try makeTLS() { try channel.pipeline.syncOperations.addHandler(handler) }
                try channel.pipeline.syncOperations.addHandler(Echo())
            }
        }
        .bind(host: "127.0.0.1", port: port).wait()
    say("ready")
    try channel.closeFuture.wait()
}

private func tlsHandlers(_ kind: String, _ files: BenchmarkFiles) throws -> @Sendable () throws -> (any ChannelHandler)? {
    switch kind {
    case "plain": return { nil }
    case "bare":
        let context = try BareContext(certificate: files.certificate, key: files.key)
        return { BareTLS(context) }
    case "holdfast":
        let context = try TLSContext(
            .server(certificates: try files.read(files.certificate), privateKey: try files.read(files.key)),
            ticketKeys: TicketKeys { Int64(Date().timeIntervalSince1970) * 1_000 })
        return { TLSHandler(context: context) }
    case "nio-ssl":
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        let context = try NIOSSLContext(configuration: configuration)
        return { NIOSSLServerHandler(context: context) }
    default:
        throw UnknownKind(kind: kind)
    }
}

struct UnknownKind: Error {
    let kind: String
}

/// Gives back what it gets.
final class Echo: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
