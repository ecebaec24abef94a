import Synchronization
import TLS

/// The certificates of a running node. They may be replaced while it runs: new connections get the new ones, those
/// that are open keep what they began with. Any thread.
final class NodeCertificates: Sendable {
    /// Fixed for the life of the process: a node that becomes another one is started anew.
    let own: PeerIdentity
    let files: CertificateFiles
    private let asks: NodeConfiguration.ClientCertificates
    private let ticketKeys: TicketKeys
    private let state: Mutex<State>

    private struct State {
        var set: CertificateSet
        /// The files as they were when they were read, and as they were last seen.
        var read: [FileStamp?]
        var seen: [FileStamp?]
    }

    /// What a reading has changed.
    struct Change: Equatable {
        /// Links that only a former authority vouches for are over.
        var changesAuthorities: Bool
    }

    init(
        _ files: CertificateFiles, name: String, asks: NodeConfiguration.ClientCertificates
    ) throws(TLSMaterialFault) {
        self.files = files
        self.asks = asks
        ticketKeys = TicketKeys(now: { Int64(SystemClocks.now().rawNs / 1_000_000) })
        // Before reading: what changes in between is noticed later.
        let stamps = files.stamps
        let set = try CertificateSet(files, name: name, asks: asks, ticketKeys: ticketKeys)
        own = set.own
        state = Mutex(State(set: set, read: stamps, seen: stamps))
    }

    var current: CertificateSet { state.withLock { $0.set } }

    /// Reads all files. If anything is wrong with any of them, nothing is replaced.
    func reload() throws(TLSMaterialFault) -> Change {
        let stamps = files.stamps
        let outcome: Result<CertificateSet, TLSMaterialFault>
        do throws(TLSMaterialFault) {
            let set = try CertificateSet(files, name: own.node, asks: asks, ticketKeys: ticketKeys)
            guard set.own == own else {
                throw .refused(file: files.nodeCertificate, reason: "it is the certificate of \(set.own), and this is \(own)")
            }
            outcome = .success(set)
        } catch {
            outcome = .failure(error)
        }
        return try state.withLock { state -> Result<Change, TLSMaterialFault> in
            // Bad files are not tried again until they change.
            (state.read, state.seen) = (stamps, stamps)
            return outcome.map { set in
                let before = state.set.authorities.map(\.derBytes)
                state.set = set
                return Change(changesAuthorities: before != set.authorities.map(\.derBytes))
            }
        }.get()
    }

    /// Reloads if the files are others than those that were read, and are left alone since the last look: a
    /// certificate and its key are two files, and are not replaced at one instant. Nil if there was nothing to do.
    func reloadIfChanged() throws(TLSMaterialFault) -> Change? {
        let stamps = files.stamps
        let isDue = state.withLock { state in
            defer { state.seen = stamps }
            return stamps != state.read && stamps == state.seen
        }
        return isDue ? try reload() : nil
    }
}
