import TLS

/// `cluster.key`: one key a line, newest first, as `hfk1 ` and 64 hexadecimal digits. Lines that begin with `#` and
/// empty ones mean nothing. For its owner's eyes only (mode 0600).
enum ClusterKeyFile {
    static let keysMax = 8
    private static let word = "hfk1 "

    static func read(_ path: String) throws(TLSMaterialFault) -> ClusterKeys {
        let file = try PEMFile.readKey(path)
        return try parse(String(decoding: file.pem, as: UTF8.self), path: path)
    }

    static func parse(_ text: String, path: String) throws(TLSMaterialFault) -> ClusterKeys {
        var keys: [ClusterKeys.Key] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard line.hasPrefix(word), let bytes = Hexadecimal.decode(line.utf8.dropFirst(word.utf8.count)),
                let key = ClusterKeys.Key(bytes)
            else { throw .refused(file: path, reason: "line \(number + 1) is no cluster key: 'hfk1 ' and 64 digits") }
            guard !keys.contains(key) else {
                throw .refused(file: path, reason: "line \(number + 1) repeats a key")
            }
            keys.append(key)
        }
        guard (1...keysMax).contains(keys.count) else {
            throw .refused(file: path, reason: "it holds \(keys.count) keys; 1 to \(keysMax) are possible")
        }
        return ClusterKeys(keys)
    }

    static func write(_ keys: ClusterKeys, to path: String) throws(TLSMaterialFault) {
        var text = "# The cluster's keys, newest first. Keep them as safe as what they protect.\n"
        for key in keys.keys { text += word + Hexadecimal.encode(key.bytes) + "\n" }
        try PEMFile.write(Array(text.utf8), to: path, mode: 0o600)
    }

    static func makeKey() throws(TLSMaterialFault) -> ClusterKeys.Key {
        guard let bytes = try? secureRandomBytes(ClusterKeys.Key.byteCount), let key = ClusterKeys.Key(bytes) else {
            throw .failed("making a cluster key")
        }
        return key
    }
}
