import Glibc

/// `DATA/tls`: where the node that uses the directory has its certificates, for those who look after it. Text, one
/// fact per line.
struct CertificateNote: Equatable {
    var files: CertificateFiles

    private static func path(_ directory: String) -> String { directory + "/tls" }

    init?(dataDirectory: String) {
        guard let text = readTextFile(Self.path(dataDirectory)) else { return nil }
        var files = CertificateFiles(directory: "")
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { return nil }
            switch words[0] {
            case "directory": files.directory = words[1]
            case "client-certificate": files.clientCertificate = words[1]
            case "client-key": files.clientKey = words[1]
            case "client-ca": files.clientCA = words[1]
            default: return nil
            }
        }
        guard !files.directory.isEmpty else { return nil }
        self.files = files
    }

    /// Says what `configuration` says: without certificates there is no note.
    static func write(_ configuration: NodeConfiguration) {
        let place = path(configuration.dataDirectory)
        guard let files = CertificateFiles(configuration) else {
            unlink(place)
            return
        }
        var text = "directory \(absolutePath(files.directory))\n"
        if let path = files.clientCertificate { text += "client-certificate \(absolutePath(path))\n" }
        if let path = files.clientKey { text += "client-key \(absolutePath(path))\n" }
        if let path = files.clientCA { text += "client-ca \(absolutePath(path))\n" }
        writeTextFile(place, text)
    }

    /// Who reads the note may stand elsewhere.
    private static func absolutePath(_ path: String) -> String {
        guard let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }
}
