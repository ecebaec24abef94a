import Cluster
import Glibc
import Logging
import Storage
import Synchronization

/// Puts together what the journal and the object store know of the disk's room, and tells the cores of each change.
/// Any thread.
final class SpaceWatch: Sendable {
    private struct State {
        var journal = JournalSpace.roomy
        var isStoreFull = false
        var told = DiskSpace.roomy
        weak var node: NodeShared?

        var space: DiskSpace {
            switch journal {
            case .stalled: .stalled
            case .low: .low
            case .roomy: isStoreFull ? .low : .roomy
            }
        }
    }

    private let state = Mutex(State())
    private let path: String
    /// What the store takes for one commit, and some more.
    private static let storeNeedsBytes: UInt64 = 32 << 20

    /// `path` is the data directory.
    init(path: String) {
        self.path = path
    }

    /// From now on there is somebody to tell.
    func attach(_ node: NodeShared) {
        update { $0.node = node }
    }

    func journalHas(_ space: JournalSpace) {
        update { $0.journal = space }
    }

    func storeIsFull(_ isFull: Bool) {
        // Nearly always nothing new.
        update { $0.isStoreFull = isFull }
    }

    /// Now and then: the store itself finds out only when it has something to write.
    func lookAgain() {
        guard state.withLock({ $0.isStoreFull }) else { return }
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return }
        if UInt64(status.f_bavail) * UInt64(status.f_frsize) >= Self.storeNeedsBytes { storeIsFull(false) }
    }

    private func update(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            guard let node = state.node, state.space != state.told else { return }
            state.told = state.space
            // Within the lock, so that the loops hear of changes in their order.
            node.tell(state.space)
        }
    }
}

extension NodeShared {
    fileprivate func tell(_ space: DiskSpace) {
        if space == .roomy {
            logger.notice("the disk has room again")
        } else {
            logger.error(
                "the disk is full: writes are refused here, shards go to nodes with room, reads go on",
                metadata: ["state": "\(space)", "todo": "make room; nothing has to be restarted"])
        }
        for loop in loops { loop.eventLoop.execute { loop.input(.space(space)) } }
        tellBrain(.space(space))
    }
}
