import CLMDB

/// The records of the store inside one LMDB transaction. What a read gives back is copied, or lent to a
/// closure.
struct StoreRecords: StoreReading {
    let handle: OpaquePointer
    let database: MDB_dbi
    let path: String
    let opener: EnvelopeOpener

    /// Calls `body` with the value of a key, if there is one. 0, or LMDB's code.
    private func lend(_ key: RecordKey, _ body: (UnsafeRawBufferPointer) -> Void) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: RecordKey.maximumBytes, alignment: 8) { bytes in
            var name = MDB_val(mv_size: key.write(to: bytes), mv_data: bytes.baseAddress)
            var value = MDB_val()
            let code = mdb_get(handle, database, &name, &value)
            if code == 0 { body(UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)) }
            return code
        }
    }

    func value(_ key: RecordKey) throws(StoreError) -> [UInt8]? {
        var found: Result<[UInt8], StoreError>?
        let code = lend(key) { bytes in
            found = Result { () throws(StoreError) in
                try SealedValue.open(bytes, key, by: opener) ?? [UInt8](bytes)
            }
        }
        guard code == 0 || code == MDB_NOTFOUND else { throw .database("mdb_get", code, path: path) }
        return try found?.get()
    }

    func address(of key: RecordKey) -> UnsafeRawPointer? {
        var address: UnsafeRawPointer?
        return lend(key) { address = $0.baseAddress } == 0 ? address : nil
    }

    func scan(
        _ keys: ClosedRange<RecordKey>, _ body: (RecordKey, UnsafeRawBufferPointer) -> Bool
    ) throws(StoreError) {
        var cursor: OpaquePointer?
        let opened = mdb_cursor_open(handle, database, &cursor)
        guard opened == 0, let cursor else { throw .database("mdb_cursor_open", opened, path: path) }
        defer { mdb_cursor_close(cursor) }
        var isFirst = true
        while true {
            guard let (key, value) = try move(cursor, to: isFirst ? keys.lowerBound : nil),
                key <= keys.upperBound
            else { return }
            if let plain = try SealedValue.open(value, key, by: opener) {
                guard plain.withUnsafeBytes({ body(key, $0) }) else { return }
            } else {
                guard body(key, value) else { return }
            }
            isFirst = false
        }
    }

    /// All records from a key on, as they stand in the file, until `body` has seen enough.
    func scanRaw(from start: RecordKey, _ body: (RecordKey, UnsafeRawBufferPointer) -> Bool) throws(StoreError) {
        var cursor: OpaquePointer?
        let opened = mdb_cursor_open(handle, database, &cursor)
        guard opened == 0, let cursor else { throw .database("mdb_cursor_open", opened, path: path) }
        defer { mdb_cursor_close(cursor) }
        var from: RecordKey? = start
        while let (key, value) = try move(cursor, to: from), body(key, value) { from = nil }
    }

    /// The record at or above `key`, or the next one; nil at the end.
    private func move(
        _ cursor: OpaquePointer, to key: RecordKey?
    ) throws(StoreError) -> (key: RecordKey, value: UnsafeRawBufferPointer)? {
        var name = MDB_val()
        var value = MDB_val()
        let code: Int32 = withUnsafeTemporaryAllocation(byteCount: RecordKey.maximumBytes, alignment: 8) { bytes in
            guard let key else { return mdb_cursor_get(cursor, &name, &value, MDB_NEXT) }
            name = MDB_val(mv_size: key.write(to: bytes), mv_data: bytes.baseAddress)
            return mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE)
        }
        if code == MDB_NOTFOUND { return nil }
        guard code == 0 else { throw .database("mdb_cursor_get", code, path: path) }
        guard let found = RecordKey(UnsafeRawBufferPointer(start: name.mv_data, count: name.mv_size)) else {
            throw .damaged("a key of no known form", place: path)
        }
        return (found, UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
    }
}

/// A read transaction: the state of one commit, for one thread at a time. Every use passes the gate.
final class ReadTransaction {
    private let environment: StoreEnvironment
    private let records: StoreRecords

    static func begin(_ environment: StoreEnvironment) throws(StoreError) -> ReadTransaction {
        let result = environment.gate.access {
            Result<ReadTransaction, StoreError> { () throws(StoreError) in
                try ReadTransaction(inGateOf: environment)
            }
        }
        return try result.get()
    }

    init(inGateOf environment: StoreEnvironment) throws(StoreError) {
        self.environment = environment
        var handle: OpaquePointer?
        let code = mdb_txn_begin(environment.handle, nil, UInt32(MDB_RDONLY), &handle)
        guard code == 0, let handle else { throw .database("mdb_txn_begin", code, path: environment.path) }
        records = StoreRecords(
            handle: handle, database: environment.database, path: environment.path,
            opener: EnvelopeOpener(environment.keys))
    }

    deinit {
        mdb_txn_abort(records.handle)
    }

    /// Lets go of the state, so that its pages can be used again.
    func rest() {
        mdb_txn_reset(records.handle)
    }

    /// The commit whose state this is.
    var number: UInt64 { UInt64(mdb_txn_id(records.handle)) }

    func address(of key: RecordKey) -> UnsafeRawPointer? { records.address(of: key) }

    /// Takes the newest committed state for one reading, and lets go of it.
    func readNewest<Value>(_ body: (StoreRecords) throws(StoreError) -> Value) throws(StoreError) -> Value {
        let result = environment.gate.access {
            Result<Value, StoreError> { () throws(StoreError) in
                let code = mdb_txn_renew(records.handle)
                guard code == 0 else { throw .database("mdb_txn_renew", code, path: environment.path) }
                defer { mdb_txn_reset(records.handle) }
                return try body(records)
            }
        }
        return try result.get()
    }

    /// Reads inside the gate: up to a slice, which may map as much of the file.
    func read<Value>(_ body: (StoreRecords) throws(StoreError) -> Value) throws(StoreError) -> Value {
        let result = environment.gate.access {
            Result<Value, StoreError> { () throws(StoreError) in try body(records) }
        }
        environment.trimResident()
        return try result.get()
    }
}

/// The write transaction, on the store's thread.
final class WriteTransaction: StoreTable {
    private let environment: StoreEnvironment
    private let records: StoreRecords
    private var isOpen = true
    private var changeCount = 0
    /// Each may map other pages of the file.
    private static let manyChanges = 256
    /// LMDB's code of the first call that failed: then nothing of this transaction may stay.
    private(set) var failedCode: Int32?

    init(_ environment: StoreEnvironment) throws(StoreError) {
        self.environment = environment
        var handle: OpaquePointer?
        let code = mdb_txn_begin(environment.handle, nil, 0, &handle)
        guard code == 0, let handle else { throw .database("mdb_txn_begin", code, path: environment.path) }
        records = StoreRecords(
            handle: handle, database: environment.database, path: environment.path,
            opener: EnvelopeOpener(environment.keys))
    }

    deinit {
        if isOpen { mdb_txn_abort(records.handle) }
    }

    func value(_ key: RecordKey) throws(StoreError) -> [UInt8]? { try records.value(key) }

    func scan(
        _ keys: ClosedRange<RecordKey>, _ body: (RecordKey, UnsafeRawBufferPointer) -> Bool
    ) throws(StoreError) {
        try records.scan(keys, body)
    }

    private func check(_ call: String, _ code: Int32) throws(StoreError) {
        guard code != 0 else { return }
        if failedCode == nil { failedCode = code }
        throw .database(call, code, path: records.path)
    }

    private func noteChange() {
        changeCount += 1
        if changeCount % Self.manyChanges == 0 { environment.trimResident() }
    }

    func write(_ key: RecordKey, _ value: [UInt8]) throws(StoreError) {
        noteChange()
        var value = value
        if let sealer = environment.sealer, SealedValue.isWanted(key) {
            value = try SealedValue.seal(value, key, by: sealer)
        }
        let code: Int32 = withUnsafeTemporaryAllocation(byteCount: RecordKey.maximumBytes, alignment: 8) { bytes in
            var name = MDB_val(mv_size: key.write(to: bytes), mv_data: bytes.baseAddress)
            return value.withUnsafeBytes { content in
                var data = MDB_val(
                    mv_size: content.count, mv_data: UnsafeMutableRawPointer(mutating: content.baseAddress))
                return mdb_put(records.handle, records.database, &name, &data, 0)
            }
        }
        try check("mdb_put", code)
    }

    func remove(_ key: RecordKey) throws(StoreError) {
        noteChange()
        let code: Int32 = withUnsafeTemporaryAllocation(byteCount: RecordKey.maximumBytes, alignment: 8) { bytes in
            var name = MDB_val(mv_size: key.write(to: bytes), mv_data: bytes.baseAddress)
            return mdb_del(records.handle, records.database, &name, nil)
        }
        if code != MDB_NOTFOUND { try check("mdb_del", code) }
    }

    /// When it returns, everything is durable.
    func commit() throws(StoreError) {
        try write(.about, RecordFormat.about(transaction: UInt64(mdb_txn_id(records.handle))))
        try commitUnmarked()
    }

    /// Without the record about the store: for tests that write one of their own.
    func commitUnmarked() throws(StoreError) {
        isOpen = false
        try check("mdb_txn_commit", mdb_txn_commit(records.handle))
    }

    /// Nothing happened.
    func abandon() {
        if isOpen { mdb_txn_abort(records.handle) }
        isOpen = false
    }
}
