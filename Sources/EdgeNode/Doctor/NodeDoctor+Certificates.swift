import Storage
import TLS

/// Certificates and keys, as the node would read them now.
extension NodeDoctor {
    static func examineCertificates(_ given: String?, nowMs: Int64, _ report: inout DoctorReport) {
        let noted = CertificateNote(dataDirectory: report.directory)?.files
        guard let files = given.map({ CertificateFiles(directory: $0) }) ?? noted else {
            return report.add(
                .init(
                    "certificates", .note, at: report.directory + "/tls",
                    "the node has none, or has not been started with them yet",
                    remedy: "Give --tls-directory to look at some. Without any, a node serves loopback only."))
        }
        do throws(TLSMaterialFault) {
            let set = try CertificateSet(files, name: try name(files, report), asks: .none, ticketKeys: nil)
            report.add(
                .init(
                    "certificates", .sound, at: files.directory,
                    "of \(set.own); \(set.clusterKeys.keys.count) cluster keys, the newest is "
                        + Hexadecimal.encode(set.clusterKeys.newest?.fingerprint ?? [])))
            for end in set.ends { examine(end, files, nowMs: nowMs, &report) }
        } catch {
            report.add(
                .init(
                    "certificates", .damaged, at: files.directory, "\(error)",
                    remedy: "Copy the node's directory from the authority's again, or make it anew with 'holdfast tls renew'."))
        }
    }

    /// Of the node that uses the directory; what the certificate says itself if none has used it.
    private static func name(
        _ files: CertificateFiles, _ report: DoctorReport
    ) throws(TLSMaterialFault) -> String {
        if let identity = try? DataDirectory.readIdentity(path: report.directory) { return identity.name }
        let chain = try Certificate.chain(
            pem: try PEMFile.read(files.nodeCertificate).pem, from: files.nodeCertificate)
        return PeerIdentity(uris: chain[0].uris)?.node ?? ""
    }

    private static func examine(
        _ end: CertificateSet.End, _ files: CertificateFiles, nowMs: Int64, _ report: inout DoctorReport
    ) {
        let leftMs = end.notAfterMs - nowMs
        guard leftMs < CertificateWatch.warnBeforeMs else { return }
        let days = leftMs / 86_400_000
        report.add(
            .init(
                "certificates", leftMs > 0 ? .warning : .damaged, at: files.directory,
                leftMs > 0 ? "\(end.name) (\(end.subject)) ends in \(days) days" : "\(end.name) (\(end.subject)) has ended",
                remedy: end.name.hasPrefix("ca")
                    ? "Replace the authority: 'holdfast tls renew --authority', and the steps behind it."
                    : "'holdfast tls renew', and copy the directory to the node."))
    }
}
