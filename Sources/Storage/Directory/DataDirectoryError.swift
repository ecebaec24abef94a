/// Why a data directory cannot be used. Says what, where and what to do; nothing was changed.
public struct DataDirectoryError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Another process holds it; its id, if it could be read.
        case inUse(pid: Int32?)
        /// It belongs to a node of another name.
        case otherNode
        /// It belongs to another cluster.
        case otherCluster
        /// The node was part of a cluster, but its journal is gone; or there is a journal without an
        /// identity.
        case diskLost
        /// The identity file cannot be read as one.
        case damaged
        /// A name that cannot be a node's.
        case badName
        case diskFull
        case unwritable
        case failed
    }

    public let kind: Kind
    public let what: String
    public let place: String
    public let remedy: String

    public init(_ kind: Kind, _ what: String, place: String, remedy: String) {
        self.kind = kind
        self.what = what
        self.place = place
        self.remedy = remedy
    }

    public var description: String { "data directory: \(what) (\(place)). \(remedy)" }

    static func systemCall(_ call: String, _ code: Int32, path: String) -> DataDirectoryError {
        let kind: Kind =
            switch JournalError.Kind(errno: code) {
            case .diskFull: .diskFull
            case .unwritable: .unwritable
            default: .failed
            }
        return DataDirectoryError(
            kind, "\(call) failed: \(SystemDisk.text(of: code))", place: path,
            remedy: JournalError.Kind.remedy(errno: code))
    }

    static func inUse(pid: Int32?, path: String) -> DataDirectoryError {
        let holder = pid.map { "process \($0)" } ?? "another process"
        return DataDirectoryError(
            .inUse(pid: pid), "\(holder) is using it", place: path,
            remedy: "Stop that process, or give this node a data directory of its own")
    }
}
