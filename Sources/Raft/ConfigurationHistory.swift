/// Configurations come from the log: one is in force as soon as it is appended, and no longer once it is
/// cut. So those above the boundary are all kept, with the index of their entry.
struct ConfigurationHistory: Sendable {
    private var records: [(index: LogIndex, configuration: Configuration)]

    init(base: Configuration, at index: LogIndex) {
        records = [(index, base)]
    }

    /// The newest one, committed or not.
    var current: Configuration { records[records.count - 1].configuration }

    /// The index of the entry that brought it.
    var currentIndex: LogIndex { records[records.count - 1].index }

    mutating func append(_ configuration: Configuration, at index: LogIndex) {
        precondition(index > currentIndex, "a configuration is newer than those before it")
        records.append((index, configuration))
    }

    mutating func truncate(from index: LogIndex) {
        while records.count > 1, currentIndex >= index { records.removeLast() }
    }

    /// The one in force at `index`.
    func configuration(at index: LogIndex) -> Configuration {
        (records.last { $0.index <= index } ?? records[0]).configuration
    }

    /// The one in force at `index`, and all newer ones.
    func inForce(from index: LogIndex) -> [Configuration] {
        let first = records.lastIndex { $0.index <= index } ?? 0
        return records[first...].map(\.configuration)
    }

    /// Forgets those that were superseded at or below `index`.
    mutating func compact(through index: LogIndex) {
        while records.count > 1, records[1].index <= index { records.removeFirst() }
    }

    /// A snapshot's configuration wins over all that was known.
    mutating func restart(with configuration: Configuration, at index: LogIndex) {
        records = [(index, configuration)]
    }
}
