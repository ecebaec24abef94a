import Cluster
import Placement

/// Which web origins may reach which projects. The few projects that are bound to some are remembered, until
/// the cluster's view changes. One for each loop.
final class OriginGate {
    /// What an answer tells a browser.
    enum Crossing: Equatable {
        case everybody
        /// The one that asked, and is on the list.
        case origin(String)
        /// No browser asked.
        case nobody
        case refused
    }

    private let currentView: () -> ClusterView
    private var view: ClusterView?
    private var bound: [String: [String]] = [:]

    init(currentView: @escaping () -> ClusterView) {
        self.currentView = currentView
    }

    func crossing(uri: String, origin: String?) -> Crossing {
        remember()
        guard !bound.isEmpty, let segments = RequestTarget(uri)?.segments, segments.count > 1,
            segments[0] == "project", !OpenDoor.isOpen(.closedProject), let origins = bound[segments[1]]
        else { return .everybody }
        guard let origin else { return .nobody }
        return origins.contains { $0.isText(origin) } ? .origin(origin) : .refused
    }

    private func remember() {
        let current = currentView()
        guard view !== current else { return }
        view = current
        bound = [:]
        for project in current.state?.tenants.projects ?? [] where !project.origins.isEmpty {
            bound[project.id] = project.origins
        }
    }
}
