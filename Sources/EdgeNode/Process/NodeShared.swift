import Cluster
import Glibc
import Logging
import NIOCore
import Storage

/// What all loops of a node have in common. Fixed before the first loop starts; nothing in it changes
/// afterwards but the atomic counters.
final class NodeShared: @unchecked Sendable {
    let identity: Cluster.NodeIdentity
    let settings: NodeSettings
    let journal: Journal
    let store: NodeStore
    let space: SpaceWatch
    let logger: Logger
    let rejections = RejectionCounts()
    /// Nil where links are in the clear.
    let peerSecurity: PeerSecurity?
    /// Set once, before any loop is started.
    private(set) var loops: [NodeLoop] = []
    private(set) var brain: NodeBrain?

    init(
        identity: Cluster.NodeIdentity, settings: NodeSettings, journal: Journal, store: NodeStore, space: SpaceWatch,
        peerSecurity: PeerSecurity?, logger: Logger
    ) {
        self.peerSecurity = peerSecurity
        self.identity = identity
        self.settings = settings
        self.journal = journal
        self.store = store
        self.space = space
        self.logger = logger
    }

    func assemble(loops: [NodeLoop], brain: NodeBrain) {
        precondition(self.loops.isEmpty, "a node is assembled once")
        self.loops = loops
        self.brain = brain
    }

    /// From any loop.
    func tellBrain(_ input: NodeInput) {
        guard let brain else { return }
        let home = loops[0].eventLoop
        if home.inEventLoop { brain.input(input) } else { home.execute { brain.input(input) } }
    }

    /// Runs `body` on the first loop; `done` carries its result back to the asking loop.
    func ask(
        for asker: NodeLoop,
        _ body: @escaping @Sendable (NodeBrain, _ done: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void)
            -> Void
    ) {
        guard let brain else { return }
        let home = loops[0].eventLoop
        let back: @Sendable (@escaping @Sendable () -> Void) -> Void = { asker.eventLoop.execute($0) }
        if home.inEventLoop { body(brain, back) } else { home.execute { body(brain, back) } }
    }

    /// From any thread.
    func readCertificatesAgain() {
        let home = loops[0]
        home.eventLoop.execute { home.readCertificatesAgain() }
    }

    // MARK: - Ends

    /// O12: data is never guessed; the process stops and says why.
    func failStop(_ error: any Error) -> Never {
        logger.critical("this node stops: \(error)")
        Glibc._exit(ExitCode.inputOutput)
    }

    func exit(_ reason: ExitReason) -> Never {
        switch reason {
        case .fenced:
            logger.notice("the cluster has fenced this process; its successor joins anew")
            Glibc._exit(ExitCode.startAgain)
        case .drained:
            logger.notice("shut down")
            journal.close()
            store.close()
            Glibc._exit(ExitCode.finished)
        case .refused(let why):
            logger.critical("this node is refused: \(why)")
            Glibc._exit(ExitCode.refused)
        }
    }
}

/// What the parent learns from its child's end.
enum ExitCode {
    static let finished: Int32 = 0
    /// Cannot run as it is told to: the parent ends too.
    static let refused: Int32 = 1
    /// The disk failed: starting again would not help.
    static let inputOutput: Int32 = 74
    /// Fenced: the parent starts the next incarnation.
    static let startAgain: Int32 = 75
}
