/// Values of the store in an envelope.
///
///     sealed = checksum:4 format:1 envelope
///
/// The checksum is outside, over the envelope: what a failing disk does is damage, as ever; an envelope with a right
/// checksum that does not open is another thing, and never taken for damage. Keys of records, the record about the
/// store and the index of expiries stay readable: they are keyed hashes, numbers and times.
enum SealedValue {
    static let format: UInt8 = 2
    private static let headBytes = 5

    static func isWanted(_ key: RecordKey) -> Bool { key != .about && key.kind != .expiry }

    private static func isSealed(_ value: UnsafeRawBufferPointer) -> Bool {
        value.count >= headBytes && value[4] == format
    }

    /// The name of the data key that a value is sealed under; nil if it is not sealed.
    static func fingerprint(_ value: UnsafeRawBufferPointer) -> UInt64? {
        guard isSealed(value), value.count >= headBytes + Envelope.overheadBytes else { return nil }
        return UInt64(littleEndian: value.loadUnaligned(fromByteOffset: headBytes, as: UInt64.self))
    }

    static func seal(_ value: [UInt8], _ key: RecordKey, by sealer: EnvelopeSealer) throws(StoreError) -> [UInt8] {
        do {
            let envelope = try sealer.seal(value, context: context(key))
            return RecordFormat.seal(envelope, key, format: format)
        } catch {
            throw StoreError(
                .failed, "a record cannot be encrypted: \(error)", place: "the object store",
                remedy: "Look at memory and OpenSSL, and start the node again")
        }
    }

    /// What was sealed; nil if it is not sealed or, by its checksum, damaged: then the value is what it is.
    static func open(
        _ value: UnsafeRawBufferPointer, _ key: RecordKey, by opener: EnvelopeOpener
    ) throws(StoreError) -> [UInt8]? {
        guard isWanted(key), isSealed(value), RecordFormat.isWhole(key, value) else { return nil }
        do throws(EnvelopeFault) {
            return try opener.open(value[headBytes...], context: context(key))
        } catch {
            throw StoreError(.sealed, "\(key): \(error.what)", place: "the object store", remedy: error.remedy)
        }
    }

    private static func context(_ key: RecordKey) -> [UInt8] {
        withUnsafeTemporaryAllocation(byteCount: RecordKey.maximumBytes, alignment: 8) { bytes in
            let count = key.write(to: bytes)
            return Array("store".utf8) + UnsafeRawBufferPointer(rebasing: bytes[..<count])
        }
    }
}
