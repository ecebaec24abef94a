import NIOHTTP1
import Placement

// The keys that sign access tokens. Their secrets never leave the cluster.

extension AdminCall {
    func signingKeys() throws(HTTPFault) {
        switch request.method {
        case .GET: answer(.json(signingKeyList(try state().tenants)))
        case .POST: try addSigningKey()
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    private func signingKeyList(_ tenants: Tenants) -> [UInt8] {
        let current = tenants.signingKey(
            nowMs: edge.gateway.wallMs(), delayMs: edge.settings.signingKeyDelayMs)
        return JSONOutput.object { page in
            page.key("signingKeys")
            page.array(tenants.signingKeys) { page, key in
                page.object {
                    $0.member("id", key.id)
                    $0.member("createdAt", key.createdAtMs)
                    $0.member("signs", key.id == current.id)
                }
            }
        }
    }

    private func addSigningKey() throws(HTTPFault) {
        let force = try force()
        let tenants = try state().tenants
        let nowMs = edge.gateway.wallMs()
        guard force || !wouldEndTokens(tenants, nowMs: nowMs) else {
            throw HTTPFault(
                status: 409, name: "ConflictError", code: "conflictError.signingKeys.recent",
                message: "The oldest key would be forgotten while tokens that it signed are valid. "
                    + "Wait for an hour, or give force to end them.")
        }
        let key = newSigningKey(tenants)
        let signsFromMs = nowMs + edge.settings.signingKeyDelayMs
        propose(.addSigningKey(key)) {
            .json(
                JSONOutput.object {
                    $0.member("id", key.id)
                    $0.member("createdAt", key.createdAtMs)
                    $0.member("signsFrom", signsFromMs)
                })
        }
    }

    func newSigningKey(_ tenants: Tenants) -> SigningKey {
        let material = edge.gateway.clusterKeys.signingMaterial(salt: edge.gateway.randomBytes(32))
        return SigningKey(
            id: tenants.newestSigningKey.id + 1, secret: material, createdAtMs: edge.gateway.wallMs())
    }

    private func force() throws(HTTPFault) -> Bool {
        guard let force = try body(knowing: ["force"])["force"] else { return false }
        guard let flag = force.flag else { throw .validation("force", "force must be true or false.") }
        return flag
    }

    /// Whether one more key pushes out one that has signed tokens not yet over. A key signs until its
    /// successor takes its turn, and its last token lives for as long as any.
    private func wouldEndTokens(_ tenants: Tenants, nowMs: UInt64) -> Bool {
        let keys = tenants.signingKeys
        guard keys.count >= PlacementLimits.signingKeys else { return false }
        let settings = edge.settings
        let end =
            keys[1].createdAtMs + settings.signingKeyDelayMs + settings.tokenLifetimeMs + settings.tokenGraceMs
        return nowMs < end
    }
}
