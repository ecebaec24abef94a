import Placement
import Raft

/// What every thread of a node may know about the cluster: an immutable snapshot, swapped whole
/// when the placement state changes.
public final class ClusterView: Sendable {
    /// The applied placement state; `nil` until this node belongs to a formed cluster.
    public let state: PlacementState?
    /// Index of the placement entry that made this snapshot.
    public let index: LogIndex
    public let nodeID: NodeID
    public let nodeName: String
    /// This process, once the registry has given it an incarnation.
    public let process: NodeProcess?
    /// The placement leader as this node knows it.
    public let leader: NodeID?

    public init(
        state: PlacementState?, index: LogIndex, nodeID: NodeID, nodeName: String,
        process: NodeProcess?, leader: NodeID?
    ) {
        self.state = state
        self.index = index
        self.nodeID = nodeID
        self.nodeName = nodeName
        self.process = process
        self.leader = leader
    }
}
