"""Trap 11 and the resuming of what a dead node leaves behind. Kills and stops nodes; comes last."""

import os
import signal
import time

from check_presence import joined, own
from check_resume import at, resumed
from suite import check, equal, expect
from websocket import PATIENCE_SECONDS

# A dead node is noticed at once by its parent; then the time for resuming runs.
LEAVE_SECONDS = 10
RESTART_SECONDS = 20


def serves(cluster, node):
    try:
        return cluster.call(node, "GET", "/readyz").status == 200
    except OSError:
        return False


def kill(cluster, node):
    """kill -9 of the serving process. Its parent starts the next one, whose pid is not known here."""
    os.kill(cluster.pids[node], signal.SIGKILL)


def wait_serving(cluster, node):
    deadline = time.monotonic() + RESTART_SECONDS
    while not serves(cluster, node):
        expect(time.monotonic() < deadline, f"node {node} does not come back")
        time.sleep(0.1)


@check("a killed node breaks its sockets; those of other nodes stay and miss nothing (trap 11)")
def _(cluster):
    some = cluster.new_object()
    broken, resuming, staying = some.socket(2), some.socket(2), [some.socket(0), some.socket(1)]
    gone = joined(some, 2, staying[0], who="gone")
    back = joined(some, 2, staying[0], who="back")
    some.set(0, "seen", 0)
    seen = resuming.wait_for("setItem")
    kill(cluster, 2)
    began = time.monotonic()
    for socket in (broken, resuming, gone, back):
        socket.wait_closed(PATIENCE_SECONDS)

    # Who comes back within the time for resuming never left; who does not, leaves once.
    again = some.socket(1)
    again.send({"event": "resume", "connectionId": back.id})
    equal(again.wait_for("resume:ack")["connectionId"], back.id, "id after resume")
    returned = some.socket(0)
    some.set(1, "while", 1)
    told = resumed(some, returned, resuming.id, at(seen), marked_at=1)
    equal([e["connectionId"] for e in told if e["event"] == "resume:ack"], [resuming.id])
    equal([e["payload"]["prop"] for e in told if e["event"] == "setItem"], ["while"])

    event = staying[1].wait_for("presence:leave", within=LEAVE_SECONDS)
    equal((event["connectionId"], event["payload"]), (gone.id, {"who": "gone"}))
    events = some.until_marker(staying[0])
    equal((own(events, gone), own(events, back)), (["presence:leave"], []))
    equal([e["connectionId"] for e in some.presence(0)], [back.id])
    equal([e["payload"]["prop"] for e in events if e["event"] == "setItem"], ["seen", "while"])
    expect(time.monotonic() - began < LEAVE_SECONDS, "took too long")
    wait_serving(cluster, 2)


@check("a node that is shut down closes its sockets with 1012")
def _(cluster):
    wait_serving(cluster, 2)
    sockets = [cluster.new_object().socket(2) for _ in range(5)]
    os.kill(cluster.parents[2], signal.SIGTERM)
    for socket in sockets:
        equal(socket.wait_closed(PATIENCE_SECONDS + 5).code, 1012, "code")
