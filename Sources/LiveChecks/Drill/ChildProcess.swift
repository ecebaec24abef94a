import Glibc

/// Programs that are started and waited for.
public enum ChildProcess {
    public struct NotStarted: Error, CustomStringConvertible {
        public let description: String
    }

    /// More than a program here ever has open.
    private static let descriptorsMax: Int32 = 8_192

    /// Answers its pid. It inherits standard input, output and error and nothing else.
    public static func start(_ arguments: [String]) throws(NotStarted) -> pid_t {
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        // Connections that a child holds open would never end for their peers.
        for descriptor in 3..<descriptorsMax { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        let failure = posix_spawnp(&pid, arguments[0], nil, nil, pointers, environ)
        guard failure == 0 else {
            throw NotStarted(description: "\(arguments[0]): \(String(cString: strerror(failure)))")
        }
        return pid
    }

    /// Whether it ended well; nil while it runs.
    public static func outcome(_ pid: pid_t) -> Bool? {
        var status: Int32 = 0
        if waitpid(pid, &status, WNOHANG) == 0 { return nil }
        return status == 0
    }
}
