import Storage

/// Which parts of the key space a growing backup has. A newer file takes the place of older ones that it overlaps, so
/// no key is ever in two.
public struct BackupCover: Sendable {
    /// In order of range.
    public private(set) var files: [BackupShard] = []

    public init() {}

    /// Answers the files that are no longer part of the backup.
    public mutating func add(_ file: BackupShard) -> [BackupShard] {
        let overlapped = files.filter { $0.range.overlaps(file.range) }
        files.removeAll { $0.range.overlaps(file.range) }
        let place = files.firstIndex { $0.range.start > file.range.start } ?? files.endIndex
        files.insert(file, at: place)
        return overlapped
    }

    /// What no file has, in order.
    public var gaps: [StoredRange] {
        var gaps: [StoredRange] = []
        var next: UInt64? = 0
        for file in files {
            if let start = next, start < file.range.start {
                gaps.append(StoredRange(start: start, end: file.range.start - 1))
            }
            next = file.range.end == .max ? nil : file.range.end + 1
        }
        if let start = next { gaps.append(StoredRange(start: start, end: .max)) }
        return gaps
    }

    public var isWhole: Bool { gaps.isEmpty }

    /// In order, without gap and overlap, from the first key to the last.
    static func isWhole(_ ranges: [StoredRange]) -> Bool {
        guard ranges.first?.start == 0, ranges.last?.end == .max else { return false }
        return zip(ranges, ranges.dropFirst()).allSatisfy { $0.end < $1.start && $0.end + 1 == $1.start }
    }
}
