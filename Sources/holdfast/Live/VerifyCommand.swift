import ArgumentParser
import Glibc
import HoldfastClient
import LiveChecks

struct VerifyCommand: ClusterVerb {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check the promises of a running cluster by a light load of its own.",
        discussion: """
            Give the endpoints of all nodes. Writes and reads registers, counters and lists of objects in the class \
            holdfast-verify, through every node, and checks window by window that the answers are linearizable, \
            that (epoch, index) never goes down, and that an epoch has one owner. Ends with the first violation; \
            its history goes to a file. Ctrl-C ends it in good order. Its objects are removed.
            Exit codes: 0 no violation, 1 refused, 3 something could not be checked, 4 a promise is broken, 75 no node \
            answers.
            """)

    @Option(name: .long, help: "Calls a second, by all clients together.")
    var rate = 50.0

    @Option(name: .long, help: "Seconds.")
    var seconds = 60.0

    @Flag(name: .long, help: "Go on until it is ended, or finds a violation.")
    var forever = false

    @Option(name: .long, help: "Seconds of a window, after each of which all is checked.")
    var interval = 5.0

    @Option(name: .long, help: "Clients; 6, or two for each endpoint if there are more than 3.")
    var clients: Int?

    @Option(name: .long, help: ArgumentHelp("Where the history of a violation goes.", valueName: "file"))
    var history = "holdfast-verify.jsonl"

    @OptionGroup var access: ProjectAccess
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard rate.isFinite, rate >= 0.1, rate <= 10_000 else {
            throw ValidationError("--rate must be from 0.1 to 10000.")
        }
        guard seconds.isFinite, seconds >= 0.1, seconds <= 1e8 else {
            throw ValidationError("--seconds must be from 0.1 to 100000000.")
        }
        guard interval.isFinite, interval >= 0.1, interval <= 600 else {
            throw ValidationError("--interval must be from 0.1 to 600.")
        }
        guard (1...256).contains(clients ?? 1) else { throw ValidationError("--clients must be from 1 to 256.") }
    }

    func options(endpoints: Int, seed: UInt64) -> VerifyOptions {
        var options = VerifyOptions(seed: seed)
        options.ratePerSecond = rate
        options.seconds = forever ? nil : seconds
        options.intervalSeconds = interval
        options.clients = clients ?? max(6, 2 * endpoints)
        options.historyFile = history
        return options
    }

    func execute() async throws {
        let live = try access.live()
        let options = options(endpoints: live.endpoints.count, seed: UInt64(wallMs()))
        endOnSignals()
        if !output.json { print(VerifyText.title) }
        let verdict = try await VerifyRun(live, options).run(isStopped: { signalCame != 0 }) { interval in
            print(output.json ? "\(VerifyText.json(interval))" : VerifyText.lines(interval))
            fflush(nil)
        }
        print(output.json ? "\(VerifyText.json(verdict))" : VerifyText.lines(verdict))
        if verdict.exitStatus != ExitStatus.done { endProgram(withStatus: verdict.exitStatus) }
    }
}

/// Set by the signal handler, which may do no more than that.
nonisolated(unsafe) private var signalCame: sig_atomic_t = 0

/// A second signal ends the program as it would without this.
private func endOnSignals() {
    for number in [SIGINT, SIGTERM] {
        signal(number) { number in
            signalCame = 1
            signal(number, SIG_DFL)
        }
    }
}
