import Placement
import Raft

/// An owner whose disk is full: it refuses writes, goes on with reads, and hands over to a voter with room (O8).
extension ShardReplica {
    /// `fullNodes` are the others without room.
    func setRoom(_ hasRoom: Bool, fullNodes: [NodeID], now: Clocks) {
        self.hasRoom = hasRoom
        self.fullNodes = fullNodes
        // What waited here for a hand-over may go on here, or has nobody to wait for.
        sortMailbox(now: now)
    }

    /// Waits for the hand-over; without anybody to hand over to, nothing is applied.
    func takeWithoutRoom(_ attempt: Try) {
        if roomyHeirs.isEmpty {
            counters.diskFullRefusals += 1
            send(.noSpace, for: attempt)
        } else {
            keep(attempt)
        }
    }

    private var roomyHeirs: [NodeProcess] {
        guard let registry = placement?.registry else { return [] }
        return record.heirs.filter { $0 != nodeID && !fullNodes.contains($0) }.compactMap { registry.newestLive(of: $0) }
    }

    func leaveIfFull(nowMs: UInt64) {
        guard !hasRoom, isServing, move == nil else { return }
        handOver(to: roomyHeirs, withinMs: 500, nowMs: nowMs)
    }
}
