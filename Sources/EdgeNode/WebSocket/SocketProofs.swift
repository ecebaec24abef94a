import ObjectRuntime

// Where sockets and messages meet the proofs that a class may demand of users and their backends.

extension HTTPEdge {
    /// Passes if the class demands no signature over the object's id, or if this is one.
    func checkSocketIDSignature(
        _ route: SocketRoute, signature: String?, keyVersion: String?
    ) throws(HTTPFault) {
        try checkIDSignature(
            project: route.project, objectClass: route.objectClass, objectID: route.objectID,
            signature: signature, keyVersion: keyVersion)
    }

    /// Passes if the class demands no proof of who the user behind a message or a join is, or if this is one.
    func checkUser(
        _ payload: SocketPayload, identityToken: String?, userIDSignature: String?, project: String,
        objectClass: String
    ) throws(HTTPFault) {
        guard let state = gateway.view.state else { throw .notFormed }
        try userIdentities.check(
            payload: payload.json, isEncrypted: payload.isEncrypted, identityToken: identityToken,
            userIDSignature: userIDSignature,
            settings: state.classSettings(project: project, class: objectClass),
            owner: SecretOwner(project: project, objectClass: objectClass), nowMs: gateway.wallMs())
    }
}
