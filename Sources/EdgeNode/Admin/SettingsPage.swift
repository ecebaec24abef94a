import NIOHTTP1
import Placement

// Settings of the whole cluster that an operator may change while it runs.

extension AdminCall {
    func settings() throws(HTTPFault) {
        switch request.method {
        case .GET: answer(.json(page(try state())))
        case .POST:
            _ = try state()
            put(through: try changes())
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    private func changes() throws(HTTPFault) -> [Command] {
        let body = try body(knowing: ["replaceAfterMs", "replicasPerShard", "auditEntries", "auditAgeMs"])
        var commands: [Command] = []
        if let value = body["replaceAfterMs"] {
            let bounds = PlacementLimits.replaceAfterMs
            commands.append(.setReplacement(afterMs: try number(value, "replaceAfterMs", within: bounds)))
        }
        if let value = body["replicasPerShard"] {
            let bounds = PlacementLimits.replicasPerShard
            let count = try number(
                value, "replicasPerShard", within: UInt64(bounds.lowerBound)...UInt64(bounds.upperBound))
            commands.append(.setReplicasPerShard(Int(count)))
        }
        if let retention = try retention(body) { commands.append(retention) }
        return commands
    }

    private func retention(_ body: JSONInput) throws(HTTPFault) -> Command? {
        guard body["auditEntries"] != nil || body["auditAgeMs"] != nil else { return nil }
        // An operator must not shorten what tells of its acts.
        guard actor.role == .root else {
            noteRefusal(.root)
            throw .forbidden("role.root", "This needs the role root; \(actor.name) is \(actor.role.name).")
        }
        let audit = try state().audit
        let bounds = PlacementLimits.auditEntries
        let entries = try body["auditEntries"].map { value throws(HTTPFault) in
            try number(value, "auditEntries", within: UInt64(bounds.lowerBound)...UInt64(bounds.upperBound))
        }
        let ageMs = try body["auditAgeMs"].map { value throws(HTTPFault) in
            try number(value, "auditAgeMs", within: PlacementLimits.auditAgeMs)
        }
        return .setAuditRetention(entries: entries.map { Int($0) } ?? audit.entriesMax, ageMs: ageMs ?? audit.ageMaxMs)
    }

    private func number(
        _ value: JSONInput, _ name: String, within bounds: ClosedRange<UInt64>
    ) throws(HTTPFault) -> UInt64 {
        guard let number = value.count, bounds.contains(number) else {
            throw .validation(
                name, "\(name) must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound).")
        }
        return number
    }

    /// One after the other; one that fails ends it, and what it says is the answer.
    private func put(through commands: [Command]) {
        guard let command = commands.first else {
            guard let state = edge.gateway.view.state else { return answer(HTTPFault.notFormed.response) }
            return answer(.json(page(state)))
        }
        propose(command) { self.put(through: Array(commands.dropFirst())) }
    }

    private func page(_ state: PlacementState) -> [UInt8] {
        let settings = state.settings
        return JSONOutput.object {
            $0.member("replaceAfterMs", settings.replaceAfterMs)
            $0.member("replicasPerShard", settings.replicasPerShard)
            $0.member("leaseMs", settings.lease.durationMs)
            $0.member("clockDriftPerMille", settings.lease.driftPerMille)
            $0.member("reads", "\(settings.reads)")
            $0.member("auditEntries", state.audit.entriesMax)
            $0.member("auditAgeMs", state.audit.ageMaxMs)
        }
    }
}
