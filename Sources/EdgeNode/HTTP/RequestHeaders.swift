import NIOHTTP1

/// The request headers that mean something here, picked out in one pass.
struct RequestHeaders {
    var host: String?
    var authorization: String?
    var contentType: String?
    var origin: String?
    var idempotencyKey: String?
    var minimumIndex: String?
    var encryptionKeyVersion: String?
    /// Over the object's id, and by which version of the class's key.
    var idSignature: String?
    var idSignatureKeyVersion: String?
    /// Of the user behind a message.
    var identityToken: String?
    var userIDSignature: String?
    var contentLength: Int?
    /// Its body is compressed, or otherwise not what it says.
    var isBodyEncoded = false
    var expectsContinue = false
    /// Another protocol was asked for: the parser reads nothing behind such a request.
    var asksForUpgrade = false
    /// `Upgrade` names WebSocket, `Connection` names the upgrade.
    var upgradesToSocket = false
    var connectionUpgrades = false
    var socketKey: String?
    var socketVersion: String?
    /// Subprotocols that the client offers.
    var socketProtocols: String?

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers { take(name, value) }
    }

    /// Names are told apart by their length first: most headers are none of ours.
    private mutating func take(_ name: String, _ value: String) {
        switch name.utf8.count {
        case 4 where name.isHeader("host"): host = value
        case 6 where name.isHeader("origin"): origin = value
        case 6 where name.isHeader("expect"): expectsContinue = value.isHeader("100-continue")
        case 7 where name.isHeader("upgrade"): takeUpgrade(value)
        case 8 where name.isHeader("x-enc-kv"): encryptionKeyVersion = value
        case 8 where name.isHeader("x-id-sig"): idSignature = value
        case 10 where name.isHeader("connection"):
            if value.hasToken("upgrade") { connectionUpgrades = true }
        case 11 where name.isHeader("x-id-sig-kv"): idSignatureKeyVersion = value
        case 12 where name.isHeader("content-type"): contentType = value
        case 13 where name.isHeader("authorization"): authorization = value
        case 14 where name.isHeader("content-length"): contentLength = Int(value)
        case 15 where name.isHeader("idempotency-key"): idempotencyKey = value
        case 16 where name.isHeader("content-encoding"):
            if !value.isHeader("identity") { isBodyEncoded = true }
        case 17 where name.isHeader("sec-websocket-key"): socketKey = value
        case 18 where name.isHeader("holdfast-min-index"): minimumIndex = value
        case 21 where name.isHeader("sec-websocket-version"): socketVersion = value
        case 22 where name.isHeader("sec-websocket-protocol"): takeProtocols(value)
        case 22 where name.isHeader("x-vaultrice-auth-token"): identityToken = value
        case 26 where name.isHeader("x-vaultrice-auth-signature"): userIDSignature = value
        default: break
        }
    }

    private mutating func takeUpgrade(_ value: String) {
        asksForUpgrade = true
        if value.hasToken("websocket") { upgradesToSocket = true }
    }

    /// The header may be split into several.
    private mutating func takeProtocols(_ value: String) {
        socketProtocols = socketProtocols.map { $0 + "," + value } ?? value
    }
}

extension String {
    /// Whether a list, separated by commas, holds `lowercase` in any case.
    fileprivate func hasToken(_ lowercase: StaticString) -> Bool {
        split(separator: ",").contains { token in
            let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
            return String(token.drop(while: isBlank).prefix { !isBlank($0) }).isHeader(lowercase)
        }
    }

    /// Equal to `lowercase` when ASCII letters are taken as lower case.
    fileprivate func isHeader(_ lowercase: StaticString) -> Bool {
        lowercase.withUTF8Buffer { wanted in
            guard utf8.count == wanted.count else { return false }
            return zip(utf8, wanted).allSatisfy { byte, other in
                byte == other || (0x41...0x5A).contains(byte) && byte | 0x20 == other
            }
        }
    }
}
