import Glibc
import TLS

/// The parent: single-threaded, does nothing but wait for its child, bury it, and start the next.
///
/// When the child has exited, this process *knows* it, which no other node can without waiting for a
/// lease to run out (O7). Only `WIFEXITED` or `WIFSIGNALED` of that very pid counts as an exit.
struct ParentProcess {
    private let configuration: NodeConfiguration
    private var courier = ObituaryCourier()
    /// Nil where links are in the clear.
    private var security: ObituarySecurity?
    private var child: (pid: pid_t, nonce: UInt64, startedAt: time_t)?
    private var isStopping = false
    private var failuresInARow = 0

    private static let pollMs = 20
    private static let longestPauseMs = 5_000

    init(_ configuration: NodeConfiguration) {
        self.configuration = configuration
        security = CertificateFiles(configuration).map { ObituarySecurity($0) }
    }

    func run() -> Int32 {
        var copy = self
        return copy.watch()
    }

    private mutating func watch() -> Int32 {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        sigprocmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        guard start() else { return ExitCode.refused }
        while true {
            if !courier.isBusy { security?.refresh() }
            handle(nextSignal(&signals))
            if let status = reap(), let code = bury(status) { return code }
            courier.advance()
            if child == nil, !start() { return ExitCode.refused }
        }
    }

    private func nextSignal(_ signals: inout sigset_t) -> Int32 {
        // An obituary goes on as soon as a node has answered.
        if courier.isBusy { courier.wait(atMostMs: Int32(Self.pollMs)) }
        var wait = timespec(tv_sec: courier.isBusy ? 0 : 1, tv_nsec: 0)
        return sigtimedwait(&signals, nil, &wait)
    }

    private mutating func handle(_ signal: Int32) {
        guard let child else { return }
        switch signal {
        case SIGTERM, SIGINT:
            isStopping = true
            kill(child.pid, SIGTERM)
        // "Read your files again."
        case SIGHUP: kill(child.pid, SIGHUP)
        default: break
        }
    }

    /// The status of the child that this process started, once it has exited.
    private func reap() -> Int32? {
        guard let child else { return nil }
        var status: Int32 = 0
        guard waitpid(child.pid, &status, WNOHANG) == child.pid else { return nil }
        let hasExited = status & 0x7F == 0
        let wasKilled = !hasExited && status & 0x7F != 0x7F
        return hasExited || wasKilled ? status : nil
    }

    /// Tells the cluster, and decides what comes next: nil to go on, or the parent's own exit code.
    private mutating func bury(_ status: Int32) -> Int32? {
        guard let dead = child else { return nil }
        child = nil
        let code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        let endsHere = code == ExitCode.finished || code == ExitCode.refused || code == ExitCode.inputOutput
            || code == 2 || isStopping
        if code != ExitCode.finished, let peers = PeerFile(directory: configuration.dataDirectory) {
            report(dead.nonce, to: peers)
        }
        if endsHere {
            courier.finish(withinMs: 1_000)
            guard isStopping else { return code }
            return code == ExitCode.startAgain ? ExitCode.finished : min(code, ExitCode.inputOutput)
        }
        complain("node \(configuration.name): its process \(dead.pid) ended (\(code)); starting the next")
        pauseIfItKeepsFailing(livedSeconds: time(nil) - dead.startedAt)
        return nil
    }

    private mutating func report(_ nonce: UInt64, to peers: PeerFile) {
        do throws(TLSMaterialFault) {
            let context = try security?.current()
            courier.report(node: peers.node, nonce: nonce, peers: peers, security: context)
        } catch {
            // The lease path does without a parent.
            complain("node \(configuration.name): nobody can be told of the death of its process: \(error)")
        }
    }

    /// A process that dies at once, again and again, is started less and less often.
    private mutating func pauseIfItKeepsFailing(livedSeconds: time_t) {
        failuresInARow = livedSeconds < 2 ? failuresInARow + 1 : 0
        guard failuresInARow > 3 else { return }
        let pauseMs = min(Self.longestPauseMs, 50 << min(failuresInARow - 3, 7))
        for _ in 0..<(pauseMs / Self.pollMs) {
            courier.advance()
            poll(nil, 0, Int32(Self.pollMs))
        }
    }

    // MARK: - Starting

    /// The nonce is made before the child is (O7).
    private mutating func start() -> Bool {
        let nonce = SystemRandom.number()
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // SIGHUP would end a child that does not wait for it yet.
        var blocked = sigset_t()
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGHUP)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        var environment = currentEnvironment().map { strdup($0) }
        environment.append(strdup("\(ChildMark.nonceVariable)=\(nonce)"))
        environment.append(strdup("\(ChildMark.parentVariable)=\(getpid())"))
        if getenv("SWIFT_BACKTRACE") == nil {
            // A crash is reported by its message; printing a backtrace would hold up the successor for
            // seconds, because the dead process is not dead until it is printed.
            environment.append(strdup("SWIFT_BACKTRACE=enable=no"))
        }
        environment.append(nil)
        defer { (arguments + environment).forEach { free($0) } }

        var pid: pid_t = 0
        let failure = posix_spawn(&pid, "/proc/self/exe", nil, &attributes, &arguments, &environment)
        guard failure == 0 else {
            complain("cannot start the node's process: \(String(cString: strerror(failure)))")
            return false
        }
        child = (pid, nonce, time(nil))
        return true
    }

    private func currentEnvironment() -> [String] {
        var result: [String] = []
        var next = environ
        while let entry = next.pointee {
            result.append(String(cString: entry))
            next += 1
        }
        return result
    }
}
