"""Section 8, resume, and its addition `after`: who comes back is who it was, and misses nothing."""

import secrets

from check_events import position
from check_presence import GRACE_SECONDS, joined, own
from suite import check, equal, expect
from websocket import Silence


def resume(socket, id, **members):
    """The id that the server gives in answer."""
    socket.send({"event": "resume", "connectionId": id, **members})
    return socket.wait_for("resume:ack")["connectionId"]


def resumed(some, socket, id, after, marked_at=2):
    """All events that came on `socket` from its resume up to a marker, the acknowledgement too."""
    socket.send({"event": "resume", "connectionId": id, "after": after})
    events = []
    while not events or events[-1]["event"] != "resume:ack":
        events.append(socket.receive())
    return events + some.until_marker(socket, marked_at)


@check("the id of a closed socket is taken over at another node")
def _(cluster):
    some = cluster.new_object()
    old = some.socket(0)
    old.close()
    new = some.socket(1)
    expect(new.id != old.id, "the same id at once")
    equal(resume(new, old.id), old.id)


@check("the id of a cut connection is taken over, several times, node by node")
def _(cluster):
    some = cluster.new_object()
    first = some.socket(0)
    last = first
    for node in (1, 2, 0):
        last.cut()
        last = some.socket(node)
        equal(resume(last, first.id), first.id)


@check("an open socket loses its id to the newer one and is ended, without leave and join")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(2)
    old = joined(some, 0, watcher, n=1)
    before = some.presence(1)
    new = some.socket(1)
    equal(resume(new, old.id), old.id)
    old.wait_closed()
    equal(own(some.until_marker(watcher), old), [])
    equal(some.presence(0), before)
    new.close()
    equal(watcher.wait_for("presence:leave", within=GRACE_SECONDS + 5)["connectionId"], old.id)
    equal(some.presence(1), [])


@check("who took an id over sends and leaves under it")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(2)
    old = joined(some, 0, watcher, n=1)
    new = some.socket(1)
    resume(new, old.id)
    new.send({"event": "message", "payload": {"n": 7}})
    equal(watcher.wait_for("message")["payload"], {"n": 7})
    new.send({"event": "presence:join", "payload": {"n": 2}})
    equal(watcher.wait_for("presence:join")["connectionId"], old.id)
    equal([e["data"] for e in some.presence(0)], [{"n": 2}])
    new.send({"event": "presence:leave"})
    equal(watcher.wait_for("presence:leave")["connectionId"], old.id)


@check("a cut connection that resumes at once: the list and the events agree")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(2)
    old = joined(some, 0, watcher, n=1)
    old.cut()
    new = some.socket(1)
    equal(resume(new, old.id), old.id)
    new.send({"event": "presence:join", "payload": {"n": 1}})
    new.wait_for("presence:join", connectionId=old.id)
    told = own(some.until_marker(watcher), old)
    expect(told in (["presence:join"], ["presence:leave", "presence:join"]), f"told: {told}")
    equal([e["connectionId"] for e in some.presence(0)], [old.id])


def keeps_own_id(socket, id):
    equal(resume(socket, id), socket.id, "id after resume")
    socket.send({"event": "ping"})
    socket.wait_for("pong")


@check("an unknown id gets the fresh one, and the socket lives on")
def _(cluster):
    some = cluster.new_object()
    for node, id in enumerate(["x", "", secrets.token_hex(16), "00000000-0000-0000-0000-000000000000", "x" * 5000]):
        keeps_own_id(some.socket(node), id)


@check("a resume without an id, or with one that is no text, breaks nothing")
def _(cluster):
    socket = cluster.new_object().socket(0)
    for event in ({}, {"connectionId": None}, {"connectionId": 5}, {"connectionId": {"a": 1}}):
        socket.send({"event": "resume", **event})
    socket.send({"event": "ping"})
    socket.wait_for("pong")


@check("another key does not get the id, open or closed, and the owner keeps it")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(2)
    old = joined(some, 0, watcher, n=1)
    stranger = cluster.new_object(key=cluster.new_key())
    stranger.id = some.id
    keeps_own_id(stranger.socket(1), old.id)
    old.send({"event": "ping"})
    old.wait_for("pong")
    equal([e["connectionId"] for e in some.presence(1)], [old.id])
    equal(own(some.until_marker(watcher), old), [])
    old.close()
    watcher.wait_for("presence:leave", within=GRACE_SECONDS + 5)
    keeps_own_id(stranger.socket(2), old.id)
    equal(resume(some.socket(1), old.id), old.id)


@check("token and secret of one key are the same key")
def _(cluster):
    some = cluster.new_object()
    old = some.socket(0, auth=cluster.key.basic)
    old.cut()
    equal(resume(some.socket(1), old.id), old.id)


@check("an id of another object is unknown")
def _(cluster):
    some, other = cluster.new_object(), cluster.new_object()
    keeps_own_id(other.socket(1), some.socket(0).id)


def at(event):
    epoch, index, n = position(event)
    return {"epoch": epoch, "index": index, "n": n}


@check("resume with after at another node replays what was missed, in order, before what is new")
def _(cluster):
    some = cluster.new_object()
    old = some.socket(0)
    some.set(1, "seen", 0)
    seen = old.wait_for("setItem")
    old.cut()
    for value in range(20):
        some.set(value, "a", value)
    some.call(1, "DELETE", "cache", "/seen")
    new = some.socket(1)
    events = resumed(some, new, old.id, at(seen))
    equal([e["connectionId"] for e in events if e["event"] == "resume:ack"], [old.id])
    told = [e for e in events if e["event"] != "resume:ack"]
    equal([e["payload"].get("value") for e in told], list(range(20)) + [None])
    equal(told[-1]["event"], "removeItem")
    positions = [position(e) for e in told]
    equal(positions, sorted(set(positions)), "positions")


@check("after is exact: inside of an entry, and at the newest event")
def _(cluster):
    some = cluster.new_object()
    old = some.socket(0)
    some.call(1, "POST", "cache", body={"a": {"value": 1}, "b": {"value": 2}, "c": {"value": 3}})
    events = [old.wait_for("setItem") for _ in range(3)]
    for node, event in enumerate(events):
        told = resumed(some, some.socket(node), old.id, at(event))
        equal([e["payload"]["prop"] for e in told if e["event"] == "setItem"],
              [e["payload"]["prop"] for e in events[node + 1:]])


@check("events while a replay is under way come after it, each once")
def _(cluster):
    some = cluster.new_object()
    old = some.socket(0)
    some.set(1, "first", 0)
    seen = old.wait_for("setItem")
    old.cut()
    for value in range(10):
        some.set(1, "a", value)
    new = some.open_socket(2)
    new.send({"event": "resume", "connectionId": old.id, "after": at(seen)})
    for value in range(10, 20):
        some.set(0, "a", value)
    events = some.until_marker(new)
    # What came between `connected` and the resume has been told already and may be told again in order.
    values = [e["payload"]["value"] for e in events if e["event"] == "setItem"]
    acknowledged = next(i for i, e in enumerate(events) if e["event"] == "resume:ack")
    after = [e["payload"]["value"] for e in events[acknowledged:] if e["event"] == "setItem"]
    expect(values == list(range(20)) or after == list(range(20)), f"values: {values}")


@check("after of long ago is replayed or answered with a gap; after of the future breaks nothing")
def _(cluster):
    some = cluster.new_object()
    for value in range(5):
        some.set(0, "a", value)
    for node, after in enumerate(({"epoch": 0, "index": 0}, {"epoch": 1, "index": 1, "n": 0})):
        socket = some.socket(node)
        told = resumed(some, socket, socket.id, after)
        values = [e["payload"]["value"] for e in told if e["event"] == "setItem"]
        has_gap = any(e["event"] == "gap" for e in told)
        expect(has_gap or values[:5] == [0, 1, 2, 3, 4], f"neither replay nor gap: {told}")
    socket = some.socket(2)
    for after in ({"epoch": 2**53, "index": 2**53}, {"epoch": -1, "index": "x"}, 5, None, {}):
        socket.send({"event": "resume", "connectionId": socket.id, "after": after})
    socket.send({"event": "ping"})
    socket.wait_for("pong")
    equal([e["event"] for e in some.until_marker(socket) if e["event"] == "setItem"], [])


@check("presence that was missed is replayed too, and what one hears agrees with the list")
def _(cluster):
    some = cluster.new_object()
    old, watcher = some.socket(0), some.socket(2)
    some.set(1, "seen", 0)
    seen = old.wait_for("setItem")
    old.cut()
    other = joined(some, 1, watcher, n=1)
    new = some.socket(1)
    new.send({"event": "resume", "connectionId": old.id, "after": at(seen)})
    try:
        new.wait_for("presence:join", connectionId=other.id)
    except Silence:
        expect(False, "the join that was missed was not replayed")
    equal([e["connectionId"] for e in some.presence(0)], [other.id])


@check("a resume that was announced may come as late as it likes: nothing new comes before it, nothing is missing")
def _(cluster):
    some = cluster.new_object()
    old = some.socket(0)
    some.set(1, "first", 0)
    seen = old.wait_for("setItem")
    old.cut()
    for value in range(5):
        some.set(1, "a", value)
    new = some.socket(2, resume="true")
    for value in range(5, 10):
        some.set(0, "a", value)
    try:
        # Longer than a node waits for a resume that nobody has announced.
        early = new.receive(within=0.6)
    except Silence:
        early = None
    equal(early, None, "before the resume")
    told = resumed(some, new, old.id, at(seen))
    equal([e["payload"]["value"] for e in told if e["event"] == "setItem"], list(range(10)))
    equal([e for e in told if e["event"] == "gap"], [])
