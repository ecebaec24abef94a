/// Why the journal cannot be opened or cannot go on. Says what, where and what to do.
public struct JournalError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Bytes that were on disk once are gone or changed.
        case damaged
        /// No space, or over a quota.
        case diskFull
        /// The directory or a file cannot be made, opened or written with these rights.
        case unwritable
        /// A read, write or sync failed.
        case failed
        /// Another version of the program wrote it.
        case otherVersion
        /// Encrypted, and there is no key for it, or it is not what was encrypted.
        case sealed
        /// The caller's `visit` threw.
        case refused
        /// Appended after `close`.
        case closed
    }

    public let kind: Kind
    public let what: String
    public let place: String
    public let remedy: String
    /// A call that can be made again with the same bytes once there is space. Not a sync: after a failed one
    /// nobody knows what is on disk (O12).
    var mayPass = false

    public init(_ kind: Kind, _ what: String, place: String, remedy: String) {
        self.kind = kind
        self.what = what
        self.place = place
        self.remedy = remedy
    }

    public var description: String { "journal: \(what) (\(place)). \(remedy)" }

    static func damaged(_ what: String, file: String, offset: Int) -> JournalError {
        JournalError(
            .damaged, what, place: "\(file), offset \(offset)",
            remedy: """
                Acknowledged data may be in the damaged part, so nothing was changed and the node does not \
                start. Keep this directory, start the node with an empty one so that it joins as a new \
                replica, and delete the old one when the cluster is healthy
                """)
    }

    static func systemCall(_ call: String, _ code: Int32, file: String) -> JournalError {
        var error = JournalError(
            Kind(errno: code), "\(call) failed: \(SystemDisk.text(of: code))", place: file,
            remedy: Kind.remedy(errno: code))
        error.mayPass = error.kind == .diskFull && (call == "pwrite" || call == "rename")
        return error
    }

    static func refused(_ reason: String, file: String, offset: Int) -> JournalError {
        JournalError(
            .refused, "a record was refused: \(reason)", place: "\(file), offset \(offset)",
            remedy:
                "Its checksum is right, so the record was written like this; start the version that wrote it")
    }

    static func sealed(_ fault: EnvelopeFault, file: String, offset: Int) -> JournalError {
        JournalError(.sealed, fault.what, place: "\(file), offset \(offset)", remedy: fault.remedy)
    }

    static func closed(directory: String) -> JournalError {
        JournalError(
            .closed, "the journal is closed", place: directory,
            remedy: "Nothing is written after the start of the shutdown; restart the node")
    }
}
