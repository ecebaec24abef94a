import ArgumentParser
import Glibc
import HoldfastClient

/// What this program's exit codes mean, and how an error becomes one.
enum ExitStatus {
    static let done: Int32 = 0
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let temporary: Int32 = 75

    /// Says what went wrong, on the stream where it belongs.
    static func report(_ error: any Error) -> Int32 {
        if let failure = error as? HTTPFailure {
            return report(HoldfastError(failure: failure, isWrite: false))
        }
        if let error = error as? HoldfastError {
            complain("\(error)")
            return error.isTemporary ? temporary : failed
        }
        if let error = error as? any ReportedFailure {
            complain(error.message)
            return error.exitStatus
        }
        if let error = error as? FileFailure {
            complain("\(error)")
            return failed
        }
        if let end = error as? SocketEnd {
            complain("\(end)")
            return failed
        }
        return reportParsing(error)
    }

    private static func reportParsing(_ error: any Error) -> Int32 {
        let code = Holdfast.exitCode(for: error)
        let message = Holdfast.fullMessage(for: error)
        if code == .success {
            if !message.isEmpty { print(message) }
            return done
        }
        if !message.isEmpty { writeToStandardError(message + "\n") }
        return code == .validationFailure ? usage : code.rawValue
    }

    private static func complain(_ text: String) {
        writeToStandardError("holdfast: \(text)\n")
    }
}

/// A failure of a command itself.
protocol ReportedFailure: Error {
    var message: String { get }
    var exitStatus: Int32 { get }
}

struct CommandFailure: ReportedFailure {
    var message: String
    var exitStatus = ExitStatus.failed
}

func writeToStandardError(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}

func endProgram(withStatus status: Int32) -> Never {
    fflush(nil)
    exit(status)
}
