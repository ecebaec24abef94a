"""Section 4: tokens and who may call."""

import time

import rest
import tokens
from check_http import expect_refusal
from suite import check, equal, expect

HOUR_MS = 3_600_000


@check("the token endpoint answers with a JWT as text/plain")
def _(cluster):
    answer = cluster.key.ask_token(0)
    equal(answer.status, 200, "status")
    expect(answer.header("Content-Type").startswith("text/plain"), "content type")
    header, payload = tokens.parts(answer.text)
    expect(isinstance(header, dict) and isinstance(payload, dict), "header or payload is no object")
    tokens.decode(answer.text.split(".")[2])


@check("exp is in milliseconds, about an hour ahead (trap 1)")
def _(cluster):
    left = tokens.parts(cluster.key.ask_token(1).text)[1]["exp"] - time.time() * 1000
    expect(2 * 60_000 < left < 2**31, f"{left} ms left")
    expect(abs(left - HOUR_MS) < 5 * 60_000, f"{left} ms left")


@check("every node accepts the tokens of every other")
def _(cluster):
    some = cluster.new_object()
    for issuer in range(3):
        token = cluster.key.ask_token(issuer).text
        for node in range(3):
            answer = some.call(node, "GET", "cache", Authorization=rest.bearer(token))
            equal(answer.status, 200, f"token of {issuer} at {node}")


@check("Basic is accepted by every call (trap 4)")
def _(cluster):
    some = cluster.new_object()
    for method, kind, more, body in [
            ("POST", "cache", "/a", {"value": 1}), ("GET", "cache", "/a", None), ("GET", "cache", "", None),
            ("GET", "cache-keys", "", None), ("POST", "cache-query", "", ["a"]),
            ("POST", "cache-encryption", "", {}), ("POST", "message", "", {"a": 1}),
            ("GET", "presence-list", "", None), ("DELETE", "cache", "/a", None)]:
        for node in range(3):
            answer = some.call(node, method, kind, more, body, Authorization=cluster.key.basic)
            expect(answer.status in (200, 204), f"{method} {kind}: {answer}")


@check("the schemes are known in any case")
def _(cluster):
    some = cluster.new_object()
    for header in (cluster.key.basic.replace("Basic", "basic"), "BEARER " + cluster.key.token):
        equal(some.call(1, "GET", "cache", Authorization=header).status, 200, header[:6])


@check("a token is given for key and secret only")
def _(cluster):
    expect_refusal(cluster.key.ask_token(0, Authorization=cluster.key.bearer), 401)
    expect_refusal(cluster.key.ask_token(0, Authorization=rest.basic(cluster.key.id, "wrong")), 401)
    expect_refusal(cluster.key.ask_token(0, Authorization=rest.basic("nobody", cluster.key.secret)), 401)


def forged(cluster):
    """Tokens that nobody may accept, by what is wrong with them."""
    good = cluster.key.token
    header, payload = tokens.parts(good)
    head, body, signature = good.split(".")
    longer = dict(payload, exp=payload["exp"] + HOUR_MS)
    unsigned = {"alg": "none", "typ": "JWT"}
    return {
        "alg none, no signature": tokens.encode(unsigned) + "." + body + ".",
        "alg none, kid kept": tokens.encode(dict(header, alg="none")) + "." + body + "." + signature,
        "alg NoNe": tokens.encode(dict(header, alg="NoNe")) + "." + body + ".",
        "another kid": tokens.encode(dict(header, kid="4096")) + "." + body + "." + signature,
        "no kid": tokens.encode({"alg": header["alg"]}) + "." + body + "." + signature,
        "kid is a path": tokens.encode(dict(header, kid="../../dev/null")) + "." + body + "." + signature,
        "other claims": head + "." + tokens.encode(longer) + "." + signature,
        "signed with a guess": tokens.token(header, payload, lambda text: tokens.hmac_sha256("", text)),
        "signed with the key's secret": tokens.token(
            header, payload, lambda text: tokens.hmac_sha256(cluster.key.secret, text)),
        "no signature": head + "." + body + ".",
        "half a signature": good[:-20],
        "two parts": head + "." + body,
        "four parts": good + "." + signature,
        "empty": "",
        "no JSON": "eA.eA.eA",
    }


@check("forged tokens are refused, whatever is wrong with them")
def _(cluster):
    some = cluster.new_object()
    for number, (fault, token) in enumerate(forged(cluster).items()):
        answer = some.call(number, "GET", "cache", Authorization=rest.bearer(token))
        equal(answer.status, 401, fault)
        expect_refusal(answer, 401)


@check("no credentials, and those of unknown schemes, are refused")
def _(cluster):
    some = cluster.new_object()
    for header in (None, "", "Basic", "Basic !!!", "Bearer", "Digest x", "x" * 2000):
        expect_refusal(some.call(0, "POST", "cache", "/a", {"value": 1}, Authorization=header), 401)
    equal(some.get(1, "a"), None)


@check("credentials of another project open nothing")
def _(cluster):
    other, some = cluster.new_project(), cluster.new_object()
    for number, header in enumerate((other.basic, other.bearer)):
        expect_refusal(some.call(number, "POST", "cache", "/a", {"value": 1}, Authorization=header), 403)
    equal(some.get(2, "a"), None)


@check("objects of the same class and id in two projects are two")
def _(cluster):
    mine, theirs = cluster.new_object(), cluster.new_object(key=cluster.new_project())
    theirs.id = mine.id
    mine.set(0, "a", "mine")
    equal(theirs.get(1, "a"), None)
