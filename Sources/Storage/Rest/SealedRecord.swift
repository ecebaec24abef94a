import Binary

/// Records of the journal with their payload in an envelope. Group, kind, term and index stay readable, so that the
/// journal can be looked after without a key; they belong to what is authenticated.
extension JournalRecord {
    /// In the kind: the payload is an envelope.
    static let sealedMark: UInt8 = 0x80

    var isSealed: Bool { kind & Self.sealedMark != 0 }

    private var context: [UInt8] {
        var writer = ByteWriter(reserving: 32)
        writer.writeRaw(Array("record".utf8))
        writer.write(kind & ~Self.sealedMark)
        for number in [group, term, index] { writer.write(number) }
        return writer.bytes
    }

    /// The journal's own records hold nothing of anybody's.
    func sealed(by sealer: EnvelopeSealer) throws(JournalError) -> JournalRecord {
        guard !isFloor else { return self }
        precondition(!isSealed, "kinds of records are below \(Self.sealedMark)")
        do {
            return JournalRecord(
                kind: kind | Self.sealedMark, group: group, term: term, index: index,
                payload: try sealer.seal(payload, context: context))
        } catch {
            throw JournalError(
                .failed, "a record cannot be encrypted: \(error)", place: "the journal",
                remedy: "Look at memory and OpenSSL, and start the node again")
        }
    }

    func opened(by opener: EnvelopeOpener) throws(EnvelopeFault) -> JournalRecord {
        guard isSealed else { return self }
        return JournalRecord(
            kind: kind & ~Self.sealedMark, group: group, term: term, index: index,
            payload: try opener.open(payload, context: context))
    }

    /// The record without what only a key opens.
    var withoutSeal: JournalRecord {
        guard isSealed else { return self }
        return JournalRecord(
            kind: kind & ~Self.sealedMark, group: group, term: term, index: index, payload: [])
    }
}
