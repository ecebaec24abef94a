import Logging
import TLS

/// Looks after a node's certificates on its first loop: takes up new ones, and says in time when they end.
struct CertificateWatch {
    /// Renewals are due from here on.
    static let warnBeforeMs: Int64 = 30 * 86_400_000
    private static let tellEveryMs: Int64 = 86_400_000

    private var toldAtMs: Int64?

    /// Every few seconds.
    mutating func look(_ node: NodeShared, nowMs: Int64) {
        guard let certificates = node.peerSecurity?.certificates else { return }
        do throws(TLSMaterialFault) {
            if let change = try certificates.reloadIfChanged() { taken(change, node) }
        } catch {
            complain(error, node)
        }
        guard toldAtMs.map({ nowMs >= $0 + Self.tellEveryMs }) ?? true else { return }
        toldAtMs = nowMs
        for end in certificates.current.ends { tell(end, node, nowMs) }
    }

    /// Somebody has asked for it (SIGHUP).
    mutating func reload(_ node: NodeShared) {
        guard let certificates = node.peerSecurity?.certificates else { return }
        do throws(TLSMaterialFault) {
            taken(try certificates.reload(), node)
        } catch {
            complain(error, node)
        }
    }

    private mutating func taken(_ change: NodeCertificates.Change, _ node: NodeShared) {
        toldAtMs = nil
        node.logger.notice("new connections use the certificates that were read now", metadata: [
            "directory": "\(node.peerSecurity?.certificates.files.directory ?? "")",
        ])
        for loop in node.loops { loop.eventLoop.execute { loop.http?.forgetProofs() } }
        guard change.changesAuthorities else { return }
        for loop in node.loops { loop.eventLoop.execute { loop.checkLinksAgain() } }
    }

    private func complain(_ fault: TLSMaterialFault, _ node: NodeShared) {
        node.logger.error("certificates cannot be used; the former ones stay", metadata: ["because": "\(fault)"])
    }

    private func tell(_ end: CertificateSet.End, _ node: NodeShared, _ nowMs: Int64) {
        let leftMs = end.notAfterMs - nowMs
        guard leftMs < Self.warnBeforeMs else { return }
        let metadata: Logger.Metadata = [
            "certificate": "\(end.name)", "subject": "\(end.subject)", "days": "\(leftMs / 86_400_000)",
        ]
        if leftMs > 0 {
            node.logger.warning("a certificate ends soon: 'holdfast tls renew'", metadata: metadata)
        } else {
            node.logger.critical("a certificate has ended, and others refuse it: 'holdfast tls renew'", metadata: metadata)
        }
    }
}
