import Binary
import ObjectRuntime
import Placement
import Raft

/// What one project takes at one loop of a node.
public struct LoopLoad: Sendable, Equatable {
    /// Of the shards that this loop owns.
    public var objects: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Of feeds that are kept on this loop.
    public var sockets: UInt64 = 0
    /// Operations that clients asked for here in a second, refused ones too.
    public var demand: UInt64 = 0

    public init() {}
}

/// What each project with a quota takes at one node: told to all other nodes once a second.
public struct UsageReport: Sendable, Equatable {
    public struct Line: Sendable, Equatable {
        public var project: String
        public var objects: UInt64
        public var bytes: UInt64
        public var sockets: UInt64
        /// Operations in a second, by loop.
        public var demands: [UInt64]
    }

    public var process: NodeProcess
    /// In the order of the projects.
    public var lines: [Line]

    func encode(into writer: inout ByteWriter) {
        process.encode(into: &writer)
        writer.writeArray(lines) { writer, line in
            writer.writeString(line.project)
            for figure in [line.objects, line.bytes, line.sockets] { writer.writeVariable(figure) }
            writer.writeArray(line.demands) { $0.writeVariable($1) }
        }
    }
}

extension UsageReport {
    /// Figures above these are no node's; sums over all nodes and loops that there may be do not overflow.
    static let figureMax = 1 << 50
    static let demandMax = 1 << 40
    static let loopsMax = 256

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        process = try NodeProcess(from: &reader)
        lines = try reader.readArray(limit: PlacementLimits.projects) { (reader) throws(DecodingFailure) in
            Line(
                project: try reader.readString(limit: PlacementLimits.nameBytes),
                objects: try reader.readFigure(limit: UsageReport.figureMax),
                bytes: try reader.readFigure(limit: UsageReport.figureMax),
                sockets: try reader.readFigure(limit: UsageReport.figureMax),
                demands: try reader.readArray(limit: UsageReport.loopsMax) {
                    (reader) throws(DecodingFailure) in
                    try reader.readFigure(limit: UsageReport.demandMax)
                })
        }
    }
}

extension ByteReader {
    fileprivate mutating func readFigure(limit: Int) throws(DecodingFailure) -> UInt64 {
        UInt64(try readCount(limit: limit))
    }
}

/// What a project takes in the whole cluster, as one node knows it: its own part is fresh, that of others
/// a second old or two.
public struct ProjectTotals: Sendable, Equatable {
    public var objects: UInt64 = 0
    public var bytes: UInt64 = 0
    public var sockets: UInt64 = 0
    public var operationsPerSecond: UInt64 = 0

    public init() {}
}

/// Where the projects with quotas stand. Made anew once a second, for every loop of a node.
public struct QuotaStanding: Sendable, Equatable {
    public struct Line: Sendable, Equatable {
        public var quota: Quota
        public var used: ProjectTotals
        /// What each loop of this node may let through, in thousandths of operations per second; empty
        /// without such a quota.
        public var loopRates: [UInt64]

        public init(quota: Quota, used: ProjectTotals, loopRates: [UInt64] = []) {
            self.quota = quota
            self.used = used
            self.loopRates = loopRates
        }
    }

    /// Looked up by project; never iterated.
    public var lines: [String: Line]

    public init(lines: [String: Line] = [:]) {
        self.lines = lines
    }
}
