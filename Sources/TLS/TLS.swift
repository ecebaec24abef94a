// # TLS
//
// The one folder that speaks to OpenSSL: TLS connections (`TLSHandler` for NIO, `TLSEngine` for sockets
// without it), certificates and the authority that makes them, and what credentials and files need of
// libcrypto: SHA-256, HMAC-SHA256, HKDF, AES-256-GCM, comparison in constant time, random bytes, and
// checking of signatures by Ed25519, RSA and ECDSA keys.
//
// Promise: no pointer and no error queue of OpenSSL leaves this module. What can fail for reasons
// outside the program (no entropy, no memory) throws `CryptographyFailure`; sizes are our own
// business and are checked by preconditions. Key material is freed with the object that holds it.
//
// How: the `EVP` interfaces of OpenSSL 3. Algorithms are fetched once per process, since a fetch by
// name costs more than the hash of a short message. Objects with state (`MessageAuthenticator`) are
// made once per thread and used again; they are not `Sendable`. Public keys are read, checked for
// type, curve and length, and then prepared for use (`PublicKey`).
//
// Left out: versions before TLS 1.2, weaker suites, renegotiation, early data, revocation lists and OCSP.

/// OpenSSL could not do what it was asked for; `operation` says what that was.
public struct CryptographyFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let operation: String

    public init(_ operation: String) {
        self.operation = operation
    }

    public var description: String { "OpenSSL failed: \(operation)" }
}
