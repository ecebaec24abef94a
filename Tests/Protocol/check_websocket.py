"""Section 8: opening a socket, its credentials, and its first frames."""

import rest
from check_credentials import forged
from suite import check, closes_afterwards, equal, expect, raises
from websocket import Refused, Socket, upgrade_headers

FIRST_FRAME_SECONDS = 5


@check("connected is the first frame, at once, with an id of its own (trap 16)")
def _(cluster):
    some = cluster.new_object()
    ids = {some.socket(node).id for node in range(6)}
    equal(len(ids), 6, "different ids")
    expect(all(isinstance(one, str) and len(one) >= 16 for one in ids), f"ids: {ids}")


@check("a ping is answered with pong, on that socket only")
def _(cluster):
    some = cluster.new_object()
    first, second = some.socket(0), some.socket(1)
    first.send_frame(1, b'{"event":"ping"}')
    equal(first.receive(), {"event": "pong"})
    first.send_frame(1, b' { "event" : "ping" , "more" : [1] } ')
    equal(first.receive()["event"], "pong")
    equal(some.until_marker(second), [])


@check("the credentials of the query are form-encoded: a plus is a blank")
def _(cluster):
    some = cluster.new_object()
    for node, auth in enumerate((cluster.key.bearer, cluster.key.basic, cluster.key.basic)):
        some.socket(node, auth=auth)
    path = some.path("ws") + "?auth=Bearer%20" + cluster.key.token
    opened = closes_afterwards(Socket(cluster.url(0), path))
    equal(opened.receive()["event"], "connected")


@check("a plus of base64 arrives as %2B")
def _(cluster):
    # Which base64 text has a plus is chance; a secret that is wrong by one more byte makes one.
    header = "Basic " + "+" * 8
    refusal = raises(Refused, lambda: cluster.new_object().open_socket(0, auth=header))
    equal(refusal.status, 401, "status")


@check("class and id of the path are decoded as for items")
def _(cluster):
    some = cluster.new_object()
    some.id += "%20a+b"
    socket = some.socket(0)
    some.set(1, "a", 1)
    equal(socket.wait_for("setItem")["payload"]["prop"], "a")


@check("a token may travel as a subprotocol")
def _(cluster):
    some = cluster.new_object()
    for offer in (f"holdfast, bearer.{cluster.key.token}", f"holdfast,bearer.{cluster.key.token}"):
        headers = upgrade_headers(Sec_WebSocket_Protocol=offer)
        socket = some.socket(1, auth=None, headers=headers)
        equal(socket.headers.get("sec-websocket-protocol"), "holdfast", "chosen subprotocol")
        some.set(2, "a", 1)
        equal(socket.wait_for("setItem")["payload"]["prop"], "a")


@check("no subprotocol is chosen that was not offered")
def _(cluster):
    socket = cluster.new_object().socket(0)
    equal(socket.headers.get("sec-websocket-protocol"), None)
    expect("sec-websocket-extensions" not in socket.headers, "an extension that nobody offered")


@check("a wrong token in the subprotocol is refused")
def _(cluster):
    for token in ("x.y.z", cluster.key.token[:-8], ""):
        headers = upgrade_headers(Sec_WebSocket_Protocol=f"holdfast, bearer.{token}")
        refusal = raises(Refused, lambda: cluster.new_object().open_socket(1, auth=None, headers=headers))
        equal(refusal.status, 401, "status")


@check("an Authorization header serves too")
def _(cluster):
    for header in (cluster.key.bearer, cluster.key.basic):
        cluster.new_object().socket(2, auth=None, headers=upgrade_headers(Authorization=header))


@check("a token may come as the first frame; before it nothing is told")
def _(cluster):
    some = cluster.new_object()
    socket = some.open_socket(0, auth=None)
    some.set(1, "before", 1)
    socket.send({"event": "auth", "token": cluster.key.token})
    equal(socket.receive()["event"], "connected")
    some.set(2, "after", 1)
    equal(socket.receive()["payload"]["prop"], "after")


@check("a wrong token in the first frame closes with 1008")
def _(cluster):
    other = cluster.new_project()
    for frame in ({"event": "auth", "token": "x.y.z"}, {"event": "auth"}, {"event": "auth", "token": 5},
                  {"event": "auth", "token": other.token}, {"event": "auth", "token": cluster.key.token[:-9]}):
        socket = cluster.new_object().open_socket(1, auth=None)
        socket.send(frame)
        equal(socket.wait_closed().code, 1008, f"{list(frame)}; code")


@check("any other first frame on a socket without credentials has no effect")
def _(cluster):
    some = cluster.new_object()
    witness, socket = some.socket(0), some.open_socket(1, auth=None)
    for event in ({"event": "message", "payload": {"a": 1}}, {"event": "presence:join", "payload": {"a": 1}}):
        socket.send(event)
    equal(socket.wait_closed(FIRST_FRAME_SECONDS + 3).code, 1008, "code")
    equal((some.until_marker(witness), some.presence(2)), ([], []))


@check("without credentials within five seconds a socket is closed with 1008")
def _(cluster):
    equal(cluster.new_object().open_socket(2, auth=None).wait_closed(FIRST_FRAME_SECONDS + 3).code, 1008, "code")


@check("an auth frame on a socket that has credentials is ignored")
def _(cluster):
    socket = cluster.new_object().socket(0)
    socket.send({"event": "auth", "token": "x.y.z"})
    socket.send({"event": "ping"})
    equal(socket.receive()["event"], "pong")


@check("wrong credentials are refused at the upgrade")
def _(cluster):
    some = cluster.new_object()
    wrong = {fault: rest.bearer(token) for fault, token in forged(cluster).items()}
    wrong["a wrong secret"] = rest.basic(cluster.key.id, "wrong")
    wrong["a scheme that nobody knows"] = "Digest x"
    for node, (fault, auth) in enumerate(wrong.items()):
        refusal = raises(Refused, lambda: some.open_socket(node, auth=auth))
        equal(refusal.status, 401, f"{fault}; status")
        expect(refusal.headers.get("access-control-allow-origin"), "no Access-Control-Allow-Origin")


@check("another project's object is refused at the upgrade")
def _(cluster):
    other, some = cluster.new_project(), cluster.new_object()
    for node, auth in enumerate((other.bearer, other.basic)):
        equal(raises(Refused, lambda: some.open_socket(node, auth=auth)).status, 403, "status")


@check("the subscription is in force from connected on")
def _(cluster):
    for node in range(6):
        some = cluster.new_object()
        socket = some.socket(node)
        some.set(node + 1, "a", node)
        equal(socket.receive()["payload"]["value"], node)


@check("sockets that open and close quickly leave nothing behind")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(0)
    for node in range(40):
        socket = some.socket(node)
        socket.close()
    for node in range(40):
        some.open_socket(node).cut()
    equal((some.until_marker(watcher), some.presence(1)), ([], []))


@check("secrets of URLs and frames are in no log")
def _(cluster):
    key = cluster.new_key()
    some = cluster.new_object(key=key)
    some.socket(0, auth=key.basic)
    some.socket(1, auth=key.bearer)
    raises(Refused, lambda: some.open_socket(2, auth=key.bearer + "x"))
    some.open_socket(0, auth=None).send({"event": "auth", "token": key.token})
    secrets = [key.secret, key.token, key.token.split(".")[2], key.basic.split(" ")[1]]
    for log in cluster.logs:
        with open(log, encoding="utf-8", errors="replace") as file:
            content = file.read()
        expect(not any(secret in content for secret in secrets), f"a secret is in {log}")
