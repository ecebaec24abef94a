import Cluster
import NIOHTTP1
import Placement

extension AdminCall {
    /// Asks the owners to compare their replicas, of one shard or of all. How each ended is in their logs and metrics.
    func scrub() throws(HTTPFault) {
        try only(.POST)
        let records = try state().table.records
        let wish = try body(knowing: ["shard"])["shard"]?.text ?? "all"
        // By the number that the page of shards shows.
        let chosen = records.map(\.shard).filter { wish == "all" || "\($0.rawValue)" == wish }
        guard !chosen.isEmpty else {
            throw .validation("shard", "The table has no shard \"\(wish)\"; give its number as text, or \"all\".")
        }
        noted("scrub", wish) {
            edge.gateway.scrub(chosen)
            answer(.json(JSONOutput.object { $0.member("shards", chosen.count) }))
        }
    }
}
