/// Sizes of a journal.
public struct JournalOptions: Sendable, Equatable {
    /// The size of segments, once the journal has some.
    public var segmentBytes = 64 << 20
    /// The size of the first one. Each further one is four times as large, up to `segmentBytes`, so that a
    /// new node starts at once and the next segment is ready before the present one is full.
    public var firstSegmentBytes = 4 << 20
    /// A batch takes no more appends when it has this much. One append may be larger.
    public var batchBytes = 4 << 20
    /// A sync costs processor time, whatever it carries. After a batch of so many records the next one
    /// begins no sooner than `paceUs` after its beginning, so that it carries more; a quiet journal
    /// writes at once.
    public var pacedRecords = 8
    public var paceUs: UInt64 = 400
    /// How often a full disk is tried again.
    public var retryMs = 200
    /// Where segments are copied before they are dropped; nil: nowhere.
    public var archive: JournalArchive?
    /// Under which payloads are encrypted; nil: not at all.
    public var keys: DataKeys?

    public init() {}

    /// Segments of another size; the first one is no larger.
    public init(segmentBytes: Int) {
        self.segmentBytes = segmentBytes
        firstSegmentBytes = min(firstSegmentBytes, segmentBytes)
    }

    func capacity(of sequence: UInt64) -> Int {
        precondition(
            firstSegmentBytes >= JournalWriter.capacity(forBodyBytes: 0) && segmentBytes >= firstSegmentBytes
                && segmentBytes < 1 << 40, "sizes of journal segments make no sense")
        var capacity = firstSegmentBytes
        var step: UInt64 = 1
        while step < sequence && capacity < segmentBytes {
            capacity *= 4
            step += 1
        }
        return min(capacity, segmentBytes)
    }

    /// The size of a new segment that begins with an anchor and a batch of these sizes. A large anchor gets
    /// room of its own, so that it is a part of what is written and not the most of it.
    func capacity(of sequence: UInt64, anchorBytes: Int, batchBytes: Int) -> Int {
        let usual = capacity(of: sequence)
        let needed = JournalWriter.capacity(forBodyBytes: anchorBytes + batchBytes)
        return max(needed, anchorBytes > usual / 4 ? usual + anchorBytes : usual)
    }
}
