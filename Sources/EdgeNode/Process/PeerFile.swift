import Glibc

/// `DATA/peers`: whom the parent tells when its child has died (O7). `DATA/rejoin`, of the same form: this node has
/// lost what it had, and may only join the cluster that is named (O9). Text, one fact per line.
struct PeerFile: Equatable {
    enum Name: String {
        case peers
        case rejoin
    }

    var clusterID: UInt64
    var node: UInt64
    /// This node's own address first.
    var addresses: [String]

    private static func path(_ directory: String, _ name: Name) -> String { "\(directory)/\(name)" }

    init(clusterID: UInt64, node: UInt64, addresses: [String]) {
        self.clusterID = clusterID
        self.node = node
        self.addresses = addresses
    }

    /// Nil if there is none, or none that can be read: then nobody can be told yet.
    init?(directory: String, _ name: Name = .peers) {
        guard let text = readTextFile(PeerFile.path(directory, name)) else { return nil }
        clusterID = 0
        node = 0
        addresses = []
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2 else { return nil }
            switch words[0] {
            case "cluster": clusterID = UInt64(words[1]) ?? 0
            case "node": node = UInt64(words[1]) ?? 0
            case "peer": addresses.append(String(words[1]))
            default: return nil
            }
        }
        guard node != 0 else { return nil }
    }

    /// Best effort: an older list serves as well, and lets the lease path do the rest.
    @discardableResult
    func write(to directory: String, _ name: Name = .peers) -> Bool {
        var text = "cluster \(clusterID)\nnode \(node)\n"
        for address in addresses { text += "peer \(address)\n" }
        return writeTextFile(PeerFile.path(directory, name), text, isDurable: name == .rejoin)
    }

    static func removeRejoin(from directory: String) { unlink(path(directory, .rejoin)) }
}

func readTextFile(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(file, &bytes, bytes.count)
    guard count >= 0 else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self)
}

/// Written beside and renamed, so that readers see the old text or the new one.
@discardableResult
func writeTextFile(_ path: String, _ text: String, isDurable: Bool = false) -> Bool {
    let temporary = path + ".new"
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { return false }
    let bytes = Array(text.utf8)
    let count = write(file, bytes, bytes.count)
    let isSynced = !isDurable || fsync(file) == 0
    close(file)
    guard count == bytes.count, isSynced else { return false }
    return rename(temporary, path) == 0
}

/// The names in a directory, without those that begin with a dot; none if it cannot be read.
func directoryEntries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names
}
