import TLS

/// What a parent proves itself with when it tells of a death: the node's certificate, read and made ready while nobody
/// is dead. The first use of OpenSSL in a process, and each context, take milliseconds that would count as takeover.
struct ObituarySecurity {
    private let files: CertificateFiles
    private var seen: [FileStamp?] = []
    private var context: TLSContext?
    private var fault: TLSMaterialFault?

    init(_ files: CertificateFiles) {
        self.files = files
    }

    /// Takes up files that have changed; bad ones leave the former in force, as they do in the node.
    mutating func refresh() {
        // Before reading: what changes in between is noticed later.
        let stamps = files.stamps
        guard stamps != seen else { return }
        seen = stamps
        do throws(TLSMaterialFault) {
            context = try CertificateSet.dialing(files)
        } catch {
            fault = error
        }
    }

    mutating func current() throws(TLSMaterialFault) -> TLSContext {
        refresh()
        if let context { return context }
        throw fault ?? .refused(file: files.nodeCertificate, reason: "it was not read")
    }
}
