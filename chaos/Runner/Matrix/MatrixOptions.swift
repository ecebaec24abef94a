/// What a matrix was asked to do.
struct MatrixOptions {
    var nemeses = NemesisKind.allCases
    var workloads = WorkloadKind.allCases
    /// Load and harm of each pair.
    var seconds = 180.0
    var nodes = 3
    var seed: UInt64 = 1
    /// Operations a second of the workloads without sockets.
    var rate = 200
    var basePort = 7401
    /// Pairs at the same time.
    var jobs = 1
    /// A directory for each pair comes to be in it.
    var directory = ""
    var clusterScript = "scripts/cluster"
    var binary: String?
    /// The library that goes into the nodes.
    var hook = ""
    var report: String?

    static let usage = """
               chaos matrix --dir DIR --hook FILE [--nemesis A,B] [--workload X,Y] [--seconds S] [--nodes 3|5]
                     [--seed N] [--rate N] [--jobs N] [--base-port P] [--binary FILE] [--cluster-script FILE]
                     [--report FILE.html]
               chaos check FILE
               chaos report DIR FILE.html
        nemeses:   \(NemesisKind.allCases.map(\.rawValue).joined(separator: " "))
        workloads: \(WorkloadKind.allCases.map(\.rawValue).joined(separator: " "))
        """

    init(_ arguments: [String]) throws(Options.UsageFault) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw Options.UsageFault(description: "\(name) wants a value")
            }
            guard try take(name, value) else {
                throw Options.UsageFault(description: "\(name) cannot be '\(value)'")
            }
        }
        guard !directory.isEmpty else { throw Options.UsageFault(description: "--dir is missing") }
        guard !hook.isEmpty else { throw Options.UsageFault(description: "--hook is missing") }
        guard lane(jobs).basePort <= Self.basePorts.upperBound else {
            throw Options.UsageFault(description: "\(jobs) jobs have no room above port \(basePort)")
        }
    }

    var pairs: [(NemesisKind, WorkloadKind)] {
        nemeses.flatMap { nemesis in workloads.map { (nemesis, $0) } }
    }

    /// The same, on ports that nobody else has.
    func lane(_ lane: Int) -> MatrixOptions {
        var own = self
        own.basePort += lane * Self.portsPerPair
        return own
    }

    /// Clients' from the first on, peers' a hundred behind.
    private static let portsPerPair = 200
    private static let basePorts = 1024...65_000

    private mutating func take(_ name: String, _ value: String) throws(Options.UsageFault) -> Bool {
        switch name {
        case "--nemesis": return assign(\.nemeses, Self.names(value))
        case "--workload": return assign(\.workloads, Self.names(value))
        case "--seconds": return assign(\.seconds, Double(value).flatMap { (5...86_400).contains($0) ? $0 : nil })
        case "--nodes": return assign(\.nodes, Int(value).flatMap { [3, 5].contains($0) ? $0 : nil })
        case "--seed": return assign(\.seed, UInt64(value))
        case "--rate": return assign(\.rate, Int(value).flatMap { (1...100_000).contains($0) ? $0 : nil })
        case "--jobs": return assign(\.jobs, Int(value).flatMap { (1...32).contains($0) ? $0 : nil })
        case "--base-port": return assign(\.basePort, Int(value).flatMap { Self.basePorts.contains($0) ? $0 : nil })
        case "--dir": return assign(\.directory, value)
        case "--cluster-script": return assign(\.clusterScript, value)
        case "--hook": return assign(\.hook, value)
        case "--binary": binary = value
        case "--report": report = value
        default: throw Options.UsageFault(description: "unknown option \(name)")
        }
        return true
    }

    private mutating func assign<Value>(_ target: WritableKeyPath<MatrixOptions, Value>, _ value: Value?) -> Bool {
        guard let value else { return false }
        self[keyPath: target] = value
        return true
    }

    /// `nil` if one of them is unknown.
    private static func names<Kind: RawRepresentable>(_ text: String) -> [Kind]? where Kind.RawValue == String {
        let words = text.split(separator: ",").map(String.init)
        let kinds = words.compactMap(Kind.init(rawValue:))
        return kinds.isEmpty || kinds.count != words.count ? nil : kinds
    }
}
