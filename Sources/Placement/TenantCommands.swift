/// Commands about projects, keys and classes. Each may come twice, as retries do.
extension Tenants {
    mutating func apply(_ command: Command) -> CommandResult {
        switch command {
        case .createProject(let id, let createdAtMs):
            createProject(id, createdAtMs: createdAtMs)
        case .createKey(let key):
            createKey(key)
        case .revokeKey(let project, let keyID):
            revokeKey(project: ExactText(project), keyID: ExactText(keyID))
        case .setClass(let project, let name, let settings):
            setClass(project: ExactText(project), name: ExactText(name), settings: settings)
        case .addSigningKey(let key):
            addSigningKey(key)
        case .setAdmin(let credential):
            setAdmin(credential)
        case .setQuota(let project, let quota):
            setQuota(quota, of: ExactText(project))
        case .setObjectLimits(let limits):
            setObjectLimits(limits)
        default:
            preconditionFailure("not a command about tenants")
        }
    }

    private mutating func createProject(_ id: String, createdAtMs: UInt64) -> CommandResult {
        let key = ExactText(id)
        if projectsByID[key] != nil { return .done }
        guard isPlainName(id) else { return .refused(.invalidValue) }
        guard projectsByID.count < PlacementLimits.projects else { return .refused(.limitReached) }
        projectsByID.set(Project(id: id, createdAtMs: createdAtMs), for: key)
        return .done
    }

    private mutating func createKey(_ key: APIKey) -> CommandResult {
        let id = ExactText(key.keyID)
        let project = ExactText(key.project)
        guard let count = projectsByID[project]?.keysByID.count else { return .refused(.unknownProject) }
        if let existing = projectsByID[project]?.keysByID[id] {
            // A retry, also after the key was revoked: it stays revoked.
            return existing.credential == key.credential ? .done : .refused(.conflict)
        }
        guard isPlainName(key.keyID), key.isAcceptable else { return .refused(.invalidValue) }
        guard count < PlacementLimits.keysPerProject else { return .refused(.limitReached) }
        let fresh = key.unrevoked
        projectsByID.update(project) { $0.keysByID.set(fresh, for: id) }
        return .done
    }

    private mutating func revokeKey(project: ExactText, keyID: ExactText) -> CommandResult {
        guard projectsByID[project] != nil else { return .refused(.unknownProject) }
        guard projectsByID[project]?.keysByID[keyID] != nil else { return .refused(.unknownKey) }
        projectsByID.update(project) { $0.keysByID.update(keyID) { $0.isRevoked = true } }
        return .done
    }

    /// Settings equal to the standard ones need no entry.
    private mutating func setClass(project: ExactText, name: ExactText, settings: ClassSettings)
        -> CommandResult
    {
        guard let count = projectsByID[project]?.classesByName.count else { return .refused(.unknownProject) }
        let length = name.text.utf8.count
        guard (1...PlacementLimits.classNameBytes).contains(length), settings.isAcceptable else {
            return .refused(.invalidValue)
        }
        let isNew = projectsByID[project]?.classesByName[name] == nil
        if settings == .standard {
            projectsByID.update(project) { $0.classesByName.remove(name) }
        } else if isNew, count >= PlacementLimits.classesPerProject {
            return .refused(.limitReached)
        } else {
            projectsByID.update(project) { $0.classesByName.set(settings, for: name) }
        }
        return .done
    }

    /// Ids rise, so a late retry never brings a forgotten key back to sign.
    private mutating func addSigningKey(_ key: SigningKey) -> CommandResult {
        if let existing = signingKey(id: key.id) {
            return existing.secret == key.secret ? .done : .refused(.conflict)
        }
        guard key.id > newestSigningKey.id else { return .refused(.conflict) }
        guard key.isAcceptable else { return .refused(.invalidValue) }
        signingKeys.append(key)
        if signingKeys.count > PlacementLimits.signingKeys { signingKeys.removeFirst() }
        return .done
    }

    private mutating func setAdmin(_ credential: Credential) -> CommandResult {
        guard credential.isAcceptable else { return .refused(.invalidValue) }
        admin = credential
        return .done
    }
}
