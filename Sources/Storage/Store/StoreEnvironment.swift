import CLMDB
import Glibc

/// The LMDB environment of a store: opening, growing, giving memory back.
final class StoreEnvironment: @unchecked Sendable {
    let directory: String
    let handle: OpaquePointer
    private(set) var database: MDB_dbi = 0
    let gate = MapGate()
    // Under the gate.
    private var mapBytes: Int
    private let options: StoreOptions
    /// The store's thread only.
    let sealer: EnvelopeSealer?
    var keys: DataKeys? { options.keys }

    /// Slots for read transactions: event loops, views, and room to spare.
    private static let readerSlots: UInt32 = 512

    static func dataPath(_ directory: String) -> String { directory + "/data.mdb" }
    var path: String { Self.dataPath(directory) }

    init(directory: String, options: StoreOptions) throws(StoreError) {
        try Self.checkVersion()
        let made = SystemDisk.makeDirectory(directory)
        guard made == 0 else { throw .systemCall("mkdir", made, path: directory) }
        self.directory = directory
        self.options = options
        sealer = try Self.makeSealer(options.keys, directory)
        mapBytes = Self.mapBytes(forFile: Self.fileBytes(directory), options)
        var handle: OpaquePointer?
        let code = mdb_env_create(&handle)
        guard code == 0, let handle else { throw .database("mdb_env_create", code, path: directory) }
        self.handle = handle
        do throws(StoreError) {
            try open()
        } catch {
            mdb_env_close(handle)
            throw error
        }
    }

    private static func makeSealer(_ keys: DataKeys?, _ directory: String) throws(StoreError) -> EnvelopeSealer? {
        do {
            return try keys.map { try EnvelopeSealer($0) }
        } catch {
            throw StoreError(
                .failed, "\(error)", place: directory, remedy: "Look at memory and OpenSSL, and start the node again")
        }
    }

    deinit {
        mdb_env_close(handle)
    }

    private func open() throws(StoreError) {
        mdb_env_set_mapsize(handle, mapBytes)
        mdb_env_set_maxreaders(handle, Self.readerSlots)
        let code = mdb_env_open(handle, directory, UInt32(MDB_NOTLS | MDB_NORDAHEAD), 0o600)
        guard code == 0 else { throw .database("mdb_env_open", code, path: path) }
        // The file is new perhaps, and so is its name.
        let synced = SystemDisk().syncDirectory(directory)
        guard synced == 0 else { throw .systemCall("fsync of the directory", synced, path: directory) }
        var reader: OpaquePointer?
        let begun = mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &reader)
        guard begun == 0, let reader else { throw .database("mdb_txn_begin", begun, path: path) }
        let opened = mdb_dbi_open(reader, nil, 0, &database)
        mdb_txn_abort(reader)
        guard opened == 0 else { throw .database("mdb_dbi_open", opened, path: path) }
    }

    /// Another LMDB has another file format, and other rules for replacing the map (`MapGate`).
    private static func checkVersion() throws(StoreError) {
        var (major, minor): (Int32, Int32) = (0, 0)
        mdb_version(&major, &minor, nil)
        guard major == 0, minor == 9 else {
            throw .otherVersion("LMDB \(major).\(minor)", known: "LMDB 0.9", place: "liblmdb")
        }
    }

    // MARK: Size

    static func fileBytes(_ directory: String) -> Int {
        var status = stat()
        return stat(dataPath(directory), &status) == 0 ? Int(status.st_size) : 0
    }

    private static func mapBytes(forFile fileBytes: Int, _ options: StoreOptions) -> Int {
        var bytes = options.initialMapBytes
        while bytes < fileBytes + fileBytes / 4, bytes < options.maximumMapBytes { bytes *= 2 }
        return bytes
    }

    var currentMapBytes: Int { gate.access { mapBytes } }

    /// Doubles the map, on the store's thread and without a transaction. Costs address space only.
    func grow() throws(StoreError) {
        guard mapBytes < options.maximumMapBytes else { throw .database("growing", MDB_MAP_FULL, path: path) }
        let wanted = min(mapBytes * 2, options.maximumMapBytes)
        let code = gate.exclude {
            let code = mdb_env_set_mapsize(handle, wanted)
            if code == 0 { mapBytes = wanted }
            return code
        }
        guard code == 0 else { throw .database("mdb_env_set_mapsize", code, path: path) }
    }

    // MARK: Memory

    /// Unmaps what has been read when more of files is resident in this process than it may. The page cache keeps it;
    /// reading it again costs a minor fault. Everybody who reads or writes much calls it on the way: pages are mapped
    /// faster than a thread beside them would get to run.
    func trimResident() {
        guard Self.residentFileBytes() > options.residentBytes else { return }
        gate.access {
            if let start = mapStart() { madvise(start, mapBytes, MADV_DONTNEED) }
        }
    }

    /// LMDB names the map's address for fixed maps only. A small record lies inside its page, which begins with
    /// its own number, and so leads to page 0.
    private func mapStart() -> UnsafeMutableRawPointer? {
        guard let transaction = try? ReadTransaction(inGateOf: self) else { return nil }
        var status = MDB_stat()
        guard let record = transaction.address(of: .about), mdb_env_stat(handle, &status) == 0 else { return nil }
        let pageBytes = UInt(status.ms_psize)
        let page = UInt(bitPattern: record) & ~(pageBytes - 1)
        guard let number = UnsafePointer<UInt>(bitPattern: page)?.pointee else { return nil }
        return UnsafeMutableRawPointer(bitPattern: page - number * pageBytes)
    }

    /// Bytes of shared pages in memory: those of the map, and of libraries.
    static func residentFileBytes() -> Int {
        let file = Glibc.open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = bytes.withUnsafeMutableBytes { SystemDisk.read(file, at: 0, into: $0) } ?? 0
        let fields = String(decoding: bytes[0..<count], as: UTF8.self).split(separator: " ")
        guard fields.count > 2, let pages = Int(fields[2]) else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
