import Binary

/// What a project has in a shard.
public struct ProjectUsage: Sendable, Equatable {
    public var project: String
    public var objects: Int
    /// Names and values of all items.
    public var bytes: Int
}

/// How much a shard holds, stored and loaded together: kept with every change, so that nothing is ever counted
/// by looking at all objects. While a count is not settled (after a split) figures may be off, even below zero.
public struct Tally: Sendable, Equatable {
    private struct Project: Sendable, Equatable {
        /// The beginning of canonical ids: the project's length and text.
        var prefix: [UInt8]
        var objects = 0
        var bytes = 0
    }

    public private(set) var objects = 0
    public private(set) var items = 0
    /// Names and values of all items.
    public private(set) var bytes = 0
    /// In order of prefix; projects without anything are not in it.
    private var projects: [Project] = []

    public init() {}

    /// By project, in order of name.
    public var usage: [ProjectUsage] {
        projects.map { project in
            var reader = ByteReader(project.prefix)
            let name = (try? reader.readString()) ?? ""
            return ProjectUsage(project: name, objects: project.objects, bytes: project.bytes)
        }
        .sorted { $0.project < $1.project }
    }

    /// One object has changed its size.
    @inline(__always)
    mutating func change(_ id: ObjectID, from before: ObjectState.Size, to after: ObjectState.Size) {
        guard before != after else { return }
        let added = (after.isEmpty ? 0 : 1) - (before.isEmpty ? 0 : 1)
        objects += added
        items += after.items - before.items
        bytes += after.bytes - before.bytes
        if added != 0 || after.bytes != before.bytes {
            count(id.projectPrefix, objects: added, bytes: after.bytes - before.bytes)
        }
    }

    private mutating func count(_ prefix: ArraySlice<UInt8>, objects: Int, bytes: Int) {
        let position = projects.firstIndex { !$0.prefix.lexicographicallyPrecedes(prefix) } ?? projects.count
        if position == projects.count || !projects[position].prefix.elementsEqual(prefix) {
            projects.insert(Project(prefix: Array(prefix)), at: position)
        }
        projects[position].objects += objects
        projects[position].bytes += bytes
        if projects[position].objects == 0, projects[position].bytes == 0 { projects.remove(at: position) }
    }

    static func + (left: Tally, right: Tally) -> Tally { left.adding(right, 1) }
    static func - (left: Tally, right: Tally) -> Tally { left.adding(right, -1) }

    private func adding(_ other: Tally, _ sign: Int) -> Tally {
        var sum = self
        sum.objects += sign * other.objects
        sum.items += sign * other.items
        sum.bytes += sign * other.bytes
        for project in other.projects {
            sum.count(project.prefix[...], objects: sign * project.objects, bytes: sign * project.bytes)
        }
        return sum
    }
}

extension Tally {
    /// For counting what is stored, object by object.
    public mutating func add(_ other: Tally) { self = self + other }

    func encode(into writer: inout ByteWriter) {
        for figure in [objects, items, bytes] { writer.writeSigned(Int64(figure)) }
        writer.writeArray(projects) { writer, project in
            writer.writeBytes(project.prefix)
            writer.writeSigned(Int64(project.objects))
            writer.writeSigned(Int64(project.bytes))
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        objects = try reader.readFigure()
        items = try reader.readFigure()
        bytes = try reader.readFigure()
        projects = try reader.readArray { (reader) throws(DecodingFailure) in
            Project(
                prefix: try reader.readBytes(limit: ObjectID.canonicalLimitBytes),
                objects: try reader.readFigure(), bytes: try reader.readFigure())
        }
        for (project, next) in zip(projects, projects.dropFirst())
        where !project.prefix.lexicographicallyPrecedes(next.prefix) {
            throw DecodingFailure("projects are out of order")
        }
    }
}

extension ByteReader {
    /// Small enough that sums of them do not overflow.
    fileprivate mutating func readFigure() throws(DecodingFailure) -> Int {
        let figure = Int(try readSigned())
        guard (-1 << 50)...(1 << 50) ~= figure else { throw DecodingFailure("a count is beyond all bounds") }
        return figure
    }
}

extension ObjectState {
    /// What counts of an object.
    struct Size: Equatable {
        var isEmpty = true
        var items = 0
        var bytes = 0
    }

    var size: Size { Size(isEmpty: isEmpty, items: items.count, bytes: byteCount) }
}

extension ObjectID {
    /// All objects of a project, and no others, have it.
    var projectPrefix: ArraySlice<UInt8> {
        var reader = ByteReader(canonical)
        guard let count = try? reader.readCount(), let range = try? reader.skip(count) else {
            preconditionFailure("canonical bytes are checked when they are made")
        }
        return canonical[..<range.upperBound]
    }
}
