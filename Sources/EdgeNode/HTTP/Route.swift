import NIOHTTP1

/// What a request's method and path ask for.
enum Route: Equatable {
    case token(project: String)
    case capability(project: String)
    /// A key gives itself a new secret.
    case rotation(project: String)
    case object(ObjectRoute)
    case socket(SocketRoute)
    case health(HealthPage)
    /// The path below `/admin/v1`.
    case admin([String])
    /// The path below `/demo`; empty for the page itself.
    case demo(String)
}

enum HealthPage: String {
    case livez, readyz, healthz, version, metrics
}

/// A call of the client API on one object.
struct ObjectRoute: Equatable {
    var project: String
    var objectClass: String
    var objectID: String
    var call: ObjectCall
}

enum ObjectCall: Equatable {
    case setItem(name: String)
    case setItems
    case getItem(name: String)
    case getItems
    case getAllItems
    case getAllKeys
    case removeItem(name: String)
    /// The body alone tells removing some from removing all.
    case removeItemsOrClear
    case atomic(word: String, name: String)
    case encryptionSettings
    case rotateEncryption
    case presenceList
    case message
}

extension Route {
    init(method: HTTPMethod, segments: [String]) throws(HTTPFault) {
        switch segments.first {
        case "project" where segments.count >= 4:
            self = try Route.project(method, segments[1], Array(segments[2...]))
        case "admin" where segments.count >= 3 && segments[1] == "v1":
            self = .admin(Array(segments[2...]))
        case "demo":
            guard method == .GET || method == .HEAD else { throw .wrongMethod(allow: "GET, HEAD, OPTIONS") }
            self = .demo(segments.dropFirst().joined(separator: "/"))
        case let name? where segments.count == 1:
            guard let page = HealthPage(rawValue: name) else { throw .unknownRoute }
            guard method == .GET || method == .HEAD else { throw .wrongMethod(allow: "GET, HEAD, OPTIONS") }
            self = .health(page)
        default:
            throw .unknownRoute
        }
    }

    private static func project(
        _ method: HTTPMethod, _ project: String, _ rest: [String]
    ) throws(HTTPFault) -> Route {
        if rest.count == 2, rest[0] == "auth" { return try credentials(method, project, rest[1]) }
        guard rest.count >= 3 else { throw .unknownRoute }
        if rest[0] == "ws" { return try socket(method, project, rest) }
        let call = try call(method, rest[0], Array(rest[3...]))
        try checkNames(rest)
        return .object(ObjectRoute(project: project, objectClass: rest[1], objectID: rest[2], call: call))
    }

    private static func credentials(
        _ method: HTTPMethod, _ project: String, _ word: String
    ) throws(HTTPFault) -> Route {
        switch word {
        case "token":
            try only(.GET, method)
            return .token(project: project)
        case "capability":
            try only(.POST, method)
            return .capability(project: project)
        case "rotate":
            try only(.POST, method)
            return .rotation(project: project)
        default: throw .unknownRoute
        }
    }

    private static func socket(
        _ method: HTTPMethod, _ project: String, _ rest: [String]
    ) throws(HTTPFault) -> Route {
        guard rest.count == 3 else { throw .unknownRoute }
        try only(.GET, method)
        try checkNames(rest)
        return .socket(SocketRoute(project: project, objectClass: rest[1], objectID: rest[2]))
    }

    private static func checkNames(_ rest: [String]) throws(HTTPFault) {
        guard !rest[1].isEmpty, !rest[2].isEmpty else {
            throw .validation("id.empty", "Class and object id must not be empty.")
        }
    }

    private static func call(
        _ method: HTTPMethod, _ kind: String, _ more: [String]
    ) throws(HTTPFault) -> ObjectCall {
        if kind == "cache" { return more.isEmpty ? try wholeObject(method) : try item(method, more) }
        guard more.isEmpty else { throw .unknownRoute }
        switch kind {
        case "cache-query":
            try only(.POST, method)
            return .getItems
        case "cache-keys":
            try only(.GET, method)
            return .getAllKeys
        case "cache-encryption":
            try only(.POST, method)
            return .encryptionSettings
        case "cache-encryption-rotate":
            try only(.POST, method)
            return .rotateEncryption
        case "presence-list":
            try only(.GET, method)
            return .presenceList
        case "message":
            try only(.POST, method)
            return .message
        default:
            throw .unknownRoute
        }
    }

    private static func wholeObject(_ method: HTTPMethod) throws(HTTPFault) -> ObjectCall {
        switch method {
        case .GET: return .getAllItems
        case .POST: return .setItems
        case .DELETE: return .removeItemsOrClear
        default: throw .wrongMethod(allow: "GET, POST, DELETE, OPTIONS")
        }
    }

    /// Whatever stands behind the object id is the item's name, slashes included; only a POST with at
    /// least two segments there may end in the word of an operation.
    private static func item(_ method: HTTPMethod, _ segments: [String]) throws(HTTPFault) -> ObjectCall {
        switch method {
        case .GET: return .getItem(name: segments.joined(separator: "/"))
        case .DELETE: return .removeItem(name: segments.joined(separator: "/"))
        case .POST:
            if segments.count >= 2, let word = segments.last, operationWords.contains(word) {
                return .atomic(word: word, name: segments.dropLast().joined(separator: "/"))
            }
            return .setItem(name: segments.joined(separator: "/"))
        default: throw .wrongMethod(allow: "GET, POST, DELETE, OPTIONS")
        }
    }

    private static func only(_ allowed: HTTPMethod, _ method: HTTPMethod) throws(HTTPFault) {
        guard method == allowed else { throw .wrongMethod(allow: "\(allowed.rawValue), OPTIONS") }
    }

    private static let operationWords = ["increment", "decrement", "push", "splice", "merge", "set-in"]
}
