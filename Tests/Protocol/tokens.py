"""Signatures and tokens, right and forged. Public keys are made and used by the `openssl` program."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import tempfile


def encode(data):
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def parts(token):
    """Header and payload of a token."""
    header, payload, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(payload))


def token(header, payload, sign):
    """A token whose signature is what `sign` makes of the bytes before it."""
    signed = encode(header) + "." + encode(payload)
    return signed + "." + encode(sign(signed.encode()))


def hmac_sha256(secret, message):
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


class PrivateKey:
    """A key of the kinds `rsa`, `ed25519` and `p256`."""

    KINDS = {
        "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        "ed25519": ["-algorithm", "ED25519"],
        "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    }

    def __init__(self, kind):
        self.kind = kind
        self.pem = openssl("genpkey", *self.KINDS[kind])

    @property
    def public_pem(self):
        return with_file(self.pem, lambda path: openssl("pkey", "-in", path, "-pubout")).decode()

    def sign(self, message):
        """The signature: PKCS #1 for RSA, DER for P-256, both over SHA-256."""
        digest = [] if self.kind == "ed25519" else ["-digest", "sha256"]
        return with_file(self.pem, lambda key: with_file(message, lambda text: openssl(
            "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", text, *digest)))

    def sign_token(self, message):
        """The same, in the form that tokens have: for P-256 r and s in 64 bytes instead of DER."""
        signature = self.sign(message)
        if self.kind != "p256":
            return signature
        r_size = signature[3]
        r, s = signature[4:4 + r_size], signature[6 + r_size:]
        return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (r, s))


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def with_file(content, body):
    handle, path = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        return body(path)
    finally:
        os.unlink(path)
