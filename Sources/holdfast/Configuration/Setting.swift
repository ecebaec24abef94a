/// A value as one of the layers gave it, before it is checked.
enum RawValue: Equatable, Sendable {
    case scalar(String)
    case list([String])

    var text: String {
        switch self {
        case .scalar(let text): "\"\(text)\""
        case .list(let elements): "[" + elements.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
        }
    }
}

/// One setting of one layer, and where it stands, so that a complaint can say so.
struct RawSetting: Equatable, Sendable {
    var name: String
    var value: RawValue
    /// `holdfast.toml line 3`, `environment HOLDFAST_SHARDS`, `flag --shards`.
    var source: String
}

/// Settings that cannot be used; every fault that was found, not only the first.
struct ConfigurationFault: ReportedFailure, Equatable {
    var lines: [String]

    init(_ lines: [String]) {
        self.lines = lines
    }

    init(_ line: String) {
        lines = [line]
    }

    var message: String { "configuration refused\n  " + lines.joined(separator: "\n  ") }
    var exitStatus: Int32 { ExitStatus.usage }
}
