import ArgumentParser
import Glibc
import Simulation

/// The end of a worker: reads recipes, one per line, and answers each with the bytes of its result behind their number.
enum SimulationWorker {
    static func run(plant: String?) {
        if let plant, !SimulationProgram.plant(plant) { return }
        while let line = readLine() {
            guard let command = try? SimulateCommand.parse(line.split(separator: " ").map(String.init)),
                let options = try? command.options()
            else { return }
            let bytes = SimulationRun.run(options.recipe).encode()
            guard writeAll(withUnsafeBytes(of: UInt32(bytes.count).littleEndian, Array.init) + bytes, to: STDOUT_FILENO)
            else { return }
        }
    }
}

/// What a signal handler, which may use nothing that allocates, tells the program.
enum Interruption {
    nonisolated(unsafe) private static var wanted: sig_atomic_t = 0

    static var isWanted: Bool { wanted != 0 }

    /// The first Ctrl-C asks for an end with a summary, the second one ends.
    static func install() {
        signal(SIGINT) { _ in
            if Interruption.wanted != 0 { _exit(130) }
            Interruption.wanted = 1
        }
    }
}

/// A broken precondition traps: the seed that led there must not be lost with the process.
enum CrashNote {
    nonisolated(unsafe) static var seed: UInt64 = 0

    static func install() {
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] {
            signal(number) { _ in
                CrashNote.write()
                _exit(SimulationProgram.ExitCode.crash)
            }
        }
    }

    private static func write() {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { text in
            var end = 0
            for byte: UInt8 in "crash: a precondition was broken by seed ".utf8 {
                text[end] = byte
                end += 1
            }
            var divisor: UInt64 = 1
            while seed / divisor >= 10 { divisor *= 10 }
            while divisor > 0 {
                text[end] = UInt8(48 + seed / divisor % 10)
                divisor /= 10
                end += 1
            }
            text[end] = 10
            _ = Glibc.write(STDOUT_FILENO, text.baseAddress, end + 1)
        }
    }
}
