import NIOCore

/// Connections by the address they come from: an IPv4 address, or the first 64 bits of an IPv6 one, which one
/// customer of a network has for itself. There are no more entries than connections.
struct AddressTable {
    enum Address: Hashable {
        case version4(UInt32)
        case version6(UInt64)
        /// Of no address: a socket of the file system.
        case none

        init(_ address: SocketAddress?) {
            switch address {
            case .v4(let address): self = .version4(address.address.sin_addr.s_addr)
            case .v6(let address):
                var bytes = address.address.sin6_addr
                self = withUnsafeBytes(of: &bytes) { bytes in
                    // An IPv4 client of a socket that listens for both.
                    bytes.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
                        ? .version4(bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
                        : .version6(bytes.loadUnaligned(as: UInt64.self))
                }
            case .unixDomainSocket, nil: self = .none
            }
        }
    }

    private var counts: [Address: Int] = [:]

    var count: Int { counts.count }

    /// Whether one more connection of this address is within `limit`; if so it is counted until `leave`.
    mutating func enter(_ address: Address, limit: Int) -> Bool {
        let count = counts[address, default: 0]
        guard count < limit else { return false }
        counts[address] = count + 1
        return true
    }

    mutating func leave(_ address: Address) {
        guard let count = counts[address] else { preconditionFailure("who leaves has entered") }
        counts[address] = count > 1 ? count - 1 : nil
    }
}
