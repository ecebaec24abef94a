@testable import Raft

/// Runs one script. A line that begins with `>` is a command; the lines under it, up to an empty line, are
/// what it prints. Everything else is comment. The runner gives back the whole text with the lines that
/// it really printed.
struct ScriptRunner {
    private(set) var nodes: [TestNode] = []
    var network: [Message] = []
    private(set) var rules = Invariants()
    private var isAppointed = false
    private var settings = ReplicaSettings()
    private var cuts: Set<[NodeID]> = []
    private var output: [String] = []

    static func run(_ text: String) -> String {
        var runner = ScriptRunner()
        var result: [String] = []
        var isOutput = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix(">") {
                result.append(line)
                result += runner.execute(String(line.dropFirst()))
                isOutput = true
            } else if line.isEmpty || line.hasPrefix("#") || !isOutput {
                isOutput = false
                result.append(line)
            }
        }
        return result.joined(separator: "\n")
    }

    private mutating func execute(_ line: String) -> [String] {
        output = []
        let words = line.split(separator: " ").map(String.init)
        guard let name = words.first else { return [] }
        let before = nodes.map { ($0.id, $0.portrait) }
        perform(name, ScriptArguments(words.dropFirst()))
        printChanges(since: before)
        output += rules.violations.map { "VIOLATION \($0)" }
        return output
    }

    mutating func say(_ line: String) { output.append("  " + line) }

    // MARK: Nodes

    func position(of id: NodeID) -> Int {
        guard let found = nodes.firstIndex(where: { $0.id == id }) else {
            preconditionFailure("no node \(id)")
        }
        return found
    }

    /// Takes what a node wants done: messages go to the network, unless their link is cut.
    mutating func collect(_ node: Int) {
        guard nodes[node].isUp else { return }
        nodes[node].pump(&rules)
        for event in nodes[node].takeEvents() { say("\(nodes[node].id) \(event)") }
        let (answered, abandoned) = nodes[node].takeReads()
        for state in answered { say("\(nodes[node].id) read \(state.id) at \(state.index)") }
        for id in abandoned { say("\(nodes[node].id) read \(id) abandoned") }
        for message in nodes[node].takeOutbox() {
            let isCut = cuts.contains([message.from, message.to])
            say(message.words + (isCut ? " ✗" : ""))
            if !isCut { network.append(message) }
        }
    }

    /// Delivers what is under way, not what comes of it. Each node takes all of its messages in one turn.
    mutating func deliver(where wanted: (Message) -> Bool) {
        let batch = network.filter(wanted)
        network.removeAll(where: wanted)
        for message in batch { step(message) }
        for node in nodes.indices where batch.contains(where: { $0.to == nodes[node].id }) { collect(node) }
    }

    mutating func step(_ message: Message) {
        guard let receiver = nodes.firstIndex(where: { $0.id == message.to }), nodes[receiver].isUp else {
            return
        }
        guard !cuts.contains([message.from, message.to]) else { return say(message.words + " ✗") }
        nodes[receiver].replica.step(message)
    }

    private mutating func printChanges(since before: [(NodeID, [(name: String, value: String)])]) {
        for node in nodes {
            guard let old = before.first(where: { $0.0 == node.id })?.1 else { continue }
            let new = node.portrait
            let changed = new.filter { part in
                !old.contains { $0.name == part.name && $0.value == part.value }
            }
            guard !changed.isEmpty else { continue }
            output.append("\(node.id): " + changed.map { "\($0.name) \($0.value)" }.joined(separator: ", "))
        }
    }
}

/// Words of a command: plain ones in order, and `name=value` ones.
struct ScriptArguments {
    private(set) var plain: [String] = []
    private var named: [String: String] = [:]

    init(_ words: some Sequence<String>) {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { named[parts[0]] = parts[1] } else { plain.append(word) }
        }
    }

    func has(_ word: String) -> Bool { plain.contains(word) }
    func text(_ name: String) -> String? { named[name] }
    func number(_ name: String) -> UInt64? { named[name].flatMap { UInt64($0) } }
    func numbers(_ name: String) -> [UInt64] { (named[name] ?? "").split(separator: ",").map { UInt64($0)! } }
    func nodes(_ name: String) -> [NodeID] { numbers(name).map { NodeID($0) } }

    func number(at position: Int, default fallback: UInt64? = nil) -> UInt64 {
        guard position < plain.count, let value = UInt64(plain[position]) else {
            guard let fallback else { preconditionFailure("a number is missing") }
            return fallback
        }
        return value
    }

    func node(at position: Int) -> NodeID { NodeID(number(at: position)) }
}

// MARK: - Commands

extension ScriptRunner {
    private mutating func perform(_ name: String, _ words: ScriptArguments) {
        switch name {
        case "elected", "appointed": begin(appointed: name == "appointed", words)
        case "node": add(words)
        case "tick": tick(words)
        case "deliver": deliverSome(words)
        case "stabilize": stabilize()
        case "drop": drop(words)
        case "duplicate": duplicate(words)
        case "cut": cut(words, isCut: true)
        case "heal": words.plain.isEmpty ? cuts.removeAll() : cut(words, isCut: false)
        case "crash": nodes[position(of: words.node(at: 0))].crash()
        case "restart": restart(words)
        case "slow", "sync": disk(name, words)
        case "status": status(words)
        case "log": printLog(words)
        default: performOnNode(name, words)
        }
    }

    private mutating func performOnNode(_ name: String, _ words: ScriptArguments) {
        let node = position(of: words.node(at: 0))
        switch name {
        case "propose": propose(node, Array(words.plain.dropFirst()))
        case "barrier": nodes[node].replica.change({ _ in }, { _ = $0.proposeBarrier() })
        case "configure": configure(node, words)
        case "transfer":
            let target = words.node(at: 1)
            nodes[node].replica.change({ _ = $0.transferLeadership(to: target) }, { _ in })
        case "read": read(node)
        case "died": died(node, words)
        case "appoint": appoint(node, words)
        case "observe": nodes[node].replica.change({ _ in }, { $0.observe(term: Term(words.number(at: 1))) })
        case "compact":
            nodes[node].compact(keepingBytes: 0, through: LogIndex(words.number(at: 1, default: UInt64.max)))
        case "unreachable", "reachable":
            nodes[node].replica.report(words.node(at: 1), reachable: name == "reachable")
        case "withhold": nodes[node].providesSnapshots = false
        case "provide":
            nodes[node].providesSnapshots = true
            nodes[node].provideSnapshot()
        default: preconditionFailure("no command \(name)")
        }
        collect(node)
    }

    private mutating func begin(appointed: Bool, _ words: ScriptArguments) {
        isAppointed = appointed
        settings.electionTimeoutTicks = 10...10
        if let bytes = words.number("chunk") { settings.snapshotChunkBytes = Int(bytes) }
        if let bytes = words.number("window") { settings.snapshotWindowBytes = Int(bytes) }
        if let count = words.number("entries") { settings.messageEntriesMax = Int(count) }
        if let count = words.number("inflight") { settings.inFlightMessagesMax = Int(count) }
        let configuration = Configuration(
            voters: words.plain.map { NodeID(UInt64($0)!) }, learners: words.nodes("learners"))
        for member in configuration.members { addNode(member, .newGroup(configuration)) }
    }

    /// `node 3 log=1,1,2 term=2 vote=1 [lost] [joining]`: replaces the node's state.
    private mutating func add(_ words: ScriptArguments) {
        let id = words.node(at: 0)
        let existing = nodes.first { $0.id == id }
        nodes.removeAll { $0.id == id }
        var initial =
            words.has("joining")
            ? .joining
            : InitialState.newGroup(
                existing?.replica.configuration ?? Configuration(voters: [id]))
        initial.entries = words.numbers("log").enumerated().map { offset, term in
            Entry(
                term: Term(term), index: LogIndex(UInt64(offset + 1)), kind: .command,
                payload: Array("x\(term)".utf8))
        }
        initial.hardState.term = Term(words.number("term") ?? initial.entries.last?.term.rawValue ?? 0)
        initial.hardState.vote = words.number("vote").map { Candidate(node: NodeID($0), incarnation: 0) }
        initial.holdsLog = !words.has("lost")
        if let text = words.text("configuration") {
            let voters = text.split(separator: ",").map { NodeID(UInt64($0)!) }
            let last = initial.entries.last
            initial.entries.append(
                Entry(
                    term: last?.term ?? initial.hardState.term, index: (last?.index ?? .zero).next,
                    kind: .configuration, payload: Configuration(voters: voters).encoded))
        }
        addNode(id, initial)
    }

    private mutating func addNode(_ id: NodeID, _ initial: InitialState) {
        let (settings, isAppointed) = (settings, isAppointed)
        nodes.append(
            TestNode(id: id, initial: initial) { id, state in
                isAppointed
                    ? .appointed(AppointedReplica(id: id, initial: state, settings: settings))
                    : .elected(ElectedReplica(id: id, initial: state, settings: settings, seed: 1))
            })
        nodes.sort { $0.id < $1.id }
    }

    private mutating func tick(_ words: ScriptArguments) {
        let chosen = words.plain.first == "all" ? Array(nodes.indices) : [position(of: words.node(at: 0))]
        for _ in 0..<words.number(at: 1, default: 1) {
            for node in chosen where nodes[node].isUp {
                nodes[node].replica.tick()
                collect(node)
            }
        }
    }

    private func matcher(_ words: ScriptArguments) -> (Message) -> Bool {
        let (from, to) = (words.number("from"), words.number("to"))
        return { message in
            (from == nil || message.from.rawValue == from) && (to == nil || message.to.rawValue == to)
        }
    }

    private mutating func deliverSome(_ words: ScriptArguments) { deliver(where: matcher(words)) }

    /// Delivers until nothing is under way.
    private mutating func stabilize() {
        var budget = 2000
        while !network.isEmpty, budget > 0 {
            let message = network.removeFirst()
            step(message)
            if let receiver = nodes.firstIndex(where: { $0.id == message.to }) { collect(receiver) }
            budget -= 1
        }
        if budget == 0 { say("never quiet") }
    }

    private mutating func drop(_ words: ScriptArguments) {
        let wanted = matcher(words)
        for message in network.filter(wanted) { say(message.words + " ✗") }
        network.removeAll(where: wanted)
    }

    /// What matches will arrive twice.
    private mutating func duplicate(_ words: ScriptArguments) { network += network.filter(matcher(words)) }

    private mutating func cut(_ words: ScriptArguments, isCut: Bool) {
        let (one, other) = (words.node(at: 0), words.plain.count > 1 ? words.plain[1] : "all")
        let others = other == "all" ? nodes.map(\.id).filter { $0 != one } : [NodeID(UInt64(other)!)]
        for other in others {
            for link in words.has("oneway") ? [[one, other]] : [[one, other], [other, one]] {
                if isCut { cuts.insert(link) } else { cuts.remove(link) }
            }
        }
    }

    private mutating func restart(_ words: ScriptArguments) {
        let node = position(of: words.node(at: 0))
        nodes[node].restart()
        collect(node)
    }

    private mutating func disk(_ name: String, _ words: ScriptArguments) {
        let node = position(of: words.node(at: 0))
        if name == "slow" { return nodes[node].syncsAtOnce = false }
        for _ in 0..<words.number(at: 1, default: 1) { _ = nodes[node].sync(&rules) }
        collect(node)
    }

    private mutating func propose(_ node: Int, _ payloads: [String]) {
        for payload in payloads where nodes[node].replica.propose(Array(payload.utf8)) == nil {
            say("refused: does not lead")
        }
    }

    private mutating func configure(_ node: Int, _ words: ScriptArguments) {
        let target = Configuration(voters: words.nodes("voters"), learners: words.nodes("learners"))
        if nodes[node].replica.proposeConfiguration(target) == nil { say("refused") }
    }

    private mutating func read(_ node: Int) {
        let id = nodes[node].replica.change({ $0.requestReadIndex() }, { _ in nil })
        say(id.map { "read \($0) waits" } ?? "refused: does not lead")
    }

    private mutating func died(_ node: Int, _ words: ScriptArguments) {
        let (leader, term, after) = (
            words.node(at: 1), Term(words.number(at: 2)), Int(words.number(at: 3, default: 0))
        )
        nodes[node].replica.change({ $0.leaderDied(leader, term: term, campaignAfterTicks: after) }, { _ in })
    }

    private mutating func appoint(_ node: Int, _ words: ScriptArguments) {
        let (term, incarnation) = (Term(words.number(at: 1)), words.number(at: 2, default: 1))
        let isTaken = nodes[node].replica.change(
            { _ in false },
            { $0.appoint(term: term, incarnation: incarnation, asking: words.nodes("asking")) })
        if !isTaken { say("refused") }
    }

    private mutating func status(_ words: ScriptArguments) {
        let chosen = words.plain.isEmpty ? Array(nodes.indices) : [position(of: words.node(at: 0))]
        for node in chosen {
            say(
                "\(nodes[node].id): "
                    + nodes[node].portrait.map { "\($0.name) \($0.value)" }.joined(separator: ", "))
        }
    }

    private mutating func printLog(_ words: ScriptArguments) {
        let node = nodes[position(of: words.node(at: 0))]
        say("on disk: from \(node.disk.snapshot.position)\(node.disk.entries.words)")
        say("applied:\(node.machine.applied.words)")
    }
}
