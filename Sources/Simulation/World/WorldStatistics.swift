/// Sums of one run, for its report.
public struct WorldStatistics: Sendable, Equatable {
    public var events: UInt64 = 0
    public var messages: UInt64 = 0
    public var syncs: UInt64 = 0
    public var starts: UInt64 = 0
    public var misfortunes: UInt64 = 0
    public var answered: UInt64 = 0
    public var refused: UInt64 = 0
    /// Answers of edges that were no result: not applied, or unknown.
    public var edgeFailures: UInt64 = 0
    public var unknown: UInt64 = 0
    public var replayed: UInt64 = 0
    public var readChecks: UInt64 = 0
    public var sockets: UInt64 = 0
    /// Resumes that kept their connection id.
    public var resumes: UInt64 = 0
    public var socketEvents: UInt64 = 0
    public var socketMessages: UInt64 = 0
    public var gaps: UInt64 = 0
    public var storage = StorageStatistics()
    /// What nodes said that the cluster did not take.
    public var refusals: [String] = []

    public init() {}

    static let counts: [WritableKeyPath<WorldStatistics, UInt64> & Sendable] = [
        \.events, \.messages, \.syncs, \.starts, \.misfortunes, \.answered, \.refused, \.edgeFailures, \.unknown,
        \.replayed, \.readChecks, \.sockets, \.resumes, \.socketEvents, \.socketMessages, \.gaps,
    ]
}
