/// What a project has in a shard.
public struct ProjectUsage: Sendable, Equatable {
    public var project: String
    public var objects: Int
    /// Names and values of all items.
    public var bytes: Int
}

extension ShardState {
    /// By project, in order of name. Looks at every object of the shard: for once a second, and only while
    /// there are quotas.
    public var usage: [ProjectUsage] {
        var byProject: [String: ProjectUsage] = [:]
        for object in objects.ids() {
            let project = object.project
            byProject[project, default: ProjectUsage(project: project, objects: 0, bytes: 0)].objects += 1
            byProject[project]?.bytes += objects[object]?.byteCount ?? 0
        }
        return byProject.values.sorted { $0.project < $1.project }
    }
}
