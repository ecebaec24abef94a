import Glibc

/// What one node is shown of disk and clock, through the library that `chaos/Hook` is.
struct NodeHook: Sendable {
    /// In the order of the library's `struct control`.
    struct Control: Equatable, Sendable {
        var wallOffsetMs: Int64 = 0
        var syncDelayUs: UInt64 = 0
        var isFull: UInt64 = 0
    }

    private let path: String

    /// Makes the node's files; `scripts/cluster` gives the second of them to the node when it starts it.
    init(directory: String, node: String, library: String, ports: String) throws {
        path = "\(directory)/\(node).control"
        try set(Control())
        let lines = "LD_PRELOAD='\(library)'\nCHAOS_CONTROL='\(path)'\nCHAOS_PORTS='\(ports)'\n"
        try TextFile.write(lines, to: "\(directory)/\(node).env")
    }

    /// Holds from the node's next call on. Each field is one aligned word, so no call sees half of it.
    func set(_ control: Control) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TextFile.failure(path) }
        defer { close(file) }
        let written = withUnsafeBytes(of: control) { pwrite(file, $0.baseAddress, $0.count, 0) }
        guard written == MemoryLayout<Control>.size else { throw TextFile.failure(path) }
    }
}

/// Small files, written whole.
enum TextFile {
    static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else { throw failure(path) }
        defer { fclose(file) }
        let bytes = Array(text.utf8)
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw failure(path) }
    }

    static func failure(_ path: String) -> LocalCluster.Unusable {
        LocalCluster.Unusable(description: "\(path): \(String(cString: strerror(errno)))")
    }
}
