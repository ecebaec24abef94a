"""Section 15: limits at their boundaries, and quotas of projects."""

import resource
import time

from check_http import expect_refusal
from suite import Failure, check, equal, expect, raises
from websocket import Closed, Refused, Silence

SOCKETS_PER_OBJECT = 1_000
ITEMS_PER_OBJECT = 10_000
TEN_YEARS_MS = 315_360_000_000
NEVER = 253402300799999
# What nodes know of each other's use is a second old, or two.
PATIENCE_SECONDS = 10


def limited(cluster, **quota):
    """A key of a new project with this quota, once every node knows where the project stands."""
    key = cluster.new_project()
    cluster.admin("POST", f"/projects/{key.project}/quota", quota)
    for node in range(len(cluster.urls)):
        until(lambda: page(cluster, key, node)["usage"] is not None, "the quota is not in force")
    return key


def page(cluster, key, node=0):
    return cluster.admin("GET", f"/projects/{key.project}/quota", node=node)


def until(holds, explanation):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        expect(time.monotonic() < deadline, explanation)
        time.sleep(0.05)


def uses(cluster, key, name, figure):
    """Waits until every node knows that the project uses so much."""
    for node in range(len(cluster.urls)):
        until(lambda: page(cluster, key, node)["usage"][name] == figure, f"node {node}: not {figure} {name}")


# Limits of objects


@check("class, id and name: the longest is taken, one byte more is not")
def _(cluster):
    for kind in ("objectClass", "id"):
        some = cluster.new_object()
        setattr(some, kind, "%C3%A9" * 128)
        equal(some.call(0, "POST", "cache", "/a", {"value": 1}).status, 200, kind)
        setattr(some, kind, "%C3%A9" * 128 + "x")
        expect_refusal(some.call(1, "POST", "cache", "/a", {"value": 1}), 400)
    some = cluster.new_object()
    equal(some.call(2, "POST", "cache", "/" + "n" * 1_024, {"value": 1}).status, 200, "name")
    expect_refusal(some.call(2, "POST", "cache", "/" + "n" * 1_025, {"value": 1}), 400)


@check("a value of 1 MiB is taken, one byte more is not, however it grows")
def _(cluster):
    some = cluster.new_object()
    # With its quotes a text has two bytes more.
    equal(some.call(0, "POST", "cache", "/a", {"value": "x" * (2**20 - 2)}).status, 200)
    expect_refusal(some.call(1, "POST", "cache", "/a", {"value": "x" * (2**20 - 1)}), 413)
    equal(len(some.value(2, "a")), 2**20 - 2)
    # [" … ",1] is four bytes and a comma more.
    equal(some.call(0, "POST", "cache", "/b", {"value": ["x" * (2**20 - 6)]}).status, 200)
    equal(some.operate(1, "b", "push", value=1).status, 200)
    expect_refusal(some.operate(1, "b", "push", value=1), 413)


@check("a request of 2 MiB is taken, one byte more is not")
def _(cluster):
    some = cluster.new_object()
    body = b'{"value":1,"ignored":"' + b"x" * (2**21 - 24) + b'"}'
    equal(len(body), 2**21)
    json_type = {"Content-Type": "application/json"}
    equal(some.call(0, "POST", "cache", "/a", body, **json_type).status, 200)
    expect_refusal(some.call(1, "POST", "cache", "/a", b" " + body, **json_type), 413)


@check("an object has 10,000 items, and not one more")
def _(cluster):
    some = cluster.new_object()
    for first in range(0, ITEMS_PER_OBJECT, 2_500):
        names = {f"n{number}": {"value": 1} for number in range(first, first + 2_500)}
        equal(some.call(first % 3, "POST", "cache", body=names).status, 200)
    expect_refusal(some.call(0, "POST", "cache", "/one", {"value": 1}), 413)
    equal(some.call(1, "POST", "cache", "/n0", {"value": 2}).status, 200)
    equal(some.call(2, "DELETE", "cache", "/n1").status, 204)
    equal(some.call(0, "POST", "cache", "/one", {"value": 1}).status, 200)


@check("a ttl lies between 1 ms and ten years; more is never")
def _(cluster):
    some = cluster.new_object()
    item = some.set(0, "a", 1, ttl=1)
    equal(item["expiresAt"], item["updatedAt"] + 1)
    item = some.set(1, "b", 1, ttl=TEN_YEARS_MS)
    equal(item["expiresAt"], item["updatedAt"] + TEN_YEARS_MS)
    equal(some.set(2, "c", 1, ttl=TEN_YEARS_MS + 1)["expiresAt"], NEVER)
    expect_refusal(some.call(0, "POST", "cache", "/d", {"value": 1, "ttl": 0}), 400)


@check("a frame of 128 KiB is taken")
def _(cluster):
    some = cluster.new_object()
    sender, other = some.socket(0), some.socket(1)
    head, tail = '{"event":"message","payload":"', '"}'
    text = "x" * (2**17 - len(head) - len(tail))
    sender.send_frame(1, (head + text + tail).encode())
    equal(other.wait_for("message")["payload"], text)


@check("an object has 1,000 sockets over all nodes, and not one more")
def _(cluster):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SOCKETS_PER_OBJECT
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failure(f"this process may open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    some = cluster.new_object()
    sockets = [some.open_socket(number % 3) for number in range(SOCKETS_PER_OBJECT)]
    for socket in sockets:
        equal(socket.receive()["event"], "connected")
    for node in range(3):
        surplus = some.open_socket(node)
        equal(surplus.wait_for("error")["event"], "error")
        closed = surplus.wait_closed()
        equal(closed.code, 1013, "close code")
        expect("TierLimitExceeded" not in closed.reason, "the SDK would never come back")
    sockets.pop().close()

    def finds_room():
        try:
            return some.open_socket(0).receive()["event"] == "connected"
        except (Closed, Silence):
            return False
    until(finds_room, "the seat of a socket that left is not given again")


# Quotas


@check("a project's quota of objects: the last one is made, the next one at no node")
def _(cluster):
    key = limited(cluster, objects=4)
    objects = [cluster.new_object(key=key) for _ in range(4)]
    for number, some in enumerate(objects):
        some.set(number % 3, "a", 1)
    uses(cluster, key, "objects", 4)
    for node in range(3):
        other = cluster.new_object(key=key)
        answer = other.call(node, "POST", "cache", "/a", {"value": 1})
        expect_refusal(answer, 429, "rateLimitError.quota.objects")
        expect("4" in answer.json["message"], "the quota is not named")
        expect(answer.header("Retry-After") is None, "nobody knows when")
        equal(other.all(node), {})
    objects[0].set(1, "b", 1)
    equal(objects[0].call(2, "DELETE", "cache").status, 204)
    uses(cluster, key, "objects", 3)
    cluster.new_object(key=key).set(0, "a", 1)


@check("a project's quota of bytes: growth is refused, what shrinks is not")
def _(cluster):
    key = limited(cluster, bytes=1_000)
    some = cluster.new_object(key=key)
    some.set(0, "a", "x" * 988)
    uses(cluster, key, "bytes", 991)
    expect_refusal(some.call(1, "POST", "cache", "/b", {"value": 12345678.5}), 429, "rateLimitError.quota.bytes")
    some.set(2, "b", 12345678)
    uses(cluster, key, "bytes", 1_000)
    expect_refusal(some.operate(0, "c", "push", value=1), 429, "rateLimitError.quota.bytes")
    some.set(1, "a", "x" * 100)
    uses(cluster, key, "bytes", 112)
    some.set(2, "c", "x" * 800)


@check("a project's quota of sockets: the next one is refused at the upgrade")
def _(cluster):
    key = limited(cluster, sockets=3)
    some = cluster.new_object(key=key)
    sockets = [some.socket(node) for node in range(3)]
    uses(cluster, key, "sockets", 3)
    for node in range(3):
        equal(raises(Refused, lambda: some.open_socket(node)).status, 429, "status")
    some.set(0, "a", 1)
    for socket in sockets:
        equal(socket.wait_for("setItem")["payload"]["prop"], "a")
    sockets[0].close()
    uses(cluster, key, "sockets", 2)
    equal(some.socket(1).send({"event": "ping"}), None)


@check("a project's quota of operations: what is beyond is refused, and says when to come again")
def _(cluster):
    key = limited(cluster, operationsPerSecond=12)
    some = cluster.new_object(key=key)
    passed = refused = 0
    began = time.monotonic()
    while time.monotonic() < began + 3:
        answer = some.call((passed + refused) % 3, "GET", "cache")
        if answer.status == 200:
            passed += 1
            continue
        expect_refusal(answer, 429, "rateLimitError.quota.operations")
        expect(answer.json["retryAfterMs"] >= 1, "no time to wait")
        expect(int(answer.header("Retry-After")) >= 1, "no Retry-After")
        refused += 1
    seconds = time.monotonic() - began
    # A second's worth is there at once, and another may pass while shares move.
    expect(passed <= 12 * (seconds + 2), f"{passed} operations in {seconds:.1f} s")
    expect(refused > 0, f"nothing was refused of {passed}")


@check("a quota that is taken away binds nobody")
def _(cluster):
    key = limited(cluster, objects=0)
    some = cluster.new_object(key=key)
    expect_refusal(some.call(0, "POST", "cache", "/a", {"value": 1}), 429, "rateLimitError.quota.objects")
    cluster.admin("POST", f"/projects/{key.project}/quota", {"objects": None})
    for node in range(3):
        until(lambda: some.call(node, "POST", "cache", f"/n{node}", {"value": 1}).status == 200, "still refused")
