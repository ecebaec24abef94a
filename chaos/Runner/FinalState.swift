import HoldfastClient
import Simulation

/// What every object holds when all is over, read through all nodes in turn.
struct FinalState {
    var items: [(object: String, item: String, shows: Observation)] = []

    static func read(_ load: Load) async throws -> FinalState {
        let cluster = try await load.currentCluster()
        let nodes = try await load.usableNodes().map { cluster.nodes[$0] }
        let history = try await load.recordedHistory()
        let objects = Set(history.operations.map(\.object)).sorted()
        let pools = nodes.map {
            ConnectionPool(endpoints: [$0.endpoint], on: load.eventLoop, timeout: .seconds(30))
        }
        var state = FinalState()
        for (position, object) in objects.enumerated() {
            let planned = PlannedOperation(object: object, call: .read)
            let request = planned.request(
                project: cluster.project ?? "", authorization: load.authorization,
                idempotencyKey: nil)
            let number = try await load.eventLoop.submit { load.begin(planned, by: -1) }.get()
            let result = await pools[position % pools.count].send(request, isRepeatable: true)
            guard case .success(let response) = result, let outcome = planned.outcome(response),
                case .answered(let shows, _) = outcome
            else {
                throw LocalCluster.Unusable(description: "\(object) cannot be read at the end: \(result)")
            }
            try await load.eventLoop.submit { load.complete(number, outcome) }.get()
            state.items.append((object, PlannedOperation.item, shows))
        }
        for pool in pools { await pool.close() }
        return state
    }
}
