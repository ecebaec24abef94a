import COpenSSL

/// Runs `body` over a BIO that reads `bytes`; null only without memory.
func withReading<Result>(_ bytes: [UInt8], _ body: (OpaquePointer?) -> Result) -> Result {
    bytes.withUnsafeBytes { bytes in
        let bio = BIO_new_mem_buf(bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1), Int32(clamping: bytes.count))
        defer { BIO_free(bio) }
        return body(bio)
    }
}

/// What `body` writes to a BIO; nil if it fails. Freeing the BIO overwrites what was in it.
func collectWriting(_ body: (OpaquePointer) -> Bool) -> [UInt8]? {
    guard let bio = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(bio) }
    guard body(bio) else { return nil }
    var bytes: UnsafePointer<UInt8>?
    let count = holdfast_bio_bytes(bio, &bytes)
    guard count > 0, let bytes else { return [] }
    return Array(UnsafeBufferPointer(start: bytes, count: count))
}
