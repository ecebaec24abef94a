import Binary
import Crypto
import Glibc
import Testing

@testable import Storage

/// Keys whose digits are all the same.
func dataKeys(_ digits: Character...) throws -> DataKeys {
    try DataKeys(parsing: digits.map { "hfd1 " + String(repeating: $0, count: 64) }.joined(separator: "\n"), source: "a test")
}

@Suite struct DataKeysTests {
    @Test func readsTheNewestFirst() throws {
        let keys = try DataKeys(
            parsing: "# newest\nhfd1 \(String(repeating: "a", count: 64))\n\nhfd1 \(String(repeating: "B", count: 64))\n",
            source: "a test")
        #expect(keys.fingerprints.count == 2)
        #expect(keys.newest.bytes == [UInt8](repeating: 0xAA, count: 32))
    }

    @Test(arguments: [
        "", "# none\n", "hfd1 aa", "hfk1 \(String(repeating: "a", count: 64))", "hfd1 \(String(repeating: "g", count: 64))",
        "hfd1 \(String(repeating: "a", count: 64)),hfd1 \(String(repeating: "A", count: 64))",
    ])
    func refusesWhatIsNoKey(_ text: String) {
        #expect(throws: DataKeyFault.self) { try DataKeys(parsing: text, source: "a test") }
    }

    @Test func aFileIsForItsOwnerOnly() throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/data.key"
        writeFile(path, Array("hfd1 \(String(repeating: "a", count: 64))\n".utf8))
        #expect(try DataKeys(file: path) == dataKeys("a"))
        chmod(path, 0o640)
        #expect(throws: DataKeyFault.self) { try DataKeys(file: path) }
        #expect(throws: DataKeyFault.self) { try DataKeys(file: path + ".none") }
    }
}

@Suite struct EnvelopeTests {
    @Test func opensInItsPlaceOnly() throws {
        let keys = try dataKeys("a")
        let sealer = try EnvelopeSealer(keys)
        let opener = EnvelopeOpener(keys)
        let envelope = try sealer.seal([1, 2, 3], context: [9])
        #expect(envelope.count == 3 + Envelope.overheadBytes)
        #expect(try opener.open(envelope, context: [9]) == [1, 2, 3])
        #expect(throws: EnvelopeFault.notAuthentic) { try opener.open(envelope, context: [8]) }
        for place in envelope.indices {
            var changed = envelope
            changed[place] ^= 1
            #expect(throws: EnvelopeFault.self) { try opener.open(changed, context: [9]) }
        }
        for count in 0..<envelope.count {
            #expect(throws: EnvelopeFault.self) { try opener.open(envelope.prefix(count), context: [9]) }
        }
    }

    /// The head names key, salt and count, of which nonce and key of the cipher are made.
    @Test func noHeadComesTwice() throws {
        let keys = try dataKeys("a")
        var heads: Set<[UInt8]> = []
        for _ in 0..<20 {
            let sealer = try EnvelopeSealer(keys)
            for _ in 0..<50 { heads.insert(Array(try sealer.seal([], context: []).prefix(Envelope.headBytes))) }
        }
        #expect(heads.count == 1_000)
    }
}

@Suite struct EncryptedJournalTests {
    private let temporary = TemporaryDirectory()
    private var path: String { temporary.path + "/journal" }
    private static let marker = Array("marker-of-a-client-a7d1".utf8)

    private func open(
        _ keys: DataKeys?, disk: any Disk = SystemDisk(), at path: String? = nil
    ) throws(JournalError) -> (Journal, [JournalRecord]) {
        var options = JournalOptions(segmentBytes: 16 << 10)
        options.keys = keys
        var records: [JournalRecord] = []
        let journal = try Journal.open(directory: path ?? self.path, options: options, disk: disk) { records.append($0) }
        return (journal, records)
    }

    private func write(_ numbers: ClosedRange<UInt64>, to journal: Journal) {
        let done = Outcomes()
        for number in numbers {
            var record = record(number)
            record.payload += Self.marker
            journal.append([record], durable: done.callback(number))
        }
        #expect(done.wait(numbers.count).allSatisfy { $0.error == nil })
    }

    private func hasMarker() -> Bool {
        contents(of: path).values.contains { Self.holds(Self.marker, $0) }
    }

    static func holds(_ marker: [UInt8], _ bytes: [UInt8]) -> Bool {
        bytes.firstRange(of: marker) != nil
    }

    @Test func withoutKeysTheMarkerIsThere() throws {
        let (plain, _) = try open(nil)
        write(1...3, to: plain)
        plain.close()
        #expect(hasMarker())
    }

    @Test func comesBackOverManySegments() throws {
        let keys = try dataKeys("a")
        var (journal, _) = try open(keys)
        write(1...400, to: journal)
        journal.close()
        #expect(!hasMarker())
        let (again, records) = try open(keys)
        #expect(records.map(\.index).filter { $0 > 0 }.suffix(1) == [400])
        #expect(records.allSatisfy { $0.payload.suffix(Self.marker.count) == Self.marker[...] })
        write(401...420, to: again)
        again.abandon()
        journal = try open(keys).0
        journal.close()
        #expect(!hasMarker())
    }

    private func entry(_ index: UInt64) -> JournalRecord {
        JournalRecord(kind: 1, group: 1, term: 1, index: index, payload: Self.marker)
    }

    private func append(_ records: [JournalRecord], to journal: Journal) {
        let done = Outcomes()
        journal.append(records, durable: done.callback(0))
        #expect(done.wait(1).allSatisfy { $0.error == nil })
    }

    /// The journal moves on as far as somebody asks for it, and forgets what is covered.
    @Test func theFormerKeyIsNeededUntilItsSegmentsAreCovered() throws {
        let first = try open(try dataKeys("a")).0
        append((1...5).map(entry), to: first)
        first.close()
        let journal = try open(try dataKeys("b", "a")).0
        #expect(journal.statistics.formerSegments == 1)
        #expect(journal.retireFormerSegments() == [], "nothing holds it but that it is written to")
        append([entry(6)], to: journal)
        #expect(journal.retireFormerSegments() == [1])
        append([JournalRecord(kind: JournalKind.covered, group: 1, term: 1, index: 6, payload: [])], to: journal)
        #expect(journal.statistics.formerSegments == 1)
        #expect(journal.retireFormerSegments() == [])
        // The segment goes behind the first batch of the next one.
        append([entry(7)], to: journal)
        append([entry(8)], to: journal)
        #expect(journal.statistics.formerSegments == 0)
        journal.close()
        let (_, records) = try open(try dataKeys("b"))
        #expect(records.last?.index == 8)
    }

    /// A segment that goes may become the next one's spare file, with all that it held.
    @Test func whatWasInTheClearIsInNoSpareEither() throws {
        let plain = try open(nil).0
        for index in UInt64(1)...400 { append([entry(index)], to: plain) }
        plain.close()
        #expect(hasMarker())
        let journal = try open(try dataKeys("a")).0
        let covered = JournalRecord(kind: JournalKind.covered, group: 1, term: 1, index: 400, payload: [])
        append([covered], to: journal)
        for index in UInt64(401)...404 {
            _ = journal.retireFormerSegments()
            append([entry(index)], to: journal)
        }
        #expect(journal.statistics.formerSegments == 0)
        journal.close()
        #expect(!hasMarker())
    }

    @Test func refusesWithoutTheKeyAndChangesNothing() throws {
        let journal = try open(try dataKeys("a")).0
        write(1...5, to: journal)
        journal.close()
        let before = contents(of: path)
        for keys in [nil, try dataKeys("b")] {
            do throws(JournalError) {
                _ = try open(keys)
                Issue.record("it opened")
            } catch {
                #expect(error.kind == .sealed)
                #expect(error.what.contains(try! dataKeys("a").fingerprints[0]))
            }
        }
        #expect(contents(of: path) == before)
        #expect(try JournalInspector.inspect(directory: path).damage == nil)
    }

    @Test func aNewKeyTakesOverFromAnOldOneAndFromNone() throws {
        var expected: [UInt64] = []
        for (step, keys) in [nil, try dataKeys("a"), try dataKeys("b", "a")].enumerated() {
            let (journal, records) = try open(keys)
            #expect(records.map(\.index) == expected)
            let first = UInt64(step * 5 + 1)
            write(first...first + 4, to: journal)
            expected += first...first + 4
            journal.close()
        }
        #expect(throws: JournalError.self) { try open(try dataKeys("b")) }
        #expect(try open(try dataKeys("b", "a")).1.map(\.index) == expected)
    }

    /// A record that somebody moves, with all checksums mended, is refused and not dropped as a torn one.
    @Test func aRecordInAnothersPlaceIsRefused() throws {
        let sealer = try EnvelopeSealer(try dataKeys("a"))
        let opener = EnvelopeOpener(try dataKeys("a"))
        var sealed = try record(4).sealed(by: sealer)
        #expect(try sealed.opened(by: opener) == record(4))
        sealed.index = 5
        #expect(throws: EnvelopeFault.notAuthentic) { try sealed.opened(by: opener) }
    }

    /// The process dies at each call in turn, in the middle of a write too.
    @Test func aCrashAnywhereLosesNothingAcknowledged() throws {
        let keys = try dataKeys("a")
        for calls in 0..<30 {
            let place = temporary.path + "/crash-\(calls)"
            let disk = FaultyDisk()
            disk.die(after: calls, tornBytes: 40 * calls)
            var acknowledged: [UInt64] = []
            if let (journal, _) = try? open(keys, disk: disk, at: place) {
                let outcomes = Outcomes()
                for number in 1...40 as ClosedRange<UInt64> {
                    journal.append([record(number, payloadBytes: 900)], durable: outcomes.callback(number))
                }
                acknowledged = outcomes.wait(40).filter { $0.error == nil }.map(\.number)
                journal.abandon()
            }
            let (again, records) = try open(keys, at: place)
            #expect(records.map(\.index).starts(with: acknowledged))
            write(100...102, to: again)
        }
    }
}

@Suite struct EncryptedStoreTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.path + "/store" }
    private static let marker = Array("marker-of-a-client-a7d1".utf8)

    private func open(_ keys: DataKeys?) throws(StoreError) -> ObjectStore {
        var options = smallOptions()
        options.keys = keys
        return try ObjectStore.open(directory: path, options: options)
    }

    private func marked(_ number: UInt64) -> StoredObject {
        var object = storedObject(number, expiresAtMs: number % 2 == 0 ? number : .max)
        object.bytes += Self.marker
        return object
    }

    private func fill(_ keys: DataKeys?) throws {
        let store = try open(keys)
        try store.perform(create(3))
        try store.perform(checkpoint(3, index: 5, puts: (1...200).map(marked)))
        store.close()
    }

    private func hasMarker() -> Bool {
        EncryptedJournalTests.holds(Self.marker, readFile(path + "/data.mdb"))
    }

    @Test func withoutKeysTheMarkerIsThere() throws {
        try fill(nil)
        #expect(hasMarker())
    }

    @Test func comesBackAndIsNotReadable() throws {
        let keys = try dataKeys("a")
        try fill(keys)
        #expect(!hasMarker())
        #expect(StoreInspector.inspect(directory: path, keys: keys) == .sound)
        let store = try open(keys)
        #expect(try store.makeReader().get(storeKey(7)) == marked(7).bytes)
        #expect(store.heads.first?.objectCount == 200)
        let head = try #require(store.heads.first)
        #expect(try store.makeView().verify(3) == .whole(head))
    }

    /// Replicas with other keys, or with none, have the same digest.
    @Test func theDigestIsThatOfThePlainObjects() throws {
        try fill(nil)
        let plain = try open(nil).heads
        let other = EncryptedStoreTests()
        try other.fill(try dataKeys("a"))
        #expect(try other.open(try dataKeys("a")).heads == plain)
    }

    @Test func withoutTheKeyItIsRefusedAndNotTakenForDamage() throws {
        try fill(try dataKeys("a"))
        for keys in [nil, try dataKeys("b")] {
            guard case .otherVersion(let error) = StoreInspector.inspect(directory: path, keys: keys) else {
                Issue.record("it was taken for something else")
                continue
            }
            #expect(error.kind == .sealed)
            #expect(error.what.contains(try dataKeys("a").fingerprints[0]))
            #expect(throws: StoreError.self) { try open(keys) }
        }
        #expect(StoreInspector.inspect(directory: path, keys: try dataKeys("a")) == .sound)
    }

    @Test func aNewKeyTakesOverFromAnOldOneAndFromNone() throws {
        try fill(nil)
        for keys in [try dataKeys("a"), try dataKeys("b", "a")] {
            let store = try open(keys)
            try store.perform(checkpoint(3, index: 9, puts: (1...100).map(marked)))
            store.close()
            #expect(StoreInspector.inspect(directory: path, keys: keys) == .sound)
        }
        let store = try open(try dataKeys("b", "a"))
        try store.perform(checkpoint(3, index: 11, puts: (1...200).map(marked)))
        store.close()
        #expect(StoreInspector.inspect(directory: path, keys: try dataKeys("b")) == .sound)
    }

    @Test func aValueInAnothersPlaceIsRefused() throws {
        let keys = try dataKeys("a")
        let sealer = try EnvelopeSealer(keys)
        let opener = EnvelopeOpener(keys)
        let (here, there) = (RecordKey.object(storeKey(1)), RecordKey.object(storeKey(2)))
        let value = try SealedValue.seal(RecordFormat.encode(marked(1)), here, by: sealer)
        #expect(try value.withUnsafeBytes { try SealedValue.open($0, here, by: opener) } == RecordFormat.encode(marked(1)))
        // Moved, with the checksum mended.
        let moved = RecordFormat.seal(Array(value[5...]), there, format: SealedValue.format)
        #expect(throws: StoreError.self) { try moved.withUnsafeBytes { try SealedValue.open($0, there, by: opener) } }
        // What a failing disk does is damage, as ever.
        var flipped = value
        flipped[40] ^= 1
        #expect(try flipped.withUnsafeBytes { try SealedValue.open($0, here, by: opener) } == nil)
        #expect(!flipped.withUnsafeBytes { RecordFormat.isWhole(here, $0) })
    }
}
