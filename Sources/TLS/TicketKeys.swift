import COpenSSL
import Synchronization

/// The keys under which a server seals session tickets.
///
/// They rotate by time: the newest seals, the newest two open. So a stolen key opens the sessions of two periods
/// at most, and a ticket is good for at least one. Nothing is kept of a session but what its client brings back.
public final class TicketKeys: Sendable {
    public static let defaultPeriodMilliseconds: Int64 = 4 * 3_600_000

    struct Key: Sendable {
        static let nameByteCount = 16
        static let secretByteCount = 32
        let name: [UInt8]
        let cipherKey: [UInt8]
        let macKey: [UInt8]
        let madeAt: Int64
    }

    /// How a ticket that came back is to be taken.
    enum Found {
        case newest(Key)
        /// Good, but the client should get a new one.
        case older(Key)
    }

    public let periodMilliseconds: Int64
    private let now: @Sendable () -> Int64
    /// The newest first.
    private let keys = Mutex<[Key]>([])

    /// `now` is any clock in milliseconds that does not run backwards.
    public init(
        periodMilliseconds: Int64 = defaultPeriodMilliseconds, now: @escaping @Sendable () -> Int64
    ) {
        precondition(periodMilliseconds > 0, "a key seals for some time")
        self.periodMilliseconds = periodMilliseconds
        self.now = now
    }

    /// The key to seal with; a new one when it is time. Throws without entropy: then there is no ticket.
    func sealing() throws(CryptographyFailure) -> Key {
        let time = now()
        let result: Result<Key, CryptographyFailure> = keys.withLock { keys in
            dropOld(&keys, at: time)
            if let newest = keys.first, time - newest.madeAt < periodMilliseconds { return .success(newest) }
            do throws(CryptographyFailure) {
                let key = try makeKey(at: time)
                keys = [key] + keys.prefix(1)
                return .success(key)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The key of this name, if it is one of those that still open.
    func opening(name: [UInt8]) -> Found? {
        let time = now()
        return keys.withLock { keys in
            dropOld(&keys, at: time)
            guard let index = keys.firstIndex(where: { $0.name == name }) else { return nil }
            let isNewest = index == 0 && time - keys[0].madeAt < periodMilliseconds
            return isNewest ? .newest(keys[index]) : .older(keys[index])
        }
    }

    private func dropOld(_ keys: inout [Key], at time: Int64) {
        keys.removeAll { time - $0.madeAt >= 2 * periodMilliseconds }
    }

    private func makeKey(at time: Int64) throws(CryptographyFailure) -> Key {
        Key(
            name: try secureRandomBytes(Key.nameByteCount), cipherKey: try secureRandomBytes(Key.secretByteCount),
            macKey: try secureRandomBytes(Key.secretByteCount), madeAt: time)
    }
}

/// OpenSSL's question for a ticket's keys: 1 is yes, 2 is yes and give a new ticket, 0 is no, below is failure.
func ticketKeyCallback(
    ssl: OpaquePointer?, name: UnsafeMutablePointer<UInt8>?, iv: UnsafeMutablePointer<UInt8>?,
    cipher: OpaquePointer?, mac: OpaquePointer?, sealing: Int32
) -> Int32 {
    guard let ssl, let name, let iv, let keys = TLSContext.of(ssl)?.ticketKeys else { return 0 }
    if sealing == 1 {
        guard let key = try? keys.sealing(), RAND_bytes(iv, 16) == 1 else { return -1 }
        name.update(from: key.name, count: key.name.count)
        return holdfast_ticket_begin(cipher, mac, key.cipherKey, key.macKey, key.macKey.count, iv, 1) == 1 ? 1 : -1
    }
    let asked = Array(UnsafeBufferPointer(start: name, count: TicketKeys.Key.nameByteCount))
    guard let found = keys.opening(name: asked) else { return 0 }
    let key: TicketKeys.Key
    let needsAnother: Bool
    switch found {
    // With TLS 1.3 a client shows a ticket once, so that nobody knows it again by it (RFC 8446, appendix C.4):
    // without another one it could resume every second time only.
    case .newest(let newest): (key, needsAnother) = (newest, SSL_version(ssl) == TLS1_3_VERSION)
    case .older(let older): (key, needsAnother) = (older, true)
    }
    let began = holdfast_ticket_begin(cipher, mac, key.cipherKey, key.macKey, key.macKey.count, iv, 0)
    return began != 1 ? -1 : needsAnother ? 2 : 1
}
