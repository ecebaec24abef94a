import Placement

// How the secrets of the table are kept. No answer shows one.

extension AdminCall {
    /// What would be lost without which cluster key, as this node sees it.
    func secrets() throws(HTTPFault) {
        let state = try state()
        let keys = edge.gateway.clusterKeys
        let standing = SecretStanding(state.tenants, keys)
        answer(
            .json(
                JSONOutput.object { page in
                    page.key("clusterKeys")
                    page.array(keys.keys) { page, key in page.object { $0.member("name", Hexadecimal.encode(key.fingerprint)) } }
                    page.member("formerSigningKeys", UInt64(standing.formerSigningKeys))
                    page.member("signsByNewest", standing.signsByNewest)
                    page.member("secrets", UInt64(standing.secrets))
                    page.member("toBeSealed", UInt64(standing.toBeSealed))
                    page.member("unreadable", UInt64(standing.unreadable))
                }))
    }

    /// Brings what is sealed under former keys, or not at all, under the newest: the key that signs tokens first,
    /// then one class at a time. To be repeated until nothing remains.
    func resealSecrets() throws(HTTPFault) {
        let tenants = try state().tenants
        let keys = edge.gateway.clusterKeys
        guard !keys.isEmpty else {
            throw .conflict("secrets.noClusterKey", "This node has no cluster key: it runs without certificates.")
        }
        if keys.isOfFormerKey(tenants.newestSigningKey) {
            let key = newSigningKey(tenants)
            return propose(.addSigningKey(key)) { resealed("signing key \(key.id)") }
        }
        guard let (owner, settings) = SecretStanding.next(tenants, keys) else { return answer(resealed(nil)) }
        let sealed = try seal(settings.opened(by: keys, for: owner), for: owner)
        propose(.setClass(project: owner.project, name: owner.objectClass, settings: sealed)) {
            resealed("class \(owner.objectClass) of \(owner.project)")
        }
    }

    func seal(_ settings: ClassSettings, for owner: SecretOwner) throws(HTTPFault) -> ClassSettings {
        do throws(SecretFault) {
            return try settings.sealed(by: edge.gateway.clusterKeys, for: owner)
        } catch {
            throw .unavailable("The class's secrets could not be sealed: \(error)")
        }
    }

    private func resealed(_ what: String?) -> HTTPResponse {
        .json(
            JSONOutput.object { page in
                if let what { page.member("resealed", what) }
                page.member("isDone", what == nil)
            })
    }
}

/// Counts of secrets by what they are sealed under.
struct SecretStanding {
    var formerSigningKeys = 0
    var signsByNewest = false
    var secrets = 0
    /// In the clear, or under a former key.
    var toBeSealed = 0
    var unreadable = 0

    init(_ tenants: Tenants, _ keys: ClusterKeys) {
        formerSigningKeys = tenants.signingKeys.count { keys.isOfFormerKey($0) }
        signsByNewest = !keys.isEmpty && !keys.isOfFormerKey(tenants.newestSigningKey)
        for (owner, settings) in Self.classes(tenants) {
            for secret in settings.secrets {
                secrets += 1
                if (try? keys.open(secret, for: owner)) == nil {
                    unreadable += 1
                } else if keys.isToBeSealedAgain(secret) {
                    toBeSealed += 1
                }
            }
        }
    }

    /// The first class that has any, in order, which can be opened and is to be sealed again.
    static func next(_ tenants: Tenants, _ keys: ClusterKeys) -> (SecretOwner, ClassSettings)? {
        classes(tenants).first { owner, settings in
            settings.secrets.contains {
                keys.isToBeSealedAgain($0) && (try? keys.open($0, for: owner)) != nil
            }
        }
    }

    private static func classes(_ tenants: Tenants) -> some Sequence<(SecretOwner, ClassSettings)> {
        tenants.projects.lazy.flatMap { project in
            project.classes.lazy.map { (SecretOwner(project: project.id, objectClass: $0.name), $0.settings) }
        }
    }
}
