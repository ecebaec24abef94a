/// Whether the journal has room to go on.
public enum JournalSpace: Sendable, Equatable {
    case roomy
    /// The disk has no room for the next segment. Appends go on in the present one.
    case low
    /// The present segment is full, too. Appends wait, in order, until there is room.
    case stalled
}

/// Puts together what the journal's two threads know of the space and tells of each change, in order.
final class SpaceGauge: @unchecked Sendable {
    private let monitor = Monitor()
    private let onChange: @Sendable (JournalSpace) -> Void
    // Guarded by the monitor.
    private var isSpareMissing = false
    private var isStalled = false
    private var told = JournalSpace.roomy

    init(onChange: @escaping @Sendable (JournalSpace) -> Void) {
        self.onChange = onChange
    }

    var space: JournalSpace { monitor.locked { told } }

    func spareIsMissing(_ isMissing: Bool) {
        monitor.locked {
            isSpareMissing = isMissing
            tell()
        }
    }

    func stalls(_ stalls: Bool) {
        monitor.locked {
            isStalled = stalls
            tell()
        }
    }

    private func tell() {
        let space: JournalSpace = isStalled ? .stalled : isSpareMissing ? .low : .roomy
        guard space != told else { return }
        told = space
        onChange(space)
    }
}
