import NIOHTTP1
import Placement

/// Less than a key's rights, as the maker of a token or a capability asks for it.
struct WantedRights {
    var scopes: Scopes?
    var classPrefix: String?
    var idPrefix: String?

    init(scopes: Scopes? = nil, classPrefix: String? = nil, idPrefix: String? = nil) {
        self.scopes = scopes
        self.classPrefix = classPrefix
        self.idPrefix = idPrefix
    }

    init(_ target: RequestTarget) throws(HTTPFault) {
        scopes = try target.formParameter("scopes").map { text throws(HTTPFault) in try Scopes(list: text) }
        classPrefix = target.formParameter("classPrefix")
        idPrefix = target.formParameter("idPrefix")
    }

    /// Nil if nothing was asked for: then the key's rights hold.
    func narrowed(_ rights: Rights) throws(HTTPFault) -> Rights? {
        guard scopes != nil || classPrefix != nil || idPrefix != nil else { return nil }
        let wanted = Rights(
            scopes: scopes ?? rights.scopes, classPrefix: classPrefix ?? rights.classPrefix,
            idPrefix: idPrefix ?? rights.idPrefix)
        try Grant(rights).require(wanted.scopes)
        guard wanted.classPrefix.starts(withText: rights.classPrefix), wanted.idPrefix.starts(withText: rights.idPrefix)
        else { throw .forbidden("prefix", "The API key itself is restricted to other classes or object ids.") }
        guard wanted.classPrefix.utf8.count <= PlacementLimits.classNameBytes,
            wanted.idPrefix.utf8.count <= PlacementLimits.classNameBytes
        else { throw .validation("prefix", "A prefix has at most \(PlacementLimits.classNameBytes) bytes.") }
        return wanted
    }
}

extension Scopes {
    /// Names with commas or blanks between them; one at least.
    init(list: String) throws(HTTPFault) {
        try self.init(known: list.split { $0 == "," || $0 == " " }.map(String.init))
    }

    init(known names: [String]) throws(HTTPFault) {
        guard let known = Scopes(names: names), !known.isEmpty else {
            throw .validation("scopes", "Scopes are some of \(Scopes.all.names.joined(separator: ", ")).")
        }
        self = known
    }

    init(_ json: JSONInput) throws(HTTPFault) {
        if let text = json.text {
            try self.init(list: text)
        } else {
            let names = json.elements?.compactMap(\.text) ?? []
            try self.init(known: names.count == json.elements?.count ? names : [])
        }
    }
}
