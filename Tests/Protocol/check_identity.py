"""Section 13: who speaks must be who it says."""

import time

import tokens
from check_http import expect_refusal
from classes import identity_class
from suite import check, equal, expect
from tokens import PrivateKey

SECRET = "s3cret-of-the-users"


def signature(user):
    return tokens.hmac_sha256(SECRET, user.encode()).hex()


def signed_object(cluster):
    return cluster.new_object(objectClass=identity_class(cluster, mode="signature", key=SECRET))


def message(payload, **auth):
    return {"event": "message", "payload": payload, "auth": auth}


def refused_frames(some, frames):
    """Each of the frames gets an `error` frame, nobody else hears anything, and the socket lives on."""
    speaker, witness = some.socket(0), some.socket(1)
    for event in frames:
        speaker.send(event)
        error = speaker.receive()
        equal(error["event"], "error", f"answer to {event}")
        expect(isinstance(error["payload"], str), f"{error}")
        expect("invalid resume" not in error["payload"].lower(), "words that the SDK reacts to")
    speaker.send({"event": "ping"})
    speaker.wait_for("pong")
    equal((some.until_marker(witness), some.presence(2)), ([], []))


@check("signature mode: a right signature over userId lets messages and joins pass")
def _(cluster):
    some = signed_object(cluster)
    speaker, witness = some.socket(0), some.socket(1)
    speaker.send(message({"userId": "ann", "text": "hi"}, userIdSignature=signature("ann")))
    equal(witness.wait_for("message")["payload"], {"userId": "ann", "text": "hi"})
    speaker.send({**message({"userId": "ann"}, userIdSignature=signature("ann")), "event": "presence:join"})
    equal(witness.wait_for("presence:join")["payload"], {"userId": "ann"})


@check("signature mode: anything else is dropped with an error frame")
def _(cluster):
    right = signature("ann")
    refused_frames(signed_object(cluster), [
        message({"userId": "ann"}), message({"userId": "bob"}, userIdSignature=right),
        {"event": "message", "payload": {"userId": "ann"}}, message({"text": "x"}, userIdSignature=right),
        message("ciphertext", userIdSignature=right), message({"userId": ["ann"]}, userIdSignature=right),
        message({"userId": "ann"}, userIdSignature=right[:-1]), message({"userId": "ann"}, userIdSignature=5),
        {"event": "message", "payload": {"userId": "ann"}, "auth": 5},
        {"event": "presence:join", "payload": {"userId": "bob"}, "auth": {"userIdSignature": right}}])


@check("signature mode by HTTP: the header, or 403")
def _(cluster):
    some = signed_object(cluster)
    witness = some.socket(1)
    for body, proof in [({"userId": "bob"}, signature("ann")), ({"userId": "ann"}, None), ({"userId": "ann"}, "x")]:
        expect_refusal(some.call(0, "POST", "message", body=body, x_vaultrice_auth_signature=proof), 403)
    answer = some.call(2, "POST", "message", body={"userId": "ann"}, x_vaultrice_auth_signature=signature("ann"))
    expect(200 <= answer.status < 300, f"{answer}")
    equal(witness.receive()["payload"], {"userId": "ann"})


class TokenClass:
    """A class in token mode, with the key of its users' backend."""

    def __init__(self, cluster, kind="rsa", algorithm="rsa-sha256", name="RS256"):
        self.key, self.name = PrivateKey(kind), name
        self.object = cluster.new_object(objectClass=identity_class(
            cluster, mode="token", algorithm=algorithm, key=self.key.public_pem))

    def token(self, key=None, alg=None, **claims):
        claims.setdefault("exp", int(time.time()) + 600)
        return tokens.token({"alg": alg or self.name, "typ": "JWT"}, claims, (key or self.key).sign_token)


@check("token mode: claims that also occur in the payload must be equal, others may differ")
def _(cluster):
    users = TokenClass(cluster)
    some, proof = users.object, users.token(userId="ann", role="admin")
    speaker, witness = some.socket(0), some.socket(1)
    speaker.send(message({"userId": "ann", "text": "hi"}, identityToken=proof))
    equal(witness.wait_for("message")["payload"], {"userId": "ann", "text": "hi"})
    speaker.send({**message({"userId": "ann"}, identityToken=proof), "event": "presence:join"})
    witness.wait_for("presence:join")
    answer = some.call(2, "POST", "message", body={"userId": "ann"}, x_vaultrice_auth_token=proof)
    expect(200 <= answer.status < 300, f"{answer}")


@check("token mode: forged, foreign and expired tokens and other claims are dropped with an error frame")
def _(cluster):
    users = TokenClass(cluster)
    payload = {"userId": "ann"}
    good = users.token(userId="ann")
    head, body, proof = good.split(".")
    hmac_token = tokens.token({"alg": "HS256"}, payload, lambda text: tokens.hmac_sha256(users.key.public_pem, text))
    bad = [users.token(userId="bob"), users.token(key=PrivateKey("rsa"), userId="ann"), "x.y.z", "", 5, None,
           tokens.encode({"alg": "none"}) + "." + body + ".", hmac_token, head + "." + body + ".",
           head + "." + tokens.encode({"userId": "ann", "role": "admin"}) + "." + proof,
           users.token(userId="ann", exp=int(time.time()) - 3600)]
    frames = [message(payload, identityToken=token) for token in bad] + [message(payload)]
    refused_frames(users.object, frames + [{"event": "presence:join", "payload": payload, "auth": {}}])
    for token in ("x.y.z", users.token(userId="bob"), None):
        expect_refusal(users.object.call(0, "POST", "message", body=payload, x_vaultrice_auth_token=token), 403)


@check("token mode with keys of other kinds")
def _(cluster):
    for kind, algorithm, name in (("ed25519", "ed25519", "EdDSA"), ("p256", "ecdsa-p256-sha256", "ES256")):
        users = TokenClass(cluster, kind, algorithm, name)
        speaker, witness = users.object.socket(0), users.object.socket(1)
        speaker.send(message({"userId": "ann"}, identityToken=users.token(userId="ann")))
        witness.wait_for("message")


@check("off by default: proofs that nobody asked for are ignored")
def _(cluster):
    some = cluster.new_object()
    speaker, witness = some.socket(0), some.socket(1)
    speaker.send(message({"userId": "ann"}, identityToken="x.y.z", userIdSignature="x"))
    equal(witness.wait_for("message")["payload"], {"userId": "ann"})
