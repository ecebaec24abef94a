import TLS

/// Signed strings for one object, which their holder can narrow without asking the cluster.
public enum Capability {
    /// What a holder may take away. Several of one kind hold together.
    public enum Caveat: Sendable, Hashable {
        /// Of read, write, presence, message.
        case scopes([String])
        /// Items whose names begin so, and no sockets.
        case itemPrefix(String)
        /// The one web origin that may use it.
        case audience(String)
        /// Milliseconds since 1970.
        case expires(Int)

        var text: String {
            switch self {
            case .scopes(let scopes): "scopes=" + scopes.joined(separator: ",")
            case .itemPrefix(let prefix): "itemPrefix=" + prefix
            case .audience(let origin): "audience=" + origin
            case .expires(let atMs): "expires=\(atMs)"
            }
        }
    }

    public struct Malformed: Error, CustomStringConvertible {
        public var description: String { "this is no capability of the form hfc1.…" }
    }

    /// The capability with `caveats` added: each part is signed with the signature before it.
    public static func narrow(_ capability: String, by caveats: [Caveat]) throws -> String {
        var parts = capability.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 3, parts[0] == "hfc1", let last = parts.popLast(),
            var signature = base64URLDecoded(last), signature.count == MessageAuthenticator.byteCount
        else { throw Malformed() }
        for caveat in caveats {
            let part = base64URLEncoded(Array(caveat.text.utf8))
            signature = try MessageAuthenticator(key: signature).authenticate(part.utf8)
            parts.append(part)
        }
        return (parts + [base64URLEncoded(signature)]).joined(separator: ".")
    }

    /// What is asked of the cluster for a new one.
    public struct Wish: Sendable {
        public var object: ObjectName
        public var scopes: [String] = []
        public var itemPrefix: String?
        public var audience: String?
        public var expiresInMs: Int?

        public init(_ object: ObjectName) {
            self.object = object
        }

        var json: JSON {
            var members = [
                JSON.Member("class", .string(object.objectClass)), JSON.Member("id", .string(object.id)),
            ]
            if !scopes.isEmpty { members.append(JSON.Member("scopes", .array(scopes.map(JSON.string)))) }
            if let itemPrefix { members.append(JSON.Member("itemPrefix", .string(itemPrefix))) }
            if let audience { members.append(JSON.Member("audience", .string(audience))) }
            if let expiresInMs { members.append(JSON.Member("expiresInMs", .integer(expiresInMs))) }
            return .object(members)
        }
    }
}
