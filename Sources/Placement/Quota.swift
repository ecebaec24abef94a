import Binary

/// What a project may use in the whole cluster. Nil is no bound.
public struct Quota: Sendable, Equatable {
    public var objects: UInt64?
    /// Names and values of all items.
    public var bytes: UInt64?
    public var sockets: UInt64?
    public var operationsPerSecond: UInt64?

    public init(
        objects: UInt64? = nil, bytes: UInt64? = nil, sockets: UInt64? = nil, operationsPerSecond: UInt64? = nil
    ) {
        self.objects = objects
        self.bytes = bytes
        self.sockets = sockets
        self.operationsPerSecond = operationsPerSecond
    }

    public static let unlimited = Quota()

    var isAcceptable: Bool {
        [objects, bytes, sockets].allSatisfy { $0.map { $0 <= PlacementLimits.quotaMax } ?? true }
            && operationsPerSecond.map { $0 <= PlacementLimits.operationsPerSecondMax } ?? true
    }
}

/// Limits of single objects that an operator may set for the whole cluster. Nil is the standard figure.
///
/// They are part of the placement state because every node may become the owner of any object, and all of
/// them must judge alike.
public struct ObjectLimits: Sendable, Equatable {
    public var valueBytes: UInt64?
    public var itemsPerObject: UInt64?
    /// Names and values of an object together.
    public var objectBytes: UInt64?
    public var socketsPerObject: UInt64?

    public init(
        valueBytes: UInt64? = nil, itemsPerObject: UInt64? = nil, objectBytes: UInt64? = nil,
        socketsPerObject: UInt64? = nil
    ) {
        self.valueBytes = valueBytes
        self.itemsPerObject = itemsPerObject
        self.objectBytes = objectBytes
        self.socketsPerObject = socketsPerObject
    }

    public static let standard = ObjectLimits()

    var isAcceptable: Bool {
        isWithin(valueBytes, PlacementLimits.valueBytes)
            && isWithin(itemsPerObject, PlacementLimits.itemsPerObject)
            && isWithin(objectBytes, PlacementLimits.objectBytes)
            && isWithin(socketsPerObject, PlacementLimits.socketsPerObject)
    }

    private func isWithin(_ figure: UInt64?, _ range: ClosedRange<UInt64>) -> Bool {
        figure.map { range.contains($0) } ?? true
    }
}

extension PlacementLimits {
    /// What JavaScript's numbers hold exactly.
    public static let quotaMax: UInt64 = 1 << 53
    public static let operationsPerSecondMax: UInt64 = 1_000_000_000

    /// A request has 2 MiB at most, and a larger value could not be written back.
    public static let valueBytes: ClosedRange<UInt64> = 1...1 << 20
    public static let itemsPerObject: ClosedRange<UInt64> = 1...100_000
    /// A list of the whole object has to fit into one answer.
    public static let objectBytes: ClosedRange<UInt64> = 1...64 << 20
    public static let socketsPerObject: ClosedRange<UInt64> = 0...100_000
}

extension Tenants {
    /// The projects that have a quota, by id.
    public var limitedProjects: [(project: String, quota: Quota)] {
        projects.compactMap { $0.quota == .unlimited ? nil : ($0.id, $0.quota) }
    }

    mutating func setQuota(_ quota: Quota, of project: ExactText) -> CommandResult {
        guard projectsByID[project] != nil else { return .refused(.unknownProject) }
        guard quota.isAcceptable else { return .refused(.invalidValue) }
        projectsByID.update(project) { $0.quota = quota }
        return .done
    }

    mutating func setObjectLimits(_ limits: ObjectLimits) -> CommandResult {
        guard limits.isAcceptable else { return .refused(.invalidValue) }
        objectLimits = limits
        return .done
    }

    /// Behind everything that snapshots of 0.2.0 hold.
    func encodeBounds(into writer: inout ByteWriter) {
        let limited = limitedProjects
        writer.writeVariable(limited.count)
        for (project, quota) in limited {
            writer.writeString(project)
            writer.write(quota)
        }
        writer.write(objectLimits)
    }

    mutating func readBounds(from reader: inout ByteReader) throws(DecodingFailure) {
        var last: ExactText?
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.projects)) {
            let project = ExactText(try reader.readString(limit: PlacementLimits.nameBytes))
            let quota = try Quota(from: &reader)
            guard last.map({ $0 < project }) ?? true, projectsByID[project] != nil, quota != .unlimited,
                quota.isAcceptable
            else {
                throw DecodingFailure("the quotas are out of order, empty, or of no project")
            }
            projectsByID.update(project) { $0.quota = quota }
            last = project
        }
        objectLimits = try ObjectLimits(from: &reader)
        guard objectLimits.isAcceptable else { throw DecodingFailure("the limits of objects are out of their bounds") }
    }
}

extension Quota: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        for figure in [objects, bytes, sockets, operationsPerSecond] { writer.writeFigure(figure) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        objects = try reader.readFigure()
        bytes = try reader.readFigure()
        sockets = try reader.readFigure()
        operationsPerSecond = try reader.readFigure()
    }
}

extension ObjectLimits: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        for figure in [valueBytes, itemsPerObject, objectBytes, socketsPerObject] { writer.writeFigure(figure) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        valueBytes = try reader.readFigure()
        itemsPerObject = try reader.readFigure()
        objectBytes = try reader.readFigure()
        socketsPerObject = try reader.readFigure()
    }
}

extension ByteWriter {
    fileprivate mutating func writeFigure(_ figure: UInt64?) {
        writeOptional(figure) { $0.writeVariable($1) }
    }
}

extension ByteReader {
    fileprivate mutating func readFigure() throws(DecodingFailure) -> UInt64? {
        try readOptional { (reader) throws(DecodingFailure) in try reader.readVariable() }
    }
}
