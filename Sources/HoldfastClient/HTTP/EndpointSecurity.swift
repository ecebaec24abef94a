import NIOCore
import Synchronization
import TLS

// TLS towards nodes: whom to trust, and what to show, stands in the endpoint.

extension Endpoint {
    /// To be added to a channel before everything else. Throws if a file cannot be read or used.
    func addTLS(to channel: any Channel) throws {
        guard usesTLS else { return }
        let context = try EndpointContexts.shared.context(of: self)
        try channel.pipeline.syncOperations.addHandler(TLSHandler(context: context, peerName: TLSPeerName(host)))
    }
}

/// One context for all connections that use the same files, as they were when they were first read. Any thread.
private final class EndpointContexts: Sendable {
    static let shared = EndpointContexts()

    private struct Files: Hashable {
        var authorityFile: String?
        var ownCertificate: Endpoint.OwnCertificate?
    }

    private let contexts = Mutex<[Files: TLSContext]>([:])

    func context(of endpoint: Endpoint) throws -> TLSContext {
        let files = Files(authorityFile: endpoint.authorityFile, ownCertificate: endpoint.ownCertificate)
        return try contexts.withLock { contexts in
            if let known = contexts[files] { return known }
            let context = try TLSContext(try Self.settings(files))
            contexts[files] = context
            return context
        }
    }

    private static func settings(_ files: Files) throws -> TLSSettings {
        var settings = TLSSettings(role: .client)
        settings.roots = try files.authorityFile.map(material)
        settings.certificates = try files.ownCertificate.map { try material($0.file) }
        settings.privateKey = try files.ownCertificate.map { try material($0.keyFile) }
        settings.applicationProtocols = ["http/1.1"]
        return settings
    }

    private static func material(_ file: String) throws -> TLSSettings.Material {
        .init(pem: try LocalFile.read(file), file: file)
    }
}
