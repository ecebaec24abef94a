"""Section 4: keys that are bound to origins, and keys that are revoked."""

import time

from check_http import expect_refusal
from suite import check, equal, expect, raises
from websocket import Refused, upgrade_headers

HERE, ELSEWHERE = "https://app.example", "https://evil.example"
NO_ORIGIN = "authorizationError.origin.server.notFound"
# A revoked key's sockets close within a second; the rest is for a busy machine.
REVOCATION_SECONDS = 1 + 1


@check("a key with origins gets a token only with one of them")
def _(cluster):
    key = cluster.new_key(origins=[HERE, "http://localhost:3000"])
    expect_refusal(key.ask_token(0), 403, NO_ORIGIN)
    for wrong in (ELSEWHERE, HERE + ".evil.example", HERE + "/", "null", HERE.upper(), "http://app.example"):
        expect_refusal(key.ask_token(1, Origin=wrong), 403)
    for right in (HERE, "http://localhost:3000"):
        equal(key.ask_token(2, Origin=right).status, 200, right)


@check("its token serves its origin, and no other")
def _(cluster):
    key = cluster.new_key(origins=[HERE, ELSEWHERE])
    some = cluster.new_object(key=key)
    auth = "Bearer " + key.ask_token(0, Origin=HERE).text
    equal(some.call(1, "GET", "cache", Authorization=auth, Origin=HERE).status, 200, "its origin")
    equal(some.call(1, "GET", "cache", Authorization=auth).status, 200, "a program that is no browser")
    expect_refusal(some.call(2, "GET", "cache", Authorization=auth, Origin=ELSEWHERE), 403)


@check("Basic with such a key needs the origin too")
def _(cluster):
    some = cluster.new_object(key=cluster.new_key(origins=[HERE]))
    equal(some.call(0, "GET", "cache", Authorization=some.key.basic, Origin=HERE).status, 200, "its origin")
    expect_refusal(some.call(1, "GET", "cache", Authorization=some.key.basic), 403, NO_ORIGIN)
    expect_refusal(some.call(2, "GET", "cache", Authorization=some.key.basic, Origin=ELSEWHERE), 403)


@check("sockets compare the origin as calls do")
def _(cluster):
    key = cluster.new_key(origins=[HERE])
    some = cluster.new_object(key=key)
    token = "Bearer " + key.ask_token(0, Origin=HERE).text
    for auth in (token, key.basic):
        some.socket(1, auth=auth, headers=upgrade_headers(Origin=HERE))
        refusal = raises(Refused, lambda: some.open_socket(2, auth=auth, headers=upgrade_headers(Origin=ELSEWHERE)))
        equal(refusal.status, 403, "status")


@check("a token in the first frame is bound to its origin too")
def _(cluster):
    key = cluster.new_key(origins=[HERE])
    some = cluster.new_object(key=key)
    token = key.ask_token(0, Origin=HERE).text
    socket = some.open_socket(1, auth=None, headers=upgrade_headers(Origin=ELSEWHERE))
    socket.send({"event": "auth", "token": token})
    equal(socket.wait_closed().code, 1008, "code")


@check("a key without origins serves every origin")
def _(cluster):
    some = cluster.new_object()
    equal(some.call(0, "GET", "cache", Origin=ELSEWHERE).status, 200)
    some.socket(1, headers=upgrade_headers(Origin=ELSEWHERE))


@check("revoking a key closes its sockets on all nodes with 1008, within a second")
def _(cluster):
    key = cluster.new_key()
    some, mine = cluster.new_object(key=key), cluster.new_object()
    sockets = [some.socket(node, auth=auth) for node in range(3) for auth in (key.basic, key.bearer)]
    late = some.open_socket(0, auth=None)
    late.send({"event": "auth", "token": key.token})
    late.wait_for("connected")
    other = mine.socket(1)
    key.revoke()
    began = time.monotonic()
    for socket in sockets + [late]:
        equal(socket.wait_closed(REVOCATION_SECONDS).code, 1008, "code")
    expect(time.monotonic() - began < REVOCATION_SECONDS, "too late")
    other.send({"event": "ping"})
    other.wait_for("pong")


@check("a revoked key, and a token of it, open nothing any more")
def _(cluster):
    key = cluster.new_key()
    some = cluster.new_object(key=key)
    socket, basic, bearer = some.socket(0), key.basic, key.bearer
    key.revoke()
    socket.wait_closed(REVOCATION_SECONDS)
    deadline = time.monotonic() + REVOCATION_SECONDS
    for node in range(3):
        for auth in (basic, bearer):
            # Another node may learn of it a moment later.
            while some.call(node, "GET", "cache", Authorization=auth).status == 200:
                expect(time.monotonic() < deadline, f"node {node} still accepts the key")
            expect_refusal(some.call(node, "GET", "cache", Authorization=auth), 401)
            equal(raises(Refused, lambda: some.open_socket(node, auth=auth)).status, 401, "upgrade")
    expect_refusal(key.ask_token(1), 401)


@check("who joined with a key that is revoked leaves, once")
def _(cluster):
    some, mine = cluster.new_object(key=cluster.new_key()), cluster.new_object()
    mine.id = some.id
    watcher, socket = mine.socket(1), some.socket(0)
    socket.send({"event": "presence:join", "payload": {"n": 1}})
    watcher.wait_for("presence:join", connectionId=socket.id)
    some.key.revoke()
    equal(watcher.wait_for("presence:leave", within=8)["connectionId"], socket.id)
    equal((mine.presence(2), mine.until_marker(watcher)), ([], []))
