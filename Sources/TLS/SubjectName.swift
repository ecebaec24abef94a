import COpenSSL
import Glibc

/// One of the names that a certificate is for.
public enum SubjectName: Hashable, Sendable {
    case dns(String)
    /// An address in text: `192.0.2.1`, `2001:db8::1`.
    case ip(String)
    case uri(String)
    case email(String)
}

extension SubjectName {
    /// How OpenSSL's configuration writes it; nil if the name has a character that would make it something else
    /// there, or is no such name at all.
    var configuration: String? {
        switch self {
        case .dns(let name):
            let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_*"
            return !name.isEmpty && name.utf8.count <= 253 && name.allSatisfy(letters.contains) ? "DNS:\(name)" : nil
        case .ip(let address): return addressBytes(address) == nil ? nil : "IP:\(address)"
        case .uri(let uri): return isPlain(uri) ? "URI:\(uri)" : nil
        case .email(let address): return isPlain(address) ? "email:\(address)" : nil
        }
    }

    private func isPlain(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 512
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !",;\"\\".utf8.contains($0) }
    }
}

/// The 4 or 16 bytes of an address in text; nil for anything else.
func addressBytes(_ text: String) -> [UInt8]? {
    for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
        var bytes = [UInt8](repeating: 0, count: count)
        if inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
}

private func addressText(_ bytes: [UInt8]) -> String? {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else {
        return nil
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func alternativeNames(_ certificate: OpaquePointer) -> [SubjectName] {
    let names = holdfast_alternative_names(certificate)
    defer { GENERAL_NAMES_free(names) }
    return (0..<holdfast_name_count(names)).compactMap { index in
        var start: UnsafePointer<UInt8>?
        var length: Int32 = 0
        let type = holdfast_name(names, index, &start, &length)
        let bytes = Array(UnsafeBufferPointer(start: start, count: Int(length)))
        // A zero inside a name has fooled comparers before: no such name is anybody's.
        guard type == GEN_IPADD || !bytes.contains(0) else { return nil }
        switch type {
        case GEN_DNS: return .dns(String(decoding: bytes, as: UTF8.self))
        case GEN_URI: return .uri(String(decoding: bytes, as: UTF8.self))
        case GEN_EMAIL: return .email(String(decoding: bytes, as: UTF8.self))
        case GEN_IPADD: return addressText(bytes).map { .ip($0) }
        default: return nil
        }
    }
}
