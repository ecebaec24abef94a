import Cluster
import ObjectRuntime
import Storage
import StoreBinding

/// What one event loop sees of the object store: the newest commit, read on that loop only.
final class LoopObjects: ObjectSource, @unchecked Sendable {
    private let reader: StoreReader

    init(_ reader: StoreReader) {
        self.reader = reader
    }

    func load(_ key: ObjectRuntime.StoreKey) throws(SourceFailure) -> [UInt8]? {
        do {
            return try reader.get(.init(key))
        } catch {
            throw SourceFailure("\(error)")
        }
    }

    func keys(
        in range: ClosedRange<UInt64>, after: ObjectRuntime.StoreKey?, limit: Int
    ) throws(SourceFailure) -> [ObjectRuntime.StoreKey] {
        do {
            return try reader.keys(in: StoredRange(range), after: after.map { .init($0) }, limit: limit)
                .map { .init($0) }
        } catch {
            throw SourceFailure("\(error)")
        }
    }

    /// A failure shows when the objects are read.
    func due(beforeMs: UInt64, after: ExpiryCursor?, limit: Int) -> [ExpiryCursor] {
        let found = try? reader.dueExpiries(before: beforeMs, after: after.map { .init($0) }, limit: limit)
        return (found ?? []).map { ExpiryCursor($0) }
    }
}
