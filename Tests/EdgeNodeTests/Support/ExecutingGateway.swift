import Binary
import Cluster
import ObjectRuntime
import Placement
import Raft
import Storage

@testable import EdgeNode

/// Stands in for the cluster: one shard in memory that executes at once, and a placement state that
/// applies every command at once. Answers can be held back, or given by the test.
final class ExecutingGateway: RequestGateway {
    private(set) var view: ClusterView
    private var state: PlacementState
    private var shard = ShardState()
    private var placementIndex: UInt64 = 0
    private var randomState: UInt64 = 1

    var nowMs: UInt64 = 1_800_000_000_000
    var clusterKeys = ClusterKeys.none
    var epoch: UInt64 = 7
    var report = NodeReport()
    var otherReports: [NodeReport] = []
    var journal: JournalReport?
    var store: StoreReport?
    /// What operators have asked for, and what comes of it.
    private(set) var orders: [MoveRequest] = []
    var onOrder: ((MoveRequest) -> Void)?
    private(set) var invitations: [String] = []
    var onInvite: ((String) -> Void)?
    private(set) var endedInvitations: [String] = []
    /// What every proposal fails with, if anything.
    var proposalFailure: ProposalFailure?
    /// What every request is answered, instead of being executed.
    var scriptedAnswer: ClientAnswer?

    var quotaStanding = QuotaStanding()
    /// What every socket is refused with, if anything.
    var socketRefusal: Refusal?
    private(set) var admittedSockets: [String] = []
    var room: ProjectRoom?
    /// What owners were asked to compare.
    private(set) var scrubbed: [ShardID] = []

    func refusesSocket(of project: String) -> Refusal? {
        guard let socketRefusal else {
            admittedSockets.append(project)
            return nil
        }
        return socketRefusal
    }

    /// The file that is made of any shard but number 3, which another node owns.
    var backupFile: (manifest: SnapshotManifest, bytes: [UInt8])?
    private(set) var droppedBackups: [UInt64] = []

    func makeBackup(of shard: ShardID, answer: @escaping (Result<BackupFile, BackupFault>) -> Void) {
        guard let backupFile, shard.rawValue != 3 else { return answer(.failure(.notOwner)) }
        answer(
            .success(
                BackupFile(
                    id: 12, manifest: backupFile.manifest, byteCount: UInt64(backupFile.bytes.count), hash: 7)))
    }

    func readBackup(_ id: UInt64, at offset: UInt64, count: Int, answer: @escaping ([UInt8]?) -> Void) {
        guard let bytes = backupFile?.bytes, id == 12, offset < bytes.count else { return answer(nil) }
        answer(Array(bytes[Int(offset)...].prefix(count)))
    }

    func dropBackup(_ id: UInt64) { droppedBackups.append(id) }

    var loopIndex = 2
    var loopCount = 4
    /// What sockets have told the loops of their objects' feeds.
    private var told: [SocketInput] = []
    private(set) var hubs: Set<Int> = []
    /// Stands in for the loop of a feed.
    var onTell: ((SocketInput) -> Void)?

    /// Keeps answers until `release`.
    var holdsAnswers = false
    private(set) var held: [() -> Void] = []
    private(set) var requests: [ClientRequest] = []

    init() {
        let members = (1...3).map { number in
            Genesis.Member(
                node: NodeID(rawValue: UInt64(number)), name: "n\(number)",
                peerAddress: "127.0.0.1:710\(number)", clientURL: "http://127.0.0.1:700\(number)")
        }
        let genesis = Genesis(
            clusterID: 1, hashKey: SipHash(key0: 1, key1: 2), members: members, shardCount: 4,
            signingKey: Array("an-old-signing-key-of-32-bytes!!".utf8))
        state = PlacementState(genesis: genesis)
        view = ExecutingGateway.view(state, index: 0)
        report.name = "n1"
        report.role = .leader
        report.isReady = true
        for member in members {
            apply(
                .register(
                    Registration(
                        node: member.node, nonce: member.node.rawValue, name: member.name,
                        peerAddress: member.peerAddress, clientURL: member.clientURL, version: "0.1.0")))
        }
        apply(.createProject(id: "demo", createdAtMs: nowMs))
    }

    private static func view(_ state: PlacementState?, index: UInt64) -> ClusterView {
        ClusterView(
            state: state, index: LogIndex(rawValue: index), nodeID: NodeID(rawValue: 1), nodeName: "n1",
            process: NodeProcess(node: NodeID(rawValue: 1), incarnation: Incarnation(rawValue: 1)),
            leader: NodeID(rawValue: 1))
    }

    @discardableResult
    func apply(_ command: Command) -> CommandResult {
        placementIndex += 1
        let result = state.apply(command, at: LogIndex(rawValue: placementIndex))
        view = ExecutingGateway.view(state, index: placementIndex)
        return result
    }

    /// Another view of the same state, as a lease or a new leader brings one.
    func publishView() {
        placementIndex += 1
        view = ExecutingGateway.view(state, index: placementIndex)
    }

    /// As a process that has just started sees the table: as far as its disk goes, and without itself.
    func startAgain() {
        view = ClusterView(
            state: state, index: LogIndex(rawValue: placementIndex), nodeID: NodeID(rawValue: 1), nodeName: "n1",
            process: nil, leader: nil)
    }

    func leaveCluster() {
        view = ExecutingGateway.view(nil, index: placementIndex)
    }

    /// Gives the answers that were held back, in the order of their requests.
    func release() {
        let answers = held
        held.removeAll()
        for answer in answers { answer() }
    }

    func submit(_ request: ClientRequest, answer: @escaping (ClientAnswer) -> Void) {
        requests.append(request)
        let result = scriptedAnswer ?? execute(request)
        if holdsAnswers { held.append { answer(result) } } else { answer(result) }
    }

    private func execute(_ request: ClientRequest) -> ClientAnswer {
        let object = ObjectID(
            project: request.project, objectClass: request.objectClass, id: request.objectID,
            hashKey: SipHash(key0: 1, key1: 2))
        let id = request.idempotency.map {
            OperationID.client(apiKey: $0.apiKey, key: $0.key, requestHash: $0.requestHash)
        }
        var context = ExecutionContext(
            nowMs: nowMs, windowAgeMs: 0, epoch: epoch, nextIndex: shard.lastIndex + 1, random: (1, 2),
            defaultTTLMs: state.classSettings(project: request.project, class: request.objectClass)
                .defaultTTLMs)
        context.room = room
        let execution = shard.execute(
            Request(object: object, operation: request.operation, id: id), context)
        shard.committed(through: shard.lastIndex)
        guard let answer = execution.answer else { preconditionFailure("the shard has every key") }
        return ClientAnswer(
            reply: answer.reply, applied: answer.applied, epoch: epoch, index: answer.index, owner: "n2",
            replayed: answer.replayed)
    }

    func tell(_ input: SocketInput, hub: Int) {
        told.append(input)
        hubs.insert(hub)
        onTell?(input)
    }

    func takeTold() -> [SocketInput] {
        defer { told.removeAll() }
        return told
    }

    func propose(_ command: Command, answer: @escaping (Result<CommandResult, ProposalFailure>) -> Void) {
        if let proposalFailure {
            answer(.failure(proposalFailure))
        } else {
            answer(.success(apply(command)))
        }
    }

    func nodeReport(_ answer: @escaping (NodeReport) -> Void) { answer(report) }

    func clusterReport(_ answer: @escaping ([NodeReport]) -> Void) { answer([report] + otherReports) }

    func scrub(_ shards: [ShardID]) { scrubbed += shards }
    func journalReport() -> JournalReport? { journal }

    func storeReport() -> StoreReport? { store }

    func order(_ request: MoveRequest) {
        orders.append(request)
        onOrder?(request)
    }

    func invite(_ address: String) {
        invitations.append(address)
        onInvite?(address)
    }

    func endInvitation(_ address: String) { endedInvitations.append(address) }

    func wallMs() -> UInt64 { nowMs }

    func randomBytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in
            randomState = randomState &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: randomState >> 33)
        }
    }
}
