import COpenSSL

/// Keys come from configuration, which has a bound of its own; nothing longer is looked at.
private let readBytesMax = 16_384
private let ed25519ByteCount = 32

/// The caller owns the key.
func readPublicKey(
    _ bytes: [UInt8], algorithm: PublicKeyAlgorithm
) throws(PublicKeyFault) -> OpaquePointer {
    guard !bytes.isEmpty, bytes.count <= readBytesMax else { throw .unreadable }
    if algorithm == .ed25519, bytes.count == ed25519ByteCount {
        guard let key = EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, bytes, bytes.count) else {
            throw .unreadable
        }
        return key
    }
    var document = (label: "", der: bytes)
    if isPEM(bytes) {
        guard let read = readPEM(bytes) else { throw .unreadable }
        document = read
    }
    guard let key = try readDocument(label: document.label, der: document.der) else { throw .unreadable }
    return key
}

/// DER says by itself what it holds; PEM says so by its label, which is then believed.
private func readDocument(label: String, der: [UInt8]) throws(PublicKeyFault) -> OpaquePointer? {
    switch label {
    case "": holdfast_key_from_info(der, der.count) ?? holdfast_key_from_pkcs1(der, der.count)
    case "PUBLIC KEY": holdfast_key_from_info(der, der.count)
    case "RSA PUBLIC KEY": holdfast_key_from_pkcs1(der, der.count)
    case _ where label.hasSuffix("PRIVATE KEY"): throw .privateKey
    default: nil
    }
}

private func isPEM(_ bytes: [UInt8]) -> Bool {
    let mark = Array("-----BEGIN ".utf8)
    guard bytes.count > mark.count else { return false }
    return (0...bytes.count - mark.count).contains { bytes[$0...].starts(with: mark) }
}

/// The first document in PEM text.
private func readPEM(_ text: [UInt8]) -> (label: String, der: [UInt8])? {
    text.withUnsafeBytes { input -> (label: String, der: [UInt8])? in
        guard let source = BIO_new_mem_buf(input.baseAddress, Int32(input.count)) else { return nil }
        defer { BIO_free(source) }
        var label: UnsafeMutablePointer<CChar>?
        var header: UnsafeMutablePointer<CChar>?
        var data: UnsafeMutablePointer<UInt8>?
        var length = 0
        defer {
            holdfast_free(label)
            holdfast_free(header)
            holdfast_free(data)
        }
        guard PEM_read_bio(source, &label, &header, &data, &length) == 1, let label, let data else {
            return nil
        }
        return (String(cString: label), Array(UnsafeBufferPointer(start: data, count: length)))
    }
}

func checkPublicKey(_ key: OpaquePointer, algorithm: PublicKeyAlgorithm) throws(PublicKeyFault) {
    switch algorithm {
    case .ed25519:
        guard EVP_PKEY_is_a(key, "ED25519") == 1 else { throw .wrongType }
        guard !hasSmallOrder(try rawBytes(key)) else { throw .weak }
    case .rsaSHA256:
        guard EVP_PKEY_is_a(key, "RSA") == 1 else { throw .wrongType }
        let bits = Int(EVP_PKEY_get_bits(key))
        guard PublicKey.rsaBits.contains(bits) else { throw .wrongSize(bits: bits) }
    case .ecdsaP256SHA256:
        guard EVP_PKEY_is_a(key, "EC") == 1 else { throw .wrongType }
        guard curveName(key) == "prime256v1" else { throw .wrongCurve }
    }
}

private func curveName(_ key: OpaquePointer) -> String? {
    var name = [CChar](repeating: 0, count: 64)
    var length = 0
    guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else { return nil }
    return String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func rawBytes(_ key: OpaquePointer) throws(PublicKeyFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: ed25519ByteCount)
    var length = bytes.count
    guard EVP_PKEY_get_raw_public_key(key, &bytes, &length) == 1, length == bytes.count else {
        throw .unreadable
    }
    return bytes
}

func encodePublicKey(_ key: OpaquePointer) throws(PublicKeyFault) -> [UInt8] {
    var encoded: UnsafeMutablePointer<UInt8>?
    let length = i2d_PUBKEY(key, &encoded)
    defer { holdfast_free(encoded) }
    guard length > 0, let encoded else { throw .unreadable }
    return Array(UnsafeBufferPointer(start: encoded, count: Int(length)))
}

/// The eight points whose order divides 8 make signatures hold that nobody signed. Thirty-two zeros,
/// the likeliest mistake, are one of them.
private func hasSmallOrder(_ point: [UInt8]) -> Bool {
    var y = point
    y[31] &= 0x7F
    return smallOrderPoints.contains(y)
}

/// Their y, little-endian, with p and p + 1 as other names of 0 and 1.
private let smallOrderPoints: Set<[UInt8]> = {
    let zero = [UInt8](repeating: 0, count: 32)
    var one = zero
    one[0] = 1
    // p = 2^255 - 19 and its neighbours differ in their first byte only.
    let aroundP = [UInt8(0xEC), 0xED, 0xEE].map { [$0] + [UInt8](repeating: 0xFF, count: 30) + [0x7F] }
    return Set([zero, one, orderEight, mirrored(orderEight)] + aroundP)
}()

private let orderEight: [UInt8] = [
    0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
    0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
]

/// p - y.
private func mirrored(_ y: [UInt8]) -> [UInt8] {
    let p = [UInt8(0xED)] + [UInt8](repeating: 0xFF, count: 30) + [0x7F]
    var borrow = 0
    return zip(p, y).map { high, low in
        let difference = Int(high) - Int(low) - borrow
        borrow = difference < 0 ? 1 : 0
        return UInt8(truncatingIfNeeded: difference)
    }
}
