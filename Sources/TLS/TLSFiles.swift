import Glibc

/// Where the certificates and keys of a context are.
public struct TLSFiles: Hashable, Sendable {
    /// This side's chain, its own certificate first.
    public var certificates: String?
    public var privateKey: String?
    public var roots: String?

    public init(certificates: String? = nil, privateKey: String? = nil, roots: String? = nil) {
        self.certificates = certificates
        self.privateKey = privateKey
        self.roots = roots
    }

    var paths: [String] { [certificates, privateKey, roots].compactMap { $0 } }

    /// `settings` with what is in the files now.
    func read(into settings: TLSSettings) throws(TLSMaterialFault) -> TLSSettings {
        var settings = settings
        settings.certificates = try material(certificates) ?? settings.certificates
        settings.privateKey = try material(privateKey) ?? settings.privateKey
        settings.roots = try material(roots) ?? settings.roots
        return settings
    }

    private func material(_ path: String?) throws(TLSMaterialFault) -> TLSSettings.Material? {
        guard let path else { return nil }
        return TLSSettings.Material(pem: try readWholeFile(path), file: path)
    }
}

/// What tells one state of files from another without reading them.
public struct FileStamp: Hashable, Sendable {
    let size: Int64
    let inode: UInt64
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    /// Nil if there is no such file.
    public init?(path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        size = Int64(info.st_size)
        inode = UInt64(info.st_ino)
        modifiedSeconds = info.st_mtim.tv_sec
        modifiedNanoseconds = info.st_mtim.tv_nsec
    }
}

/// Certificates and keys are short; nothing longer than this is one.
private let fileByteCountMax = 1_048_576

private func readWholeFile(_ path: String) throws(TLSMaterialFault) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .unreadableFile(path: path, reason: String(cString: strerror(errno))) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16_384)
    while true {
        let count = read(file, &piece, piece.count)
        guard count >= 0 else { throw .unreadableFile(path: path, reason: String(cString: strerror(errno))) }
        guard count > 0 else { return bytes }
        bytes += piece[..<count]
        guard bytes.count <= fileByteCountMax else {
            throw .unreadableFile(path: path, reason: "it is longer than certificates are")
        }
    }
}
