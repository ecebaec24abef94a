// # TLS
//
// TLS connections by OpenSSL (`TLSHandler` for NIO, `TLSEngine` for sockets without it), certificates and the
// authority that makes them, and checking of signatures by Ed25519, RSA and ECDSA keys. What needs no
// connection is in `Crypto`, which comes with this module.
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

@_exported import Crypto
