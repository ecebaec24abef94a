import Cluster
import NIOCore
import Placement

/// Files for backups: the shard's loop says when the store has everything, the store makes the file.
extension NodeLoop {
    func makeBackup(of shard: ShardID, answer: @escaping (Result<BackupFile, BackupFault>) -> Void) {
        let bound = NIOLoopBound(answer, eventLoop: eventLoop)
        let back: @Sendable (Result<BackupFile, BackupFault>) -> Void = { result in
            self.eventLoop.execute { bound.value(result) }
        }
        let home = node.loops[homeLoop(of: shard, loops: node.loops.count)]
        home.eventLoop.execute { home.wishBackup(of: shard, answer: back) }
    }

    private func wishBackup(
        of shard: ShardID, answer: @escaping @Sendable (Result<BackupFile, BackupFault>) -> Void
    ) {
        let token = takeToken()
        backups[token] = { settled in
            switch settled {
            case .stored: self.node.store.makeBackup(of: shard, answer: answer)
            case .notOwner: answer(.failure(.notOwner))
            case .busy: answer(.failure(.busy))
            }
        }
        input(.backup(RequestToken(rawValue: token), shard))
    }

    func readBackup(_ id: UInt64, at offset: UInt64, count: Int, answer: @escaping ([UInt8]?) -> Void) {
        let bound = NIOLoopBound(answer, eventLoop: eventLoop)
        node.store.readBackup(id, at: offset, count: count) { bytes in
            self.eventLoop.execute { bound.value(bytes) }
        }
    }

    func dropBackup(_ id: UInt64) { node.store.dropBackup(id) }
}
