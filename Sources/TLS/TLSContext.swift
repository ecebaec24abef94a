import COpenSSL

/// What connections of one kind have in common: certificates, trust, protocols, ticket keys. Made once, used for
/// many connections on any thread.
public final class TLSContext: @unchecked Sendable {
    public let role: TLSSettings.Role
    /// This side's own chain, its own certificate first; empty for a client that shows none.
    public let certificates: [Certificate]
    let ticketKeys: TicketKeys?
    /// In ALPN's own form: each with its length in front.
    private let protocols: [UInt8]
    // Not changed after `init`, except for what OpenSSL counts under its own locks.
    let pointer: OpaquePointer

    /// Checks everything that can be checked before a connection: certificates that parse, a key that fits.
    ///
    /// A server with `ticketKeys` lets clients resume, unless it asks for certificates.
    public init(_ settings: TLSSettings, ticketKeys: TicketKeys? = nil) throws(TLSMaterialFault) {
        role = settings.role
        protocols = settings.applicationProtocols.flatMap { name in
            precondition((1...255).contains(name.utf8.count), "a protocol's name has 1 to 255 bytes")
            return [UInt8(name.utf8.count)] + Array(name.utf8)
        }
        let resumes = settings.role == .server && settings.clientCertificates == .none
        self.ticketKeys = resumes ? ticketKeys : nil
        certificates = try settings.certificates.map { material throws(TLSMaterialFault) in
            try Certificate.chain(pem: material.pem, from: material.file)
        } ?? []
        guard let pointer = SSL_CTX_new(settings.role == .server ? TLS_server_method() : TLS_client_method()) else {
            throw .failed("making a TLS context: \(takeOpenSSLReason())")
        }
        self.pointer = pointer
        defer { ERR_clear_error() }
        try restrict(to: settings.highestVersion)
        try use(settings.privateKey)
        try trust(settings)
        offerProtocols()
        setTickets()
        SSL_CTX_set_ex_data(pointer, Self.index, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    /// The context of a connection. Connections keep theirs alive.
    static func of(_ ssl: OpaquePointer) -> TLSContext? {
        guard let data = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index) else { return nil }
        return Unmanaged<TLSContext>.fromOpaque(data).takeUnretainedValue()
    }

    private static let index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nil, nil, nil, nil)

    // Groups without ffdhe: finite fields are slow, and a way to make a server work.
    private static let groups = "X25519:P-256:P-384"
    private static let suites13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
    private static let suites12 = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"

    private func restrict(to version: TLSHandshakeCompleted.Version) throws(TLSMaterialFault) {
        holdfast_context_set_defaults(pointer)
        guard
            holdfast_context_set_versions(
                pointer, TLS1_2_VERSION, version == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1,
            SSL_CTX_set_ciphersuites(pointer, Self.suites13) == 1,
            SSL_CTX_set_cipher_list(pointer, Self.suites12) == 1,
            holdfast_context_set_groups(pointer, Self.groups) == 1
        else { throw .failed("setting TLS versions and suites: \(takeOpenSSLReason())") }
        SSL_CTX_set_security_level(pointer, 2)
        SSL_CTX_set_verify_depth(pointer, 8)
    }

    private func use(_ material: TLSSettings.Material?) throws(TLSMaterialFault) {
        guard let own = certificates.first else {
            guard role == .client else { throw .refused(file: "the server's certificate", reason: "there is none") }
            return
        }
        guard let material else { throw .refused(file: "the private key", reason: "there is none") }
        let key = try PrivateKey(pem: material.pem, from: material.file)
        guard own.matches(key) else {
            throw .refused(file: material.file, reason: "the key does not belong to the certificate \(own.subject)")
        }
        guard SSL_CTX_use_certificate(pointer, own.pointer) == 1 else {
            throw .refused(file: "the certificate \(own.subject)", reason: takeOpenSSLReason())
        }
        guard SSL_CTX_use_PrivateKey(pointer, key.pointer) == 1 else {
            throw .refused(file: material.file, reason: takeOpenSSLReason())
        }
        for certificate in certificates.dropFirst() {
            guard holdfast_context_add_chain(pointer, certificate.pointer) == 1 else {
                throw .refused(file: "the certificate \(certificate.subject)", reason: takeOpenSSLReason())
            }
        }
    }

    private func trust(_ settings: TLSSettings) throws(TLSMaterialFault) {
        let asks = settings.role == .client || settings.clientCertificates != .none
        if let material = settings.roots {
            let store = SSL_CTX_get_cert_store(pointer)
            for root in try Certificate.chain(pem: material.pem, from: material.file) {
                guard X509_STORE_add_cert(store, root.pointer) == 1 else {
                    throw .refused(file: material.file, reason: takeOpenSSLReason())
                }
                // Tells clients with many certificates which one is wanted.
                if settings.role == .server, asks { SSL_CTX_add_client_CA(pointer, root.pointer) }
            }
        } else if settings.role == .client {
            SSL_CTX_set_default_verify_paths(pointer)
        } else if asks {
            throw .refused(file: "the trusted roots", reason: "there are none to check client certificates by")
        }
        let required = settings.role == .client || settings.clientCertificates == .required
        let mode = (asks ? SSL_VERIFY_PEER : 0) | (required && asks ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0)
        holdfast_context_set_verify(pointer, mode)
    }

    private func offerProtocols() {
        guard !protocols.isEmpty else { return }
        if role == .client {
            SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count))
        } else {
            SSL_CTX_set_alpn_select_cb(
                pointer, { ssl, chosen, length, offered, count, _ in
                    guard let ssl, let context = TLSContext.of(ssl), let offered else { return SSL_TLSEXT_ERR_NOACK }
                    let list = UnsafeBufferPointer(start: offered, count: Int(count))
                    guard let found = context.choose(from: list) else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                    // What is chosen is named by its place in the client's list, which lives long enough.
                    chosen?.pointee = offered + found.lowerBound
                    length?.pointee = UInt8(found.count)
                    return SSL_TLSEXT_ERR_OK
                }, nil)
        }
    }

    /// Where in the client's list the first protocol of ours is that it has too.
    private func choose(from offered: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
        let theirs = protocolRanges(count: offered.count) { offered[$0] }
        for own in protocolRanges(count: protocols.count, at: { protocols[$0] }) {
            if let same = theirs.first(where: { $0.count == own.count && offered[$0].elementsEqual(protocols[own]) }) {
                return same
            }
        }
        return nil
    }

    private func setTickets() {
        guard role == .server else { return }
        guard ticketKeys != nil else { return holdfast_context_refuse_tickets(pointer) }
        SSL_CTX_set_num_tickets(pointer, 1)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer, ticketKeyCallback)
        SSL_CTX_set_timeout(pointer, Int(ticketKeys.map { $0.periodMilliseconds / 1_000 } ?? 0))
    }
}

private func protocolRanges(count: Int, at byte: (Int) -> UInt8) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var next = 0
    while next < count {
        let end = next + 1 + Int(byte(next))
        guard end <= count, end > next + 1 else { break }
        ranges.append(next + 1..<end)
        next = end
    }
    return ranges
}
