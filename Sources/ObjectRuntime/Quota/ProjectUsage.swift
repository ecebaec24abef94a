/// What objects of one project take in one shard.
public struct ProjectUsage: Sendable, Equatable {
    public var objects: UInt64
    /// Names and values of all items.
    public var bytes: UInt64

    public init(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }
}

extension ShardState {
    /// What each of `projects` has here; projects without objects are left out. Looks at every object of the
    /// shard, so it is for once a second at most, and for shards of projects with quotas only.
    public func usage(of projects: Set<String>) -> [String: ProjectUsage] {
        var usage: [String: ProjectUsage] = [:]
        for object in objects.ids() {
            let project = object.project
            guard projects.contains(project) else { continue }
            usage[project, default: ProjectUsage()].objects += 1
            usage[project]?.bytes += UInt64(objects[object]?.byteCount ?? 0)
        }
        return usage
    }
}
