import Glibc
import Simulation

/// Runs recipes in processes of their own, so that a broken precondition costs one run and names it. Each world stays
/// in one thread of one process: what a seed does depends on nothing else.
///
/// To be used from one thread.
final class WorkerPool: RecipeRunner {
    private let plant: String?
    /// Of the worker's processor time: a busy machine makes no run hang.
    private let patienceNs: UInt64
    private var workers: [Worker?]
    /// What has come before its turn, by the order of asking.
    private var early: [Int: SimulationResult] = [:]

    init(size: Int, plant: String?, patienceNs: UInt64) {
        self.plant = plant
        self.patienceNs = patienceNs
        workers = Array(repeating: nil, count: size)
        // A worker that dies is noticed when it is read from.
        signal(SIGPIPE, SIG_IGN)
    }

    deinit { for worker in workers { worker?.end() } }

    func run(next: () -> Recipe?, take: (SimulationResult) -> Bool) {
        var asked = 0
        var taken = 0
        var isAtEnd = false
        defer { giveUp() }
        while true {
            for place in workers.indices where !isAtEnd && workers[place]?.task == nil {
                guard let recipe = next() else {
                    isAtEnd = true
                    break
                }
                give(recipe, number: asked, to: place)
                asked += 1
            }
            while let result = early.removeValue(forKey: taken) {
                taken += 1
                guard take(result) else { return }
            }
            if taken == asked {
                if isAtEnd { return }
            } else {
                wait()
            }
        }
    }

    private func give(_ recipe: Recipe, number: Int, to place: Int) {
        let worker = workers[place] ?? Worker(plant: plant)
        workers[place] = worker
        worker.begin(Worker.Task(number: number, recipe: recipe, startSeconds: worker.processorSeconds))
    }

    /// Until something has come, at most a second.
    private func wait() {
        let busy = workers.indices.filter { workers[$0]?.task != nil }
        var files = busy.map { pollfd(fd: workers[$0]?.output ?? -1, events: Int16(POLLIN), revents: 0) }
        poll(&files, nfds_t(files.count), 1_000)
        for (place, file) in zip(busy, files) {
            guard let worker = workers[place], let task = worker.task else { continue }
            if file.revents != 0 {
                read(worker, place, task)
            } else if worker.processorSeconds - task.startSeconds > Double(patienceNs) / 1e9 {
                lose(place, task, Failure(kind: .liveness, message: "the run does not end", atNs: 0))
            }
        }
    }

    private func read(_ worker: Worker, _ place: Int, _ task: Worker.Task) {
        if worker.readMore() {
            guard let result = worker.takeResult() else { return }
            early[task.number] = result
        } else {
            let signal = worker.end()
            let message = "a precondition was broken: the process ended by signal \(signal)"
            lose(place, task, Failure(kind: .crash, message: message, atNs: 0))
        }
    }

    private func lose(_ place: Int, _ task: Worker.Task, _ failure: Failure) {
        workers[place]?.end()
        workers[place] = nil
        early[task.number] = SimulationResult(recipe: task.recipe, failure: failure)
    }

    /// What is still under way interests nobody.
    private func giveUp() {
        early = [:]
        for place in workers.indices where workers[place]?.task != nil {
            workers[place]?.end()
            workers[place] = nil
        }
    }
}

/// One process that runs worlds, and the pipes to it.
private final class Worker {
    struct Task {
        var number: Int
        var recipe: Recipe
        /// By the worker's processor time.
        var startSeconds: Double
    }

    private(set) var task: Task?
    private let input: Int32
    let output: Int32
    private var pid: pid_t = 0
    private var bytes: [UInt8] = []

    init(plant: String?) {
        let toWorker = Worker.makePipe()
        let fromWorker = Worker.makePipe()
        (input, output) = (toWorker.write, fromWorker.read)
        pid = Worker.spawn(plant, input: toWorker.read, output: fromWorker.write)
        close(toWorker.read)
        close(fromWorker.write)
    }

    func begin(_ task: Task) {
        self.task = task
        writeAll(Array((task.recipe.description + "\n").utf8), to: input)
    }

    /// What the process has computed for; 0 once it is gone.
    var processorSeconds: Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// False if the worker is gone.
    func readMore() -> Bool {
        var part = [UInt8](repeating: 0, count: 64 << 10)
        let count = part.withUnsafeMutableBytes { read(output, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { return true }
        guard count > 0 else { return false }
        bytes += part.prefix(count)
        return true
    }

    /// Once all of it is there.
    func takeResult() -> SimulationResult? {
        guard let task, bytes.count >= 4 else { return nil }
        let length = bytes[0..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count == 4 + length else { return nil }
        let content = Array(bytes[4...])
        bytes = []
        self.task = nil
        do {
            return try SimulationResult(recipe: task.recipe, from: content)
        } catch {
            preconditionFailure("both ends are one program: \(error)")
        }
    }

    /// Ends the process, if it has not ended. Answers the signal that it died by, or 0.
    @discardableResult
    func end() -> Int32 {
        guard pid > 0 else { return 0 }
        close(input)
        close(output)
        // One that has died by itself keeps its own cause.
        kill(pid, SIGKILL)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        pid = 0
        return status & 0x7F
    }

    // MARK: - Starting

    private static func makePipe() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { fatal("no pipe to a worker") }
        // Other workers must not hold them open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ plant: String?, input: Int32, output: Int32) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        // A group of its own: Ctrl-C is for the one who asks.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let words = [CommandLine.arguments[0], "simulate", "--worker"] + (plant.map { ["--plant", $0] } ?? [])
        var arguments = words.map { strdup($0) } + [nil]
        // Nobody reads a worker's backtrace, and printing one takes seconds.
        var environment = [strdup("SWIFT_BACKTRACE=enable=no")] + currentEnvironment().map { strdup($0) } + [nil]
        defer { (arguments + environment).forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, &arguments, &environment)
        guard failure == 0 else { fatal("no worker: \(String(cString: strerror(failure)))") }
        return pid
    }

    private static func currentEnvironment() -> [String] {
        var result: [String] = []
        var next = environ
        while let entry = next.pointee {
            result.append(String(cString: entry))
            next += 1
        }
        return result
    }

    private static func fatal(_ text: String) -> Never {
        writeToStandardError("holdfast: \(text)\n")
        endProgram(withStatus: ExitStatus.failed)
    }
}
