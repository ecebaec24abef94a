import HoldfastClient
import Simulation

/// One operation as a client felt it.
struct Sample: Sendable {
    var invokedNs: UInt64
    var atNs: UInt64
    /// It was answered, be it by a conflict.
    var isDone: Bool
}

/// What the clients of a pair do, and what they saw. Harm is done beside it.
protocol Workload: AnyObject {
    /// The object that the harm is aimed at.
    var hottest: String { get }
    func begin() async throws
    /// These nodes are harmed, or are not any more.
    func setHarmed(_ nodes: [Int], _ harmed: Bool) async throws
    /// Lets the clients finish, looks at what is there in the end, and tells all of it.
    func end() async throws -> Transcript
    func samples() async throws -> [Sample]
}

/// The workloads by their names.
enum WorkloadKind: String, CaseIterable {
    case register, counter, append, ring, presence, sockets

    func make(_ bed: Bed, seed: UInt64, rate: Int) async throws -> any Workload {
        let name = "\(rawValue)-\(String(monotonicNs(), radix: 36))"
        func load(_ plan: any LoadPlan) -> LoadWorkload { LoadWorkload(bed, plan: plan, seed: seed, rate: rate) }
        switch self {
        case .register: return load(RegisterPlan(name))
        case .counter: return load(CounterPlan(name))
        case .append: return load(AppendPlan(name))
        case .ring: return load(RingPlan(name))
        case .presence: return try await SocketWorkload(bed, object: name, areMembers: true)
        case .sockets: return try await SocketWorkload(bed, object: name, areMembers: false)
        }
    }
}
