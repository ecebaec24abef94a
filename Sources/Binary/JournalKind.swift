/// What the journal knows of the kinds of records, so that it can tell what is still needed. The one list.
///
/// An *entry* is needed until its group says otherwise: a later entry at the same or a lower index, a
/// `covered`, `snapshot` or `checkpoint` record at its index or above, or `ended`. All other records are
/// *state records*: of each group and kind the newest counts. When a segment is begun, they are all written
/// again at its start, so a reader meets them more than once, always before what they apply to.
public enum JournalKind {
    /// Entries of a group's log: at `index`, and nothing of what was above.
    public static let entries: ClosedRange<UInt8> = 0...15
    public static let hardState: UInt8 = 16
    /// What stands for the entries up to `index`, and *replaces* the group's log: of what was above, the
    /// entries that stay are written again after it.
    public static let snapshot: UInt8 = 17
    /// The group exists on this disk. It takes back `ended` and `lost`.
    public static let created: UInt8 = 18
    public static let genesis: UInt8 = 19
    /// The group's entries up to `index`, whose term is `term`, are kept elsewhere (in the object store) and
    /// are needed here no more. With the payload 1 that is another replica's state and *replaces* the log, as
    /// `snapshot` does.
    public static let covered: UInt8 = 20
    /// All that came of this group before is void, entries and states.
    public static let ended: UInt8 = 21
    /// This disk has lost the group's log (O9). Void after `ended` or `created`.
    public static let lost: UInt8 = 22
    /// The same as `snapshot`, made by the replica itself: entries above `index` stay. Of the two the newer
    /// one counts.
    public static let checkpoint: UInt8 = 23
    /// The journal's own, of group 0 and never handed out: the lowest segment that is needed is `index`.
    public static let floor: UInt8 = 31

    @inlinable
    public static func isEntry(_ kind: UInt8) -> Bool { entries.contains(kind) }

    /// Whether all entries that came before are void, also those above the record's index.
    @inlinable
    public static func replacesLog(_ kind: UInt8, _ payload: some Collection<UInt8>) -> Bool {
        kind == snapshot || kind == covered && payload.elementsEqual(CollectionOfOne(1))
    }

    /// Whether entries up to the record's index are needed no more.
    @inlinable
    public static func covers(_ kind: UInt8) -> Bool {
        kind == covered || kind == snapshot || kind == checkpoint
    }
}
