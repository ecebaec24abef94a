import Glibc

@testable import Storage

/// A record that carries `number`, so that a test can say which ones came back.
func record(_ number: UInt64, payloadBytes: Int = 8) -> JournalRecord {
    JournalRecord(
        kind: UInt8(truncatingIfNeeded: number % 16), group: number % 3, term: number / 2, index: number,
        payload: (0..<payloadBytes).map { UInt8(truncatingIfNeeded: UInt64($0) &* 31 &+ number) })
}

/// A few records of sizes that cross sectors now and then.
func randomRecords(_ number: inout UInt64, _ generator: inout SeededGenerator) -> [JournalRecord] {
    (0..<Int.random(in: 1...4, using: &generator)).map { _ in
        number += 1
        let large = Int.random(in: 0..<8, using: &generator) == 0
        return record(number, payloadBytes: Int.random(in: 0...(large ? 1500 : 80), using: &generator))
    }
}

/// An empty directory, removed with what is in it when the test ends.
final class TemporaryDirectory {
    let path: String

    /// In another place than /tmp, if there is such a place: one in memory, for tests that make many files.
    init(in parent: String = "/tmp") {
        let root = SystemDisk.isDirectory(parent) ? parent : "/tmp"
        var template = [CChar]((root + "/holdfast-storage-XXXXXX").utf8CString)
        precondition(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        if SystemDisk.isDirectory(path) {
            for name in SystemDisk.names(in: path) ?? [] { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}

func readFile(_ path: String) -> [UInt8] {
    let file = open(path, O_RDONLY)
    precondition(file >= 0, "cannot read \(path)")
    defer { close(file) }
    var status = stat()
    fstat(file, &status)
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    _ = bytes.withUnsafeMutableBytes { SystemDisk.read(file, at: 0, into: $0) }
    return bytes
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(file >= 0, "cannot write \(path)")
    defer { close(file) }
    let code = bytes.withUnsafeBytes { SystemDisk().write($0, to: file, at: 0) }
    precondition(code == 0)
}

/// Names and contents of all files in a directory: to see that nothing was changed.
func contents(of directory: String) -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in SystemDisk.names(in: directory) ?? [] where !SystemDisk.isDirectory(directory + "/" + name) {
        files[name] = readFile(directory + "/" + name)
    }
    return files
}

/// Lets chosen calls fail, or all from some call on, as if the process had died there.
final class FaultyDisk: Disk, @unchecked Sendable {
    enum Call: Sendable { case write, syncData, syncDirectory, rename, remove }

    private let real = SystemDisk()
    private let monitor = Monitor()
    private var counts: [Call: Int] = [:]
    private var fault: (call: Call, skipping: Int, code: Int32)?
    private var offsets: [Int] = []
    private var callsUntilDeath = Int.max
    private var tearsAt: Int?
    private var fullFrom: Int?

    /// Where the writes went.
    var writes: [Int] { monitor.locked { offsets } }

    /// The call after the next `skipping` ones fails with `code`, and all of its kind after it.
    func fail(_ call: Call, skipping: Int = 0, with code: Int32) {
        monitor.locked {
            counts[call] = 0
            fault = (call, skipping, code)
        }
    }

    /// No write finds room; with `largeFilesOnly`, none of more than a batch of small records: making files.
    func fillUp(largeFilesOnly: Bool) { monitor.locked { fullFrom = largeFilesOnly ? 32 << 10 : 0 } }
    func makeRoom() { monitor.locked { fullFrom = nil } }

    /// From the call after the next `calls` ones on, none does anything. If that one is a write, its first
    /// `tornBytes` bytes are written.
    func die(after calls: Int, tornBytes: Int = 0) {
        monitor.locked {
            callsUntilDeath = calls
            tearsAt = tornBytes
        }
    }

    var isDead: Bool { monitor.locked { callsUntilDeath < 0 } }

    private func code(for call: Call) -> Int32? {
        monitor.locked {
            if callsUntilDeath != Int.max { callsUntilDeath -= 1 }
            if callsUntilDeath < 0 { return EIO }
            let seen = counts[call, default: 0]
            counts[call] = seen + 1
            guard let fault, fault.call == call, seen >= fault.skipping else { return nil }
            return fault.code
        }
    }

    private var tornBytes: Int {
        monitor.locked {
            guard callsUntilDeath == -1 else { return 0 }
            defer { tearsAt = nil }
            return tearsAt ?? 0
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: Int) -> Int32 {
        monitor.locked { offsets.append(offset) }
        if let least = monitor.locked({ fullFrom }), bytes.count >= least { return ENOSPC }
        guard let code = code(for: .write) else { return real.write(bytes, to: file, at: offset) }
        let torn = min(tornBytes, bytes.count)
        _ = real.write(UnsafeRawBufferPointer(rebasing: bytes[..<torn]), to: file, at: offset)
        return code
    }

    func syncData(_ file: Int32) -> Int32 {
        code(for: .syncData) ?? real.syncData(file)
    }

    func syncDirectory(_ path: String) -> Int32 {
        code(for: .syncDirectory) ?? real.syncDirectory(path)
    }

    func rename(_ path: String, to newPath: String) -> Int32 {
        code(for: .rename) ?? real.rename(path, to: newPath)
    }

    func remove(_ path: String) -> Int32 {
        code(for: .remove) ?? real.remove(path)
    }
}

/// Collects results from the journal's thread; `wait` returns them once there are `count`.
final class Outcomes: @unchecked Sendable {
    private let monitor = Monitor()
    private var results: [(number: UInt64, error: JournalError?)] = []

    func callback(_ number: UInt64) -> @Sendable (Result<Void, JournalError>) -> Void {
        { result in
            self.monitor.locked {
                switch result {
                case .success: self.results.append((number, nil))
                case .failure(let error): self.results.append((number, error))
                }
                self.monitor.signal()
            }
        }
    }

    func wait(_ count: Int) -> [(number: UInt64, error: JournalError?)] {
        monitor.locked {
            while results.count < count { monitor.wait() }
            return results
        }
    }
}
