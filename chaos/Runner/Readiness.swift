import HoldfastClient

/// What a node says of itself.
enum Readiness {
    static let request = HTTPRequest("GET", "/readyz?verbose")

    /// A node that is being drained is not ready, and answers clients all the same.
    static func serves(_ response: HTTPResponse) -> Bool {
        if response.status == 200 { return true }
        let missing = response.bodyText.split(separator: "\n").filter { $0.hasPrefix("missing: ") }
        return response.status == 503 && !missing.isEmpty
            && missing.allSatisfy { $0 == "missing: the node is being drained" }
    }
}
