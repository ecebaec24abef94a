import NIOHTTP1
import Placement

// Projects and their keys.

extension AdminCall {
    func projects() throws(HTTPFault) {
        switch request.method {
        case .GET:
            let projects = try state().tenants.projects
            let standing = edge.gateway.quotaStanding
            answer(
                .json(
                    JSONOutput.object { page in
                        page.key("projects")
                        page.array(projects) { page, project in
                            page.object {
                                $0.member("project", project.id)
                                $0.member("createdAt", project.createdAtMs)
                                $0.key("origins")
                                $0.array(project.origins) { $0.value($1) }
                                $0.writeQuota(project.quota, standing.lines[project.id])
                            }
                        }
                    }))
        case .POST: try createProject()
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    private func createProject() throws(HTTPFault) {
        guard let id = try body(knowing: ["project"])["project"]?.text else {
            throw .validation("project", "The body must name the project: {\"project\": \"…\"}.")
        }
        propose(.createProject(id: id, createdAtMs: edge.gateway.wallMs())) {
            .json(JSONOutput.object { $0.member("project", id) })
        }
    }

    func keys(project: String) throws(HTTPFault) {
        switch request.method {
        case .GET:
            guard let project = try state().tenants.project(project) else { throw .unknownProject }
            answer(.json(keyList(project)))
        case .POST: try createKey(project: project)
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    private func keyList(_ project: Project) -> [UInt8] {
        JSONOutput.object { page in
            page.key("keys")
            page.array(project.keys) { page, key in
                page.object { row in
                    row.member("apiKey", key.keyID)
                    row.member("label", key.label)
                    row.key("origins")
                    row.array(key.origins) { $0.value($1) }
                    row.member("createdAt", key.createdAtMs)
                    row.member("revoked", key.isRevoked)
                    row.member("version", key.version)
                    row.key("scopes")
                    row.array(key.rights.scopes.names) { $0.value($1) }
                    row.member("classPrefix", key.rights.classPrefix)
                    row.member("idPrefix", key.rights.idPrefix)
                    if let former = key.former { row.member("formerUntil", former.untilMs) }
                }
            }
        }
    }

    /// The secret is in this answer and nowhere else: the cluster keeps a hash.
    private func createKey(project: String) throws(HTTPFault) {
        let body = try body(knowing: ["origins", "label", "scopes", "classPrefix", "idPrefix"])
        let label = try label(body)
        let origins = try texts(body, "origins") ?? []
        let rights = try rights(body)
        let gateway = edge.gateway
        let new = try? NewAPIKey.make(
            project: project, label: label, origins: origins, rights: rights, nowMs: gateway.wallMs(),
            random: { gateway.randomBytes($0) })
        guard let new else { throw .unavailable("A key could not be made") }
        propose(.createKey(new.key)) {
            .json(
                JSONOutput.object {
                    $0.member("apiKey", new.key.keyID)
                    $0.member("apiSecret", new.secret)
                })
        }
    }

    private func label(_ body: JSONInput) throws(HTTPFault) -> String {
        guard let label = body["label"] else { return "" }
        guard let text = label.text else { throw .validation("label", "label must be a string.") }
        return text
    }

    func revokeKey(project: String, keyID: String) {
        propose(.revokeKey(project: project, keyID: keyID)) {
            .json(
                JSONOutput.object {
                    $0.member("apiKey", keyID)
                    $0.member("revoked", true)
                })
        }
    }
}

extension HTTPFault {
    static let unknownProject = HTTPFault(
        status: 404, name: "NotFoundError", code: "notFoundError.unknownProject",
        message: "There is no such project.")
}
