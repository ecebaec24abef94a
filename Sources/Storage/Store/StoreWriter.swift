import CLMDB
import Glibc

/// Carries out transactions, one commit at a time: the part of the store's thread that touches LMDB.
final class StoreWriter {
    private let environment: StoreEnvironment
    private let options: StoreOptions
    private(set) var statistics = StoreStatistics()
    /// The failure after which nothing is tried any more (O12).
    private(set) var failure: StoreError?
    /// A test has stopped the store after a commit: nobody hears of that one either.
    private(set) var isAbandoned = false

    init(_ environment: StoreEnvironment, _ options: StoreOptions) {
        self.environment = environment
        self.options = options
    }

    /// Applies transactions in order in one commit. Those that are refused, or meet damage, have no effect; all
    /// others are durable, or failed together.
    func apply(_ transactions: [StoreTransaction]) -> [Result<[StoredHead], StoreError>] {
        var results = [Result<[StoredHead], StoreError>](repeating: .success([]), count: transactions.count)
        var refused: Set<Int> = []
        // Each turn but the last refuses one more.
        while refused.count < transactions.count {
            var failed: Int?
            do throws(StoreError) {
                try commit { (table) throws(StoreError) in
                    for (position, transaction) in transactions.enumerated() where !refused.contains(position) {
                        failed = position
                        results[position] = .success(try StoreLogic.apply(transaction, to: &table))
                    }
                    failed = nil
                }
                statistics.transactions += UInt64(transactions.count - refused.count)
                for (position, transaction) in transactions.enumerated() where !refused.contains(position) {
                    statistics.valueBytes += UInt64(transaction.valueBytes)
                }
                break
            } catch {
                if let failed, isOfOne(error) {
                    results[failed] = .failure(error)
                    refused.insert(failed)
                } else {
                    for position in results.indices where !refused.contains(position) {
                        results[position] = .failure(error)
                    }
                    break
                }
            }
        }
        return results
    }

    /// Whether it is the transaction's own fault, or its shard's.
    private func isOfOne(_ error: StoreError) -> Bool {
        switch error.kind {
        case .refused, .otherVersion: true
        case .damaged: failure == nil
        default: false
        }
    }

    /// One slice of a job as a commit of its own.
    func step(_ job: inout StoreJob) throws(StoreError) -> StoredHead? {
        // A slice that did not happen must leave no trace in the job either.
        var copy = job
        var head: StoredHead?
        try commit { (table) throws(StoreError) in
            copy = job
            head = try copy.step(in: &table, options.slice)
        }
        job = copy
        return head
    }

    /// Runs `body` in a transaction and commits it; again in a larger map if this one is full.
    func commit(_ body: (inout WriteTransaction) throws(StoreError) -> Void) throws(StoreError) {
        if let failure { throw failure }
        while true {
            var transaction = try begin()
            do throws(StoreError) {
                try body(&transaction)
                try transaction.commit()
                statistics.commits += 1
                try goOn()
                return
            } catch {
                transaction.abandon()
                switch transaction.failedCode {
                case nil: throw error
                case MDB_MAP_FULL?: try grow()
                case let code?: throw judge(error, code)
                }
            }
        }
    }

    private func goOn() throws(StoreError) {
        guard let survives = options.survivesCommit, !survives(statistics.commits) else { return }
        isAbandoned = true
        failure = .closed(path: environment.path)
        throw .closed(path: environment.path)
    }

    private func begin() throws(StoreError) -> WriteTransaction {
        do throws(StoreError) {
            return try WriteTransaction(environment)
        } catch {
            failure = error
            throw error
        }
    }

    private func grow() throws(StoreError) {
        do throws(StoreError) {
            try environment.grow()
            statistics.growths += 1
        } catch {
            if error.kind == .noSpace { statistics.refusedForSpace += 1 } else { failure = error }
            throw error
        }
    }

    /// A full disk is survived: LMDB has written to free pages only, and no meta page names them. Everything
    /// else is final.
    private func judge(_ error: StoreError, _ code: Int32) -> StoreError {
        guard Self.meansFullDisk(code, freeBytes: Self.freeBytes(environment.directory)) else {
            failure = error
            return error
        }
        statistics.refusedForSpace += 1
        return .systemCall("writing", code == EIO ? ENOSPC : code, path: environment.path)
    }

    /// LMDB reports a write that was cut short as EIO. On a full disk such a write takes what was left, so that
    /// next to nothing is free afterwards.
    static func meansFullDisk(_ code: Int32, freeBytes: UInt64?) -> Bool {
        switch code {
        case ENOSPC, EDQUOT, EFBIG: true
        case EIO: freeBytes.map { $0 < 64 << 10 } ?? false
        default: false
        }
    }

    private static func freeBytes(_ directory: String) -> UInt64? {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return nil }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}
