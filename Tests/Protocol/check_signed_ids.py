"""Section 13: object ids that the user's backend has signed."""

import base64

import tokens
from check_http import expect_refusal
from classes import signature_class
from suite import Failure, check, equal, expect, raises
from tokens import PrivateKey
from websocket import Refused

SECRET, OTHER_SECRET = "s3cret-of-the-class", "another-s3cret-of-it"


def hexadecimal(secret, id):
    return tokens.hmac_sha256(secret, id.encode()).hex()


def opens(some, node, signature, version=None):
    """Whether this signature opens the object, asked by a call and by a socket: they must agree."""
    headers = {"X_Id_Sig": signature, "X_Id_Sig_KV": None if version is None else str(version)}
    query = {"idSignature": signature, "idSignatureKeyVersion": version}
    answer = some.call(node, "GET", "cache", **headers)
    given = {name: value for name, value in query.items() if value is not None}
    try:
        some.socket(node + 1, **given)
        by_socket = 200
    except Refused as refusal:
        by_socket = refusal.status
    equal(by_socket, answer.status, "status at the socket, as against the call")
    if answer.status != 200:
        expect_refusal(answer, 403)
        expect(answer.code.startswith("authorizationError.idSignature."), answer.code)
    return answer.status == 200


@check("off by default: signatures that nobody asked for are ignored")
def _(cluster):
    expect(opens(cluster.new_object(), 0, "whatever", 7), "refused")


@check("HMAC-SHA256 over the id, as lower-case hex or base64")
def _(cluster):
    some = cluster.new_object(objectClass=signature_class(cluster, (1, "hmac-sha256", SECRET)))
    raw = tokens.hmac_sha256(SECRET, some.id.encode())
    expect(opens(some, 0, raw.hex(), 1), "hex")
    expect(opens(some, 1, base64.b64encode(raw).decode(), 1), "base64")
    expect(opens(some, 2, raw.hex()), "no version means the newest")


@check("missing, wrong and foreign signatures are refused")
def _(cluster):
    some = cluster.new_object(objectClass=signature_class(cluster, (1, "hmac-sha256", SECRET)))
    right = hexadecimal(SECRET, some.id)
    wrong = [None, "", "x", right[:-1], right + "0", right[:-2] + ("00" if right[-2:] != "00" else "11"),
             hexadecimal(SECRET, some.id + "x"), hexadecimal(OTHER_SECRET, some.id), "0" * 64, "é" * 32]
    for node, signature in enumerate(wrong):
        raw = signature.encode().decode("latin-1") if signature else signature
        expect(not opens(some, node, raw, 1), f"opened by {signature!r}")
    expect(not opens(some, 0, right, 2), "opened under a version that is not there")
    for call in (("POST", "cache", "/a", {"value": 1}), ("DELETE", "cache", "", None), ("POST", "cache-query", "", []),
                 ("GET", "cache-keys", "", None), ("POST", "cache-encryption", "", {}),
                 ("POST", "message", "", {}), ("GET", "presence-list", "", None)):
        method, kind, rest, body = call
        expect_refusal(some.call(1, method, kind, rest, body), 403)


@check("the token endpoint needs no signature")
def _(cluster):
    signature_class(cluster, (1, "hmac-sha256", SECRET))
    equal(cluster.key.ask_token(0).status, 200)


@check("key versions overlap while they are rotated")
def _(cluster):
    name = signature_class(cluster, (1, "hmac-sha256", SECRET), (2, "hmac-sha256", OTHER_SECRET))
    some = cluster.new_object(objectClass=name)
    old, new = hexadecimal(SECRET, some.id), hexadecimal(OTHER_SECRET, some.id)
    expect(opens(some, 0, old, 1), "the old key by its version")
    expect(opens(some, 1, new, 2) and opens(some, 2, new), "the new key")
    expect(not opens(some, 0, old) and not opens(some, 1, old, 2) and not opens(some, 2, new, 1), "mixed up")


def public_key_check(cluster, kind, algorithm):
    key, stranger = PrivateKey(kind), PrivateKey(kind)
    some = cluster.new_object(objectClass=signature_class(cluster, (5, algorithm, key.public_pem)))
    message = some.id.encode()
    expect(opens(some, 0, base64.b64encode(key.sign(message)).decode(), 5), "its own signature")
    for signature in (stranger.sign(message), key.sign(message + b"x"), b"", b"\0" * 64):
        expect(not opens(some, 1, base64.b64encode(signature).decode(), 5), "opened by a forgery")
    hmac = tokens.hmac_sha256(key.public_pem, message).hex()
    expect(not opens(some, 2, hmac, 5), "opened by an HMAC with the public key")


@check("Ed25519")
def _(cluster):
    public_key_check(cluster, "ed25519", "ed25519")


@check("RSA with SHA-256")
def _(cluster):
    public_key_check(cluster, "rsa", "rsa-sha256")


@check("ECDSA on P-256 with SHA-256")
def _(cluster):
    public_key_check(cluster, "p256", "ecdsa-p256-sha256")


@check("a class that wants signatures without a key, or with a bad one, is not accepted")
def _(cluster):
    for keys in ([], [(1, "hmac-sha256", "")], [(1, "md5", "x")], [(1, "ed25519", "no key")], [(1, "rsa-sha256", "")]):
        raises(Failure, lambda: signature_class(cluster, *keys))


@check("a socket whose token comes in the first frame has its signature in the query")
def _(cluster):
    some = cluster.new_object(objectClass=signature_class(cluster, (1, "hmac-sha256", SECRET)))
    socket = some.open_socket(0, auth=None, idSignature=hexadecimal(SECRET, some.id))
    socket.send({"event": "auth", "token": cluster.key.token})
    equal(socket.receive()["event"], "connected")


@check("without the signature such a socket does not open")
def _(cluster):
    some = cluster.new_object(objectClass=signature_class(cluster, (1, "hmac-sha256", SECRET)))
    try:
        socket = some.open_socket(0, auth=None)
    except Refused as refusal:
        equal(refusal.status, 403, "status")
        return
    socket.send({"event": "auth", "token": cluster.key.token})
    equal(socket.wait_closed().code, 1008, "code")
