import Cluster
import ObjectRuntime
import Placement

/// What the HTTP edge needs from the node behind it; the shell implements it once per event loop.
/// All calls and all callbacks happen on that loop, and every callback is called exactly once.
public protocol RequestGateway: AnyObject {
    /// The cluster as this loop knows it: an immutable snapshot, another object after each change.
    var view: ClusterView { get }
    /// Runs one operation of a client. May answer at once.
    func submit(_ request: ClientRequest, answer: @escaping (ClientAnswer) -> Void)
    /// Which loop of the node this is, and how many there are.
    var loopIndex: Int { get }
    var loopCount: Int { get }
    /// Why the project may have no further socket; nil if it may, and then that one is counted.
    func refusesSocket(of project: String) -> Refusal?
    /// Where projects with quotas stand, a second old.
    var quotaStanding: QuotaStanding { get }
    /// Hands what happened to a socket of this loop to the loop that keeps its object's feed, in order.
    func tell(_ input: SocketInput, hub: Int)
    /// Puts a command through the placement leader; answers after it is applied on this node.
    func propose(_ command: Command, answer: @escaping (Result<CommandResult, ProposalFailure>) -> Void)
    /// What this node says about itself.
    func nodeReport(_ answer: @escaping (NodeReport) -> Void)
    /// The reports of all nodes that could be reached in a short time, this one first.
    func clusterReport(_ answer: @escaping ([NodeReport]) -> Void)
    /// Asks the owners of these shards to compare the replicas.
    func scrub(_ shards: [ShardID])
    /// Figures of the journal; `nil` where there is none.
    func journalReport() -> JournalReport?
    func wallMs() -> UInt64
    func randomBytes(_ count: Int) -> [UInt8]
}

/// Sums of the journal since the process began.
public struct JournalReport: Sendable {
    public var syncDurations: DurationHistogram
    public var bytesWritten: UInt64

    public init(syncDurations: DurationHistogram, bytesWritten: UInt64) {
        self.syncDurations = syncDurations
        self.bytesWritten = bytesWritten
    }
}
