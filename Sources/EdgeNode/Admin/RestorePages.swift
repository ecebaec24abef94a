import Binary
import Cluster
import NIOHTTP1
import ObjectRuntime
import Placement

// What a restore sends: commands about tenants, and parts of objects. Both come as bytes, and may come twice.

extension AdminCall {
    func restore(_ what: String) throws(HTTPFault) {
        try only(.POST)
        let state = try state()
        do throws(DecodingFailure) {
            switch what {
            case "commands": run(try RestoreBody.commands(request.bodyBytes)[...], done: 0)
            case "objects":
                let parts = try RestoreBody.parts(request.bodyBytes)
                let projects = Set(parts.map(\.project)).sorted().joined(separator: " ")
                notedOnce("restore.objects", projects) { submit(parts, state) }
            default: return answer(HTTPFault.unknownRoute.response)
            }
        } catch {
            throw .validation("body", "The body is not what a restore sends: \(error).")
        }
    }

    /// One after the other: a key wants its project.
    private func run(_ commands: ArraySlice<Command>, done: Int) {
        guard let command = commands.first else {
            return answer(.json(JSONOutput.object { $0.member("done", done) }))
        }
        edge.gateway.propose(audited(command)) { result in
            switch result {
            case .success(.refused(let refusal)):
                self.answer(
                    HTTPFault(
                        status: 409, name: "ConflictError", code: "conflictError.restore",
                        message: "The placement group refused \(command.subject): \(refusal.text)."
                    ).response)
            case .success: self.run(commands.dropFirst(), done: done + 1)
            case .failure: self.answer(HTTPFault.unavailable("There is no placement leader").response)
            }
        }
    }

    /// All at once; the answer says what became of each that was not done.
    private func submit(_ parts: [RestoredPart], _ state: PlacementState) {
        let tally = RestoreTally(awaited: parts.count) { self.answer(.json($0)) }
        for (position, part) in parts.enumerated() {
            guard state.tenants.project(part.project) != nil else {
                tally.note(position, HTTPFault.unknownRestoredProject)
                continue
            }
            do throws(Refusal) {
                try part.part.check()
            } catch {
                tally.note(position, HTTPFault(error, applied: .no))
                continue
            }
            let request = ClientRequest(
                project: part.project, objectClass: part.objectClass, objectID: part.id,
                operation: .restore(part.part))
            edge.gateway.submit(request) { result in
                guard case .refused(let refusal) = result.reply else { return tally.note(position, nil) }
                tally.note(position, HTTPFault(refusal, applied: result.applied))
            }
        }
        tally.finishIfEmpty()
    }
}

extension HTTPFault {
    fileprivate static let unknownRestoredProject = HTTPFault(
        status: 404, name: "NotFoundError", code: "notFoundError.unknownProject",
        message: "There is no such project.")
}

/// Counts what is done of one call. Lives on the call's loop.
private final class RestoreTally {
    private var awaited: Int
    private var done = 0
    private var faults: [(position: Int, fault: HTTPFault)] = []
    private let finish: ([UInt8]) -> Void

    init(awaited: Int, finish: @escaping ([UInt8]) -> Void) {
        self.awaited = awaited
        self.finish = finish
    }

    func note(_ position: Int, _ fault: HTTPFault?) {
        awaited -= 1
        if let fault { faults.append((position, fault)) } else { done += 1 }
        if awaited == 0 { finish(page()) }
    }

    func finishIfEmpty() {
        if awaited == 0, done == 0, faults.isEmpty { finish(page()) }
    }

    private func page() -> [UInt8] {
        JSONOutput.object { page in
            page.member("done", done)
            page.key("failed")
            page.array(faults.sorted { $0.position < $1.position }) { page, failed in
                page.object { row in
                    row.member("position", failed.position)
                    row.member("status", failed.fault.status)
                    row.member("code", failed.fault.code)
                    row.member("message", failed.fault.message)
                }
            }
        }
    }
}

extension Command {
    /// For a message to an operator.
    fileprivate var subject: String {
        switch self {
        case .createProject(let id, _): "project \(id)"
        case .createKey(let key): "key \(key.keyID) of project \(key.project)"
        case .revokeKey(let project, let keyID): "the end of key \(keyID) of project \(project)"
        case .setClass(let project, let name, _): "class \(name) of project \(project)"
        case .setQuota(let project, _): "the quota of project \(project)"
        default: "a setting"
        }
    }
}
