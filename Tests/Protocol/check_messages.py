"""Section 11: messages go to whoever is there, and are kept nowhere."""

import json

from suite import check, equal, expect


def payloads(events):
    return [event["payload"] for event in events if event["event"] == "message"]


def heard(socket, last):
    """Payloads of messages up to that of `last`."""
    found = []
    while not found or found[-1] != last:
        found.append(socket.wait_for("message")["payload"])
    return found


@check("by WebSocket: to all others on all nodes, not to the sender (trap 6)")
def _(cluster):
    some = cluster.new_object()
    sender, others = some.socket(0), [some.socket(node) for node in (0, 1, 2)]
    sender.send({"event": "message", "payload": {"text": "grüße", "n": [1, None]}})
    for other in others:
        event = other.receive()
        equal({k: v for k, v in event.items() if k != "at"},
              {"event": "message", "payload": {"text": "grüße", "n": [1, None]}})
    equal(some.until_marker(sender), [])


@check("by HTTP: to all, the sender's own sockets too")
def _(cluster):
    some = cluster.new_object()
    sockets = [some.socket(node) for node in range(3)]
    answer = some.call(1, "POST", "message", body={"hi": "there"})
    expect(200 <= answer.status < 300, f"{answer}")
    for socket in sockets:
        event = socket.receive()
        equal((event["event"], event["payload"], "keyVersion" in event), ("message", {"hi": "there"}, False))
        equal(some.until_marker(socket), [])


@check("text by HTTP is a string, though it looks like JSON; X-Enc-KV is its keyVersion")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(2)
    text = '{"looks":"like JSON"}'
    for kind in ("text/plain", "text/plain;charset=UTF-8"):
        some.call(0, "POST", "message", body=text, Content_Type=kind, X_Enc_KV="3")
        event = socket.wait_for("message")
        equal((event["payload"], event["keyVersion"]), (text, 3))
    some.call(0, "POST", "message", body=text, Content_Type="text/plain")
    event = socket.wait_for("message")
    equal((event["payload"], "keyVersion" in event), (text, False))


@check("JSON of every kind may be a message by HTTP")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(0)
    for body in ("5", '"x"', "[1]", "{}", "true", '{"z":1,"a":2}'):
        some.call(1, "POST", "message", body=body, Content_Type="application/json")
        equal(str(socket.wait_for("message")["payload"]), str(json.loads(body)), body)


@check("a message by HTTP that is no JSON, or missing, is refused")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(0)
    for body in ("{", "", None, "{} x", b'"\xff"'):
        equal(some.call(1, "POST", "message", body=body, Content_Type="application/json").status, 400, repr(body))
    equal(some.call(2, "POST", "message", body=b"\xff", Content_Type="text/plain").status, 400, "bad UTF-8")
    equal(some.until_marker(socket), [])


@check("one sender's messages keep their order, also across nodes")
def _(cluster):
    some = cluster.new_object()
    sender, receivers = some.socket(0), [some.socket(node) for node in (1, 2)]
    for number in range(200):
        sender.send({"event": "message", "payload": {"n": number}})
    for receiver in receivers:
        equal(heard(receiver, {"n": 199}), [{"n": n} for n in range(200)])


@check("messages are not stored and not replayed")
def _(cluster):
    some = cluster.new_object()
    sender, witness = some.socket(0), some.socket(1)
    sender.send({"event": "message", "payload": {"n": 1}})
    witness.wait_for("message")
    later = some.socket(2)
    equal((some.all(0), payloads(some.until_marker(later))), ({}, []))


@check("messages of one object stay with it")
def _(cluster):
    some, other = cluster.new_object(), cluster.new_object()
    sender, receiver, stranger = some.socket(0), some.socket(1), other.socket(1)
    sender.send({"event": "message", "payload": {"n": 1}})
    receiver.wait_for("message")
    equal(other.until_marker(stranger), [])


@check("a message whose payload is missing is not delivered")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(0), some.socket(1)
    sender.send({"event": "message"})
    sender.send({"event": "message", "payload": {"n": 2}})
    equal(heard(receiver, {"n": 2}), [{"n": 2}])


@check("the frame to receivers does not show the sender's proof")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(0), some.socket(1)
    sender.send({"event": "message", "payload": {"n": 1}, "auth": {"identityToken": "x.y.z", "userIdSignature": "s"}})
    expect("auth" not in receiver.wait_for("message"), "auth was handed on")
