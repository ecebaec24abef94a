import NIOCore
import Synchronization
import TLS

// TLS towards nodes: whom to trust stands in the endpoint.

extension Endpoint {
    /// To be added to a channel before everything else. Throws if the authorities cannot be read.
    func addTLS(to channel: any Channel) throws {
        guard usesTLS else { return }
        let context = try TrustedContexts.shared.context(authorityFile: authorityFile)
        try channel.pipeline.syncOperations.addHandler(TLSHandler(context: context, peerName: TLSPeerName(host)))
    }
}

/// One context for all connections that trust the same file, as it was when it was first read. Any thread.
private final class TrustedContexts: Sendable {
    static let shared = TrustedContexts()

    private let contexts = Mutex<[String?: TLSContext]>([:])

    func context(authorityFile: String?) throws -> TLSContext {
        try contexts.withLock { contexts in
            if let known = contexts[authorityFile] { return known }
            var settings = TLSSettings(role: .client)
            settings.roots = try authorityFile.map { .init(pem: try LocalFile.read($0), file: $0) }
            settings.applicationProtocols = ["http/1.1"]
            let context = try TLSContext(settings)
            contexts[authorityFile] = context
            return context
        }
    }
}
