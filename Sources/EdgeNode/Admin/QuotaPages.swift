import Cluster
import NIOHTTP1
import Placement

// Quotas of projects, and limits of single objects.

/// The figures of a quota, under the names that they have on the page.
private let quotaFigures: [(name: String, path: WritableKeyPath<Quota, UInt64?> & Sendable)] = [
    ("objects", \.objects), ("bytes", \.bytes), ("sockets", \.sockets),
    ("operationsPerSecond", \.operationsPerSecond),
]

private let limitFigures: [(name: String, path: WritableKeyPath<ObjectLimits, UInt64?> & Sendable)] = [
    ("valueBytes", \.valueBytes), ("itemsPerObject", \.itemsPerObject), ("objectBytes", \.objectBytes),
    ("socketsPerObject", \.socketsPerObject),
]

extension AdminCall {
    func quota(project: String) throws(HTTPFault) {
        guard let known = try state().tenants.project(project) else { throw .unknownProject }
        switch request.method {
        case .GET:
            let line = edge.gateway.quotaStanding.lines[project]
            answer(
                .json(
                    JSONOutput.object {
                        $0.member("project", project)
                        $0.writeQuota(known.quota, line)
                    }))
        case .POST:
            let quota = try changed(known.quota, quotaFigures)
            propose(.setQuota(project: project, quota)) {
                .json(
                    JSONOutput.object {
                        $0.member("project", project)
                        $0.writeQuota(quota, self.edge.gateway.quotaStanding.lines[project])
                    })
            }
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    func objectLimits() throws(HTTPFault) {
        let known = try state().tenants.objectLimits
        switch request.method {
        case .GET: answer(.json(page(known)))
        case .POST:
            let limits = try changed(known, limitFigures)
            propose(.setObjectLimits(limits)) { .json(self.page(limits)) }
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    /// Null stands for the standard figure.
    private func page(_ limits: ObjectLimits) -> [UInt8] {
        JSONOutput.object {
            $0.key("limits")
            $0.figures(limits, limitFigures)
        }
    }

    /// Members that the body does not name stay; null takes a bound away.
    private func changed<Figures>(
        _ known: Figures, _ names: [(name: String, path: WritableKeyPath<Figures, UInt64?> & Sendable)]
    ) throws(HTTPFault) -> Figures {
        let body = try body(knowing: names.map(\.name))
        var changed = known
        for (name, path) in names {
            guard let value = body[name] else { continue }
            if case .null = value {
                changed[keyPath: path] = nil
                continue
            }
            guard let figure = value.count else {
                throw .validation(name, "\(name) must be a whole number of at least 0, or null.")
            }
            changed[keyPath: path] = figure
        }
        return changed
    }
}

extension JSONOutput {
    /// What the project may use, and what it does; null without a quota, since nobody counts then.
    mutating func writeQuota(_ quota: Quota, _ line: QuotaStanding.Line?) {
        key("quota")
        figures(quota, quotaFigures)
        key("usage")
        guard let used = line?.used else { return null() }
        object {
            $0.member("objects", used.objects)
            $0.member("bytes", used.bytes)
            $0.member("sockets", used.sockets)
            $0.member("operationsPerSecond", used.operationsPerSecond)
        }
    }

    fileprivate mutating func figures<Figures>(
        _ figures: Figures, _ names: [(name: String, path: WritableKeyPath<Figures, UInt64?> & Sendable)]
    ) {
        object {
            for (name, path) in names {
                $0.key(name)
                if let figure = figures[keyPath: path] { $0.value(figure) } else { $0.null() }
            }
        }
    }
}
