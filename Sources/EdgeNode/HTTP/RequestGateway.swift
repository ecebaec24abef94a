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
    /// Asks the shard's owner to hand it over (O8). It may decline: to be repeated until the view shows it.
    func order(_ request: MoveRequest)
    /// Tells the node at a peer address which cluster this is, until the invitation ends. To be repeated.
    func invite(_ address: String)
    func endInvitation(_ address: String)
    /// What this node says about itself.
    func nodeReport(_ answer: @escaping (NodeReport) -> Void)
    /// The reports of all nodes that could be reached in a short time, this one first.
    func clusterReport(_ answer: @escaping ([NodeReport]) -> Void)
    /// Asks the owners of these shards to compare the replicas.
    func scrub(_ shards: [ShardID])
    /// Figures of the journal and of the object store; `nil` where there is none.
    func journalReport() -> JournalReport?
    func storeReport() -> StoreReport?
    /// When certificates end, in milliseconds since 1970, by what they are for.
    var certificateEnds: [String: Int64] { get }
    /// Makes a file of a shard that this node owns, for a backup.
    func makeBackup(of shard: ShardID, answer: @escaping (Result<BackupFile, BackupFault>) -> Void)
    /// Bytes of such a file; nil if there is none of that id any more, or not so many bytes.
    func readBackup(_ id: UInt64, at offset: UInt64, count: Int, answer: @escaping ([UInt8]?) -> Void)
    /// The file is no longer needed.
    func dropBackup(_ id: UInt64)
    /// What secrets of the table are sealed under. Another object after each change.
    var clusterKeys: ClusterKeys { get }
    func wallMs() -> UInt64
    func randomBytes(_ count: Int) -> [UInt8]
}

extension RequestGateway {
    public var certificateEnds: [String: Int64] { [:] }
}

/// Sums of the journal since the process began.
public struct JournalReport: Sendable {
    public var syncDurations: DurationHistogram
    public var bytesWritten: UInt64
    /// What is there now: segments, and the size of their files.
    public var liveSegments = 0
    public var liveBytes = 0
    public var formerSegments = 0
    /// Segments that were needed no more.
    public var droppedSegments: UInt64 = 0
    public var archivedSegments: UInt64 = 0
    public var archiveLagSegments: UInt64 = 0
    public var isArchiveFaulty = false

    public init(syncDurations: DurationHistogram, bytesWritten: UInt64) {
        self.syncDurations = syncDurations
        self.bytesWritten = bytesWritten
    }
}

/// Sums of the object store since the process began.
public struct StoreReport: Sendable {
    /// The size of its file, now.
    public var fileBytes: UInt64 = 0
    public var commits: UInt64 = 0
    /// About how much was written, before it becomes pages.
    public var writtenBytes: UInt64 = 0
    /// Commits that failed for want of space.
    public var refusedForSpace: UInt64 = 0
    public var snapshotsMade: UInt64 = 0
    /// The names of the data keys, newest first; none, and nothing is encrypted.
    public var dataKeys: [String] = []
    /// Records written anew for the newest of them, and whether the pass that does it goes on.
    public var resealed: UInt64 = 0
    public var isResealing = false

    public init() {}
}
