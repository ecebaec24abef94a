import CHoldfast
import Glibc

/// `holdfast serve`: a small parent that waits, and a child that serves (O7).
public enum NodeProgram {
    /// Runs a node until it is told to stop. Returns the process's exit code.
    public static func run(_ configuration: NodeConfiguration) -> Int32 {
        guard getenv("SWIFT_DETERMINISTIC_HASHING") == nil else {
            complain(
                "SWIFT_DETERMINISTIC_HASHING is set: clients could choose names that make every look-up slow. "
                    + "Nothing was started; unset it.")
            return ExitCode.refused
        }
        if !configuration.coreDumps, holdfast_forbid_dumps() != 0 {
            complain("core dumps could not be turned off; what a crash leaves behind may hold secrets")
        }
        guard let mark = ChildMark.fromEnvironment() else { return ParentProcess(configuration).run() }
        // O7: the child dies with its parent; if the parent went first, nobody would bury this process.
        _ = holdfast_die_with_parent()
        guard getppid() == mark.parent else { return ExitCode.startAgain }
        return NodeServer.serve(configuration, nonce: mark.nonce)
    }
}

/// How the child knows that it is one, and under which name it will be buried.
struct ChildMark {
    static let nonceVariable = "HOLDFAST_CHILD_NONCE"
    static let parentVariable = "HOLDFAST_CHILD_PARENT"

    var nonce: UInt64
    var parent: pid_t

    static func fromEnvironment() -> ChildMark? {
        guard let nonce = getenv(nonceVariable).flatMap({ UInt64(String(cString: $0)) }),
            let parent = getenv(parentVariable).flatMap({ pid_t(String(cString: $0)) })
        else { return nil }
        unsetenv(nonceVariable)
        unsetenv(parentVariable)
        return ChildMark(nonce: nonce, parent: parent)
    }
}

/// The operating system's generator.
enum SystemRandom {
    static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let chunk = min(256, count - filled)
            let result = bytes.withUnsafeMutableBytes { getentropy($0.baseAddress! + filled, chunk) }
            precondition(result == 0, "the operating system gives no random bytes")
            filled += chunk
        }
        return bytes
    }

    static func number() -> UInt64 {
        bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A line for people on standard error, before there is a logger and in the parent, which has none.
func complain(_ text: String) {
    let bytes = Array("holdfast: \(text)\n".utf8)
    _ = write(2, bytes, bytes.count)
}
