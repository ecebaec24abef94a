import Synchronization
import TLS

/// A peer's link that was not taken, or was closed for what came over it.
struct LinkRejection: Error, Equatable {
    enum Cause: String, CaseIterable {
        /// Not TLS at all.
        case plaintext
        /// No certificate, or TLS that came to no end.
        case handshake
        /// A certificate that none of our authorities has made, or that is over.
        case certificate
        /// No authority of ours vouches for a certificate that was good before.
        case formerAuthority = "former_authority"
        /// A certificate that names no node.
        case noIdentity = "no_identity"
        case otherCluster = "other_cluster"
        case otherNode = "other_node"
        case removedNode = "removed_node"
        case olderProcess = "older_process"
        /// Not what a peer says.
        case malformed
        /// Nothing, for so long that nobody may be there.
        case silent
    }

    var cause: Cause
    /// Who it was, as far as that was proven or claimed.
    var peer: String
    var reason: String
}

extension LinkRejection.Cause {
    /// A link that ended before anybody was proven to be there.
    init(_ error: any Error) {
        switch error as? TLSError {
        case .notTLS: self = .plaintext
        case .certificateRefused: self = .certificate
        default: self = .handshake
        }
    }

    init?(_ verdict: PeerHelloAnswer.Verdict) {
        switch verdict {
        case .welcome: return nil
        case .otherCluster: self = .otherCluster
        case .olderProcess: self = .olderProcess
        case .otherNode: self = .otherNode
        case .removedNode: self = .removedNode
        }
    }
}

/// How many links were rejected, by cause. Any thread.
final class RejectionCounts: Sendable {
    private struct Count {
        var total: UInt64 = 0
        var told: UInt64 = 0
        var toldAtMs: UInt64 = 0
    }

    private let counts = Mutex<[LinkRejection.Cause: Count]>([:])
    /// Whoever knocks at the port writes no more of the log than this.
    static let tellEveryMs: UInt64 = 1_000

    /// How many there were since the last one that was told of, this one included; nil if this is not to be told.
    func add(_ cause: LinkRejection.Cause, nowMs: UInt64) -> UInt64? {
        counts.withLock { counts in
            var count = counts[cause] ?? Count()
            defer { counts[cause] = count }
            count.total += 1
            guard count.told == 0 || nowMs >= count.toldAtMs + Self.tellEveryMs else { return nil }
            defer { (count.told, count.toldAtMs) = (count.total, nowMs) }
            return count.total - count.told
        }
    }

    var byCause: [String: UInt64] {
        counts.withLock { counts in
            Dictionary(uniqueKeysWithValues: LinkRejection.Cause.allCases.map { ($0.rawValue, counts[$0]?.total ?? 0) })
        }
    }
}
