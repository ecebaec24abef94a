import Synchronization

/// The context that new connections get, which may be replaced while they come: certificates and keys are renewed
/// without dropping anybody. Connections keep the context that they began with.
public final class TLSContextBox: Sendable {
    public let files: TLSFiles
    private let settings: TLSSettings
    private let ticketKeys: TicketKeys?
    private let state: Mutex<State>

    private struct State {
        var context: TLSContext
        var stamps: [FileStamp?]
        /// Stamps that were seen last, and when they changed.
        var seen: [FileStamp?]
        var changedAt: Int64?
    }

    /// A change is taken up when the files have been left alone for so long: a certificate and its key are two
    /// files, and are not replaced at one instant.
    public static let settleMilliseconds: Int64 = 1_000

    /// Reads the files and makes the first context. What `settings` has by itself is kept where there is no file.
    public init(
        _ settings: TLSSettings, files: TLSFiles, ticketKeys: TicketKeys? = nil
    ) throws(TLSMaterialFault) {
        self.settings = settings
        self.files = files
        self.ticketKeys = ticketKeys
        // Before reading: a change in between is noticed later.
        let stamps = files.paths.map { FileStamp(path: $0) }
        let context = try TLSContext(try files.read(into: settings), ticketKeys: ticketKeys)
        state = Mutex(State(context: context, stamps: stamps, seen: stamps, changedAt: nil))
    }

    /// What a new connection begins with.
    public var current: TLSContext { state.withLock { $0.context } }

    /// Reads the files again. If anything is wrong with them the old context stays, and the error says which file
    /// and why.
    public func reload() throws(TLSMaterialFault) {
        let stamps = files.paths.map { FileStamp(path: $0) }
        let outcome: Result<TLSContext, TLSMaterialFault>
        do throws(TLSMaterialFault) {
            outcome = .success(try TLSContext(try files.read(into: settings), ticketKeys: ticketKeys))
        } catch {
            outcome = .failure(error)
        }
        state.withLock { state in
            // Bad files are not tried again until they change.
            state.stamps = stamps
            state.seen = stamps
            state.changedAt = nil
            if case .success(let context) = outcome { state.context = context }
        }
        _ = try outcome.get()
    }

    /// Reloads if the files are others than those that were read last, and have been so for a second. For the
    /// caller's timer; `now` is any clock in milliseconds. Whether it did.
    public func reloadIfChanged(now: Int64) throws(TLSMaterialFault) -> Bool {
        let stamps = files.paths.map { FileStamp(path: $0) }
        let isDue = state.withLock { state in
            guard stamps != state.stamps else {
                state.changedAt = nil
                return false
            }
            if stamps != state.seen || state.changedAt == nil {
                state.seen = stamps
                state.changedAt = now
            }
            return now - (state.changedAt ?? now) >= Self.settleMilliseconds
        }
        guard isDue else { return false }
        try reload()
        return true
    }
}
