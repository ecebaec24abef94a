import COpenSSL

/// The newest reason in this thread's queue of errors, in OpenSSL's words; the queue is empty afterwards.
///
/// The last one is the one that the failing function added; those before it are what led there.
func takeOpenSSLReason() -> String {
    let code = ERR_peek_last_error()
    ERR_clear_error()
    guard code != 0 else { return "no reason given" }
    if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
    return "error \(String(code, radix: 16))"
}

/// OpenSSL's words for an X509_V_ERR.
func verificationReason(_ code: Int) -> String {
    guard let reason = X509_verify_cert_error_string(code) else { return "error \(code)" }
    return String(cString: reason)
}
