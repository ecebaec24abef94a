/// A map in the order of its keys, made to be copied: copies share all chunks but those changed since.
///
/// Each node hands a copy of the state to its event loops after every command. With thousands of API
/// keys a dictionary would be copied whole each time; here one small chunk and the list of chunks are.
struct SharedMap<Value: Sendable & Equatable>: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        let key: ExactText
        var value: Value
    }

    private static var entriesPerChunk: Int { 64 }

    /// Never empty chunks; keys rise within a chunk and from chunk to chunk.
    private var chunks: [[Entry]] = []
    private(set) var count = 0

    init() {}

    var isEmpty: Bool { count == 0 }

    /// In the order of the keys.
    var entries: [Entry] { Array(chunks.joined()) }

    subscript(key: ExactText) -> Value? {
        guard let (chunk, place) = find(key) else { return nil }
        return chunks[chunk][place].value
    }

    mutating func set(_ value: Value, for key: ExactText) {
        if let (chunk, place) = find(key) {
            chunks[chunk][place].value = value
            return
        }
        count += 1
        guard !chunks.isEmpty else {
            chunks = [[Entry(key: key, value: value)]]
            return
        }
        let chunk = chunkIndex(for: key)
        chunks[chunk].insert(Entry(key: key, value: value), at: lowerBound(of: key, in: chunk))
        if chunks[chunk].count > Self.entriesPerChunk { split(chunk) }
    }

    /// Changes a value in place; without one nothing happens.
    mutating func update(_ key: ExactText, _ change: (inout Value) -> Void) {
        guard let (chunk, place) = find(key) else { return }
        change(&chunks[chunk][place].value)
    }

    mutating func remove(_ key: ExactText) {
        guard let (chunk, place) = find(key) else { return }
        count -= 1
        chunks[chunk].remove(at: place)
        if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
    }

    /// Equal contents are equal, however they came to be divided. Chunks that are shared are not looked into.
    static func == (left: SharedMap, right: SharedMap) -> Bool {
        guard left.count == right.count else { return false }
        return left.chunks == right.chunks || left.chunks.joined().elementsEqual(right.chunks.joined())
    }

    private mutating func split(_ chunk: Int) {
        let middle = chunks[chunk].count / 2
        let upper = Array(chunks[chunk][middle...])
        chunks[chunk].removeSubrange(middle...)
        chunks.insert(upper, at: chunk + 1)
    }

    private func find(_ key: ExactText) -> (chunk: Int, place: Int)? {
        guard !chunks.isEmpty else { return nil }
        let chunk = chunkIndex(for: key)
        let place = lowerBound(of: key, in: chunk)
        guard place < chunks[chunk].count, chunks[chunk][place].key == key else { return nil }
        return (chunk, place)
    }

    /// The last chunk that starts at or before `key`, or the first one.
    private func chunkIndex(for key: ExactText) -> Int {
        var low = 0
        var high = chunks.count
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if key < chunks[middle][0].key { high = middle } else { low = middle }
        }
        return low
    }

    private func lowerBound(of key: ExactText, in chunk: Int) -> Int {
        var low = 0
        var high = chunks[chunk].count
        while low < high {
            let middle = low + (high - low) / 2
            if chunks[chunk][middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
