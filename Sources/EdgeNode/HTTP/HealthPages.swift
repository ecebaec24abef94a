import Cluster

// Pages for load balancers and operators. No credentials, and nothing about any tenant.

extension HTTPEdge {
    func serveHealth(_ page: HealthPage, target: RequestTarget, answer: @escaping (HTTPResponse) -> Void) {
        switch page {
        case .livez:
            // Asks nothing of anybody: it says only that this loop turns.
            answer(.text("ok\n"))
        case .version:
            let version = settings.version
            answer(
                .json(
                    JSONOutput.object {
                        $0.member("name", "holdfast")
                        $0.member("version", version)
                    }))
        case .readyz, .healthz:
            let isVerbose = target.hasParameter("verbose")
            gateway.nodeReport { answer(readiness($0, isVerbose: isVerbose)) }
        case .metrics:
            gateway.nodeReport { report in
                let page = MetricsPage.render(
                    report, journal: self.gateway.journalReport(), store: self.gateway.storeReport(),
                    certificateEnds: self.gateway.certificateEnds, requests: self.totalStatistics(),
                    version: self.settings.version)
                answer(HTTPResponse(status: 200, contentType: .metrics, body: page))
            }
        }
    }
}

private func readiness(_ report: NodeReport, isVerbose: Bool) -> HTTPResponse {
    var text = report.isReady ? "ready\n" : "not ready\n"
    if isVerbose {
        text += "node: \(report.name)\n"
        text += "role: \(report.role.rawValue)\n"
        text += "lease: \(report.leaseRemainingMs) ms left\n"
        text += "draining: \(report.isDraining ? "yes" : "no")\n"
        for reason in report.notReadyReasons { text += "missing: \(reason)\n" }
    }
    return .text(text, status: report.isReady ? 200 : 503)
}
