"""Section 10: who is there. One join and one leave for each stay."""

import struct
import time

from suite import check, equal, expect
from websocket import CLOSE, frame

# A socket that breaks may be given this long to resume elsewhere.
GRACE_SECONDS = 2


def join(socket, **data):
    socket.send({"event": "presence:join", "payload": data})


def own(events, socket):
    """The presence events that speak of `socket`."""
    return [e["event"] for e in events if e.get("connectionId") == socket.id]


def joined(some, node, watcher, **data):
    """A socket that is in the list, whose join the watcher has heard."""
    socket = some.socket(node)
    join(socket, **data)
    watcher.wait_for("presence:join", connectionId=socket.id)
    return socket


@check("a connected socket is not in the list before it joins")
def _(cluster):
    some = cluster.new_object()
    watcher, _ = some.socket(0), some.socket(1)
    equal((some.presence(2), some.until_marker(watcher)), ([], []))


@check("a join is told to all, the joiner too, once, and is listed at every node")
def _(cluster):
    some = cluster.new_object()
    watchers, joiner = [some.socket(node) for node in range(3)], some.socket(0)
    join(joiner, userId="u1", n=[1, None])
    for socket in watchers + [joiner]:
        event = socket.wait_for("presence:join")
        equal((event["connectionId"], event["payload"]), (joiner.id, {"userId": "u1", "n": [1, None]}))
        expect(abs(event["joinedAt"] - time.time() * 1000) < 60_000, f"joinedAt {event['joinedAt']}")
        expect("keyVersion" not in event, "keyVersion of a plain join")
        equal(some.until_marker(socket), [])
    entry = {"connectionId": joiner.id, "joinedAt": event["joinedAt"], "data": {"userId": "u1", "n": [1, None]}}
    for node in range(3):
        equal(some.presence(node), [entry])


@check("a second join changes the data and joinedAt, and is told")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(1)
    joiner = joined(some, 0, watcher, n=1)
    first = some.presence(2)[0]
    join(joiner, n=2)
    event = watcher.wait_for("presence:join")
    equal((event["connectionId"], event["payload"]), (joiner.id, {"n": 2}))
    expect(event["joinedAt"] >= first["joinedAt"], "joinedAt went back")
    entries = some.presence(0)
    equal([(e["data"], e["joinedAt"]) for e in entries], [({"n": 2}, event["joinedAt"])])


@check("a leave is told to all, the leaver too, with the data of the join")
def _(cluster):
    some = cluster.new_object()
    watchers = [some.socket(node) for node in (1, 2)]
    leaver = joined(some, 0, watchers[0], n=1)
    leaver.send({"event": "presence:leave"})
    for socket in watchers + [leaver]:
        event = socket.wait_for("presence:leave")
        equal((event["connectionId"], event["payload"]), (leaver.id, {"n": 1}))
        equal(own(some.until_marker(socket), leaver), [])
    equal(some.presence(2), [])


@check("a leave of who has not joined is not told")
def _(cluster):
    some = cluster.new_object()
    watcher, socket = some.socket(0), some.socket(1)
    socket.send({"event": "presence:leave"})
    socket.send({"event": "ping"})
    socket.wait_for("pong")
    equal(some.until_marker(watcher), [])


def leaves_once(some, watcher, socket):
    """One leave, and no second one; the list agrees."""
    event = watcher.wait_for("presence:leave", within=GRACE_SECONDS + 5)
    equal((event["connectionId"], event["payload"]), (socket.id, {"n": 1}))
    equal(some.presence(0), [])
    equal(own(some.until_marker(watcher, 2) + some.until_marker(watcher, 0), socket), [])


@check("a closed socket leaves, once")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(1)
    socket = joined(some, 0, watcher, n=1)
    socket.close()
    leaves_once(some, watcher, socket)


@check("leave and close at once are one leave (trap 10)")
def _(cluster):
    for node in range(3):
        some = cluster.new_object()
        watcher = some.socket(node + 1)
        socket = joined(some, node, watcher, n=1)
        socket.sent_close = True
        leave = frame(1, b'{"event":"presence:leave"}')
        socket.send_bytes(leave + frame(CLOSE, struct.pack("!H", 1000)))
        socket.wait_closed()
        leaves_once(some, watcher, socket)


@check("a connection that is cut leaves, once")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(1)
    socket = joined(some, 2, watcher, n=1)
    socket.cut()
    leaves_once(some, watcher, socket)


@check("a protocol error while joined is one leave")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(1)
    socket = joined(some, 0, watcher, n=1)
    socket.send_frame(1, b"{}", mask=False)
    socket.wait_closed()
    leaves_once(some, watcher, socket)


@check("join and close at once are one join and one leave")
def _(cluster):
    some = cluster.new_object()
    watcher, socket = some.socket(1), some.socket(0)
    socket.sent_close = True
    socket.send_bytes(frame(1, b'{"event":"presence:join","payload":{"n":1}}') + frame(CLOSE, struct.pack("!H", 1000)))
    watcher.wait_for("presence:join", connectionId=socket.id)
    leaves_once(some, watcher, socket)


@check("the list is ordered by joinedAt, whatever the node")
def _(cluster):
    some = cluster.new_object()
    watcher = some.socket(0)
    sockets = [joined(some, node, watcher, n=node) for node in (2, 0, 1, 2)]
    for node in range(3):
        entries = some.presence(node)
        equal([e["connectionId"] for e in entries], [s.id for s in sockets])
        equal([e["joinedAt"] for e in entries], sorted(e["joinedAt"] for e in entries))
        expect(all("keyVersion" not in e for e in entries), "keyVersion in the list")


@check("joining and leaving again and again ends as the last frame says, each told once")
def _(cluster):
    some = cluster.new_object()
    watcher, socket = some.socket(1), some.socket(0)
    for number in range(20):
        join(socket, n=number)
        socket.send({"event": "presence:leave"})
    join(socket, n=20)
    events = []
    while not events or events[-1]["payload"] != {"n": 20}:
        events.append(watcher.receive())
    equal([e["event"] for e in events], ["presence:join", "presence:leave"] * 20 + ["presence:join"])
    equal([e["data"] for e in some.presence(2)], [{"n": 20}])


@check("a join without payload, or with one that is no object or text, is ignored")
def _(cluster):
    some = cluster.new_object()
    watcher, socket = some.socket(1), some.socket(0)
    for frame_ in ({}, {"payload": None}, {"payload": 5}, {"payload": [1]}):
        socket.send({"event": "presence:join", **frame_})
    socket.send({"event": "ping"})
    socket.wait_for("pong")
    equal((some.until_marker(watcher), some.presence(2)), ([], []))


@check("presence stays with its object, and items do not touch it")
def _(cluster):
    some, other = cluster.new_object(), cluster.new_object()
    watcher = some.socket(0)
    joined(some, 1, watcher, n=1)
    equal(some.call(2, "DELETE", "cache").status, 204)
    equal((len(some.presence(2)), other.presence(2), some.all(1)), (1, [], {}))
