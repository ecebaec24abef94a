#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that could not be read or written.
public struct FileFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public let path: String
    public let errorNumber: Int32

    public var description: String { "\(path): \(systemErrorText(errorNumber))" }
    public var isMissing: Bool { errorNumber == ENOENT }
}

/// The system's own words for an error number.
func systemErrorText(_ errorNumber: Int32) -> String {
    String(cString: strerror(errorNumber))
}

/// Small files of tools: read whole, written whole.
public enum LocalFile {
    public static func read(_ path: String) throws(FileFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure(path: path, errorNumber: errno) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Self.retrying { piece.withUnsafeMutableBytes { readPiece(descriptor, $0) } }
            guard count >= 0 else { throw FileFailure(path: path, errorNumber: errno) }
            if count == 0 { return content }
            content.append(contentsOf: piece[..<count])
        }
    }

    public static func readText(_ path: String) throws(FileFailure) -> String {
        String(decoding: try read(path), as: UTF8.self)
    }

    private static func readPiece(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, bytes.baseAddress, bytes.count)
        #elseif canImport(Musl)
            Musl.read(descriptor, bytes.baseAddress, bytes.count)
        #else
            Darwin.read(descriptor, bytes.baseAddress, bytes.count)
        #endif
    }

    private static func retrying(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }
}
