import CLMDB

/// Goes through the store once, after it was opened, and writes anew what is not sealed under the newest data key:
/// what has an older one, and what was written before there were keys. So an operator may give up a former key
/// without waiting for every object to change. On the store's thread, a slice at a time, when nothing else waits.
///
/// What is damaged is passed over: written anew it would look whole. The scrub finds it.
struct ResealPass {
    /// Records that a slice looks at, and about the bytes that it writes.
    static let slice = (records: 1_024, bytes: 256 << 10)
    /// Between two slices.
    static let pauseMs = 20
    /// When there was no room.
    static let retryMs = 1_000

    private let newest: UInt64
    /// Where the next slice begins; nil behind the last one.
    private var position: RecordKey? = .first
    /// Records that were written anew.
    private(set) var rewritten: UInt64 = 0

    init(_ keys: DataKeys) {
        newest = keys.newest.fingerprint
    }

    var isDone: Bool { position == nil }

    /// One slice. One that fails has changed nothing, and may be tried again.
    mutating func step(_ environment: StoreEnvironment, _ writer: StoreWriter) throws(StoreError) {
        guard let from = position else { return }
        let (stale, next) = try ReadTransaction.begin(environment).read { (records) throws(StoreError) in
            try records.stale(from: from, newest: newest)
        }
        if !stale.isEmpty {
            var count: UInt64 = 0
            try writer.commit { (table) throws(StoreError) in
                count = 0
                for key in stale {
                    guard let value = try table.value(key), value.withUnsafeBytes({ RecordFormat.isWhole(key, $0) })
                    else { continue }
                    try table.write(key, value)
                    count += 1
                }
            }
            rewritten += count
        }
        position = next
    }
}

extension StoreRecords {
    /// The keys of whole records from `start` on that are not sealed as they should be, and where to go on.
    fileprivate func stale(
        from start: RecordKey, newest: UInt64
    ) throws(StoreError) -> (keys: [RecordKey], next: RecordKey?) {
        var stale: [RecordKey] = []
        var (seen, bytes) = (0, 0)
        var next: RecordKey?
        try scanRaw(from: start) { key, value in
            guard seen < ResealPass.slice.records, bytes < ResealPass.slice.bytes else {
                next = key
                return false
            }
            seen += 1
            if SealedValue.isWanted(key), SealedValue.fingerprint(value) != newest, RecordFormat.isWhole(key, value) {
                stale.append(key)
                bytes += value.count
            }
            return true
        }
        return (stale, next)
    }
}
