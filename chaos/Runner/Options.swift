/// What a run was asked to do.
struct Options {
    enum Scenario: String {
        case killOwner = "kill-owner"
        case restartAll = "restart-all"
        case pauseOwner = "pause-owner"
        case killSockets = "kill-sockets"
        case move
        case grow
        case killStorage = "kill-storage"
    }

    struct UsageFault: Error, CustomStringConvertible {
        let description: String
    }

    var scenario: Scenario
    /// Directory of the running cluster, as `scripts/cluster` made it.
    var directory = ""
    var clusterScript = "scripts/cluster"
    /// How often the fault is repeated.
    var rounds = 20
    var withParent = false
    /// Objects that are written before everything else, and read at the end.
    var objects = 20_000
    /// Of the operations on the object that subscribers listen to, those that write, in percent.
    var writePercent = 30
    /// Subscribers and one writer in place of the many clients.
    var withSockets = false
    var subscribers = 50
    /// Those of `kill-sockets` that lose their node and come back.
    var members = 15
    var socketWriteRate = 200
    /// How long the cluster waits for a lost connection to come back.
    var graceSeconds = 2.0
    /// How long it may take until the others have fenced a dead node.
    var fenceSeconds = 3.0
    var clients = 64
    /// Operations per second of all clients together.
    var rate = 2_000
    /// Load before each fault.
    var settleSeconds = 1.0
    var pauseSeconds = 5.0
    var seed: UInt64 = 1
    var historyFile: String?

    static let usage = """
        usage: chaos kill-owner|restart-all|pause-owner|kill-sockets|move|grow|kill-storage
                     --dir DIR [--cluster-script FILE]
                     [--kills N | --rounds N | --moves N] [--with-parent] [--clients N] [--rate N]
                     [--objects N] [--writes PERCENT]
                     [--sockets] [--subscribers N] [--members N] [--write-rate N] [--grace SECONDS]
                     [--settle SECONDS] [--seconds S] [--seed N] [--history FILE]
        """

    init(_ arguments: [String]) throws(UsageFault) {
        guard let word = arguments.first, let scenario = Scenario(rawValue: word) else {
            throw UsageFault(description: "which scenario?")
        }
        self.scenario = scenario
        if scenario == .restartAll { rounds = 10 }
        if scenario == .pauseOwner { rounds = 3 }
        if scenario == .killSockets { rounds = 10 }
        if scenario == .move { (rate, subscribers, writePercent) = (1_000, 100, 80) }
        if scenario == .grow { (rate, subscribers) = (500, 30) }
        if scenario == .killStorage { (rate, objects) = (1_000, 5_000) }
        var roundsAreGiven = false
        var rest = arguments.dropFirst()
        while let name = rest.popFirst() {
            if name == "--with-parent" {
                withParent = true
                continue
            }
            if name == "--sockets", scenario == .killOwner {
                withSockets = true
                if !roundsAreGiven { rounds = 10 }
                continue
            }
            guard let value = rest.popFirst() else { throw UsageFault(description: "\(name) wants a value") }
            try take(name, value)
            if ["--kills", "--rounds", "--moves"].contains(name) { roundsAreGiven = true }
        }
        guard !directory.isEmpty else { throw UsageFault(description: "--dir is missing") }
        guard !withSockets || (scenario == .killOwner && !withParent) else {
            throw UsageFault(description: "--sockets goes with kill-owner, and without --with-parent")
        }
    }

    var hasSockets: Bool { withSockets || scenario == .killSockets }

    var mix: Load.Mix {
        switch scenario {
        case .move: Load.Mix(roomPercent: 100, roomWritePercent: writePercent)
        case .grow: Load.Mix(roomPercent: 30, roomWritePercent: writePercent)
        // Half of everything at one object, which makes its shard worth a split.
        case .killStorage: Load.Mix(hottestPercent: 50)
        default: Load.Mix()
        }
    }

    private mutating func take(_ name: String, _ value: String) throws(UsageFault) {
        let isGood: Bool =
            switch name {
            case "--dir": assign(&directory, value)
            case "--cluster-script": assign(&clusterScript, value)
            case "--kills", "--rounds", "--moves":
                assign(&rounds, Int(value).flatMap { (1...10_000).contains($0) ? $0 : nil })
            case "--clients": assign(&clients, Int(value).flatMap { (1...10_000).contains($0) ? $0 : nil })
            case "--rate": assign(&rate, Int(value).flatMap { (1...1_000_000).contains($0) ? $0 : nil })
            case "--objects": assign(&objects, Int(value).flatMap { (1...10_000_000).contains($0) ? $0 : nil })
            case "--writes": assign(&writePercent, Int(value).flatMap { (1...100).contains($0) ? $0 : nil })
            case "--subscribers", "--sockets":
                assign(&subscribers, Int(value).flatMap { (1...5_000).contains($0) ? $0 : nil })
            case "--members": assign(&members, Int(value).flatMap { (1...500).contains($0) ? $0 : nil })
            case "--write-rate": assign(&socketWriteRate, Int(value).flatMap { (1...10_000).contains($0) ? $0 : nil })
            case "--grace": assign(&graceSeconds, Self.seconds(value))
            case "--settle": assign(&settleSeconds, Self.seconds(value))
            case "--seconds": assign(&pauseSeconds, Self.seconds(value))
            case "--seed": assign(&seed, UInt64(value))
            case "--history": assign(&historyFile, value)
            default: throw UsageFault(description: "unknown option \(name)")
            }
        guard isGood else { throw UsageFault(description: "\(name) cannot be '\(value)'") }
    }

    private func assign<Value>(_ target: inout Value, _ value: Value?) -> Bool {
        guard let value else { return false }
        target = value
        return true
    }

    private func assign(_ target: inout String?, _ value: String) -> Bool {
        target = value
        return true
    }

    private static func seconds(_ text: String) -> Double? {
        Double(text).flatMap { $0.isFinite && $0 >= 0 && $0 <= 3_600 ? $0 : nil }
    }
}
