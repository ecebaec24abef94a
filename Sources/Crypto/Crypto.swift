// # Crypto
//
// What credentials, files and connections need of libcrypto: SHA-256, HMAC-SHA256, HKDF, AES-256-GCM, comparison
// in constant time, random bytes. No connection, no file, no thread.
//
// Promise: no pointer of OpenSSL leaves this module. What can fail for reasons outside the program (no entropy, no
// memory) throws `CryptographyFailure`; sizes are our own business and are checked by preconditions. Key material
// is freed with the object that holds it. Algorithms are fetched once per process.

/// OpenSSL could not do what it was asked for; `operation` says what that was.
public struct CryptographyFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let operation: String

    public init(_ operation: String) {
        self.operation = operation
    }

    public var description: String { "OpenSSL failed: \(operation)" }
}
