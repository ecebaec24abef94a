"""Limits of connections and rates, on nodes of their own that have small ones."""

import contextlib
import http.client
import socket
import time
from urllib.parse import urlsplit

import rest
from small_cluster import node_with
from suite import Failure, check, equal, expect


def metric(cluster, name):
    headers = {"Authorization": rest.bearer(cluster.admin_token)}
    for line in cluster.call(0, "GET", "/metrics", headers=headers).text.splitlines():
        if line.startswith(name):
            return float(line.rsplit(" ", 1)[1])
    raise Failure(f"there is no {name}")


def until(condition, explanation):
    deadline = time.monotonic() + 5
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if condition():
                return
        expect(time.monotonic() < deadline, explanation)


def increments(connection, some, count):
    """Statuses of as many increments over one connection, and the last refusal."""
    statuses, refusal = [], None
    for _ in range(count):
        connection.request("POST", some.path("cache", "/n/increment"), b'{"value":1}',
                           {"Authorization": some.key.basic, "Content-Type": "application/json"})
        answer = rest.Answer(connection.getresponse())
        statuses.append(answer.status)
        refusal = answer if answer.status == 429 else refusal
    return statuses, refusal


@check("what is beyond a connection's rate is refused, was not applied, and goes through when its time has come")
def _(cluster):
    with node_with(cluster, connection_rate=5) as small:
        some = small.new_object()
        connection = http.client.HTTPConnection(urlsplit(small.urls[0]).netloc, timeout=20)
        statuses, refusal = increments(connection, some, 40)
        expect(429 in statuses and set(statuses) == {200, 429}, f"statuses {set(statuses)}")
        equal((refusal.code, refusal.json["applied"]), ("rateLimitError.connection", "no"))
        expect(1 <= refusal.json["retryAfterMs"] <= 200, f"retryAfterMs {refusal.json['retryAfterMs']}")
        equal(some.value(0, "n"), statuses.count(200), "increments that took effect")
        expect(metric(small, 'holdfast_rate_refusals_total{rate="connection"}') >= statuses.count(429), "counted")
        deadline = time.monotonic() + 5
        while increments(connection, some, 1)[0] != [200]:
            expect(time.monotonic() < deadline, "the rate does not come back")


@check("a key's and an object's rate hold over all connections, and for nobody else")
def _(cluster):
    with node_with(cluster, key_rate=10, object_rate=5) as small:
        some, other = small.new_object(), small.new_object(key=small.new_key())
        for rate in ("object", "key"):
            codes = set()
            for number in range(60):
                path = some.path("cache", "/n") if rate == "object" else small.new_object().path("cache", "/n")
                codes.add(small.call(0, "GET", path, headers={"Authorization": some.key.basic}).code)
            expect(f"rateLimitError.{rate}" in codes, f"{rate}: {codes}")
        equal(small.call(0, "GET", other.path("cache", "/n"), headers={"Authorization": other.key.basic}).status, 404)


@check("connections beyond an address's number are closed at once, and the others served on")
def _(cluster):
    with node_with(cluster, connections_per_address=12) as small:
        address = urlsplit(small.urls[0])
        held = [socket.create_connection((address.hostname, address.port), timeout=5) for _ in range(12)]
        asked = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
        answered = []
        for client in held:
            client.sendall(asked)
            with contextlib.suppress(ConnectionError):
                if client.recv(15) == b"HTTP/1.1 200 OK":
                    answered.append(client)
        # Those of the script that started the node may not have gone yet.
        expect(len(answered) >= 8, f"{len(answered)} of 12 are served")
        with socket.create_connection((address.hostname, address.port), timeout=5) as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(asked)
                equal(client.recv(100), b"", "what comes over one too many")
        held[0].close()
        answered[-1].sendall(asked)
        expect(answered[-1].recv(1000), "a connection that was there is served on")
        for client in held:
            client.close()
        until(lambda: metric(small, 'holdfast_refused_connections_total{why="address"}') >= 1, "there is no room again")


@check("with few open files, clients cannot take those of the journal, the store and the links")
def _(cluster):
    # 512 are kept, so clients have 48.
    with node_with(cluster, open_files=560) as small:
        some = small.new_object()
        address = urlsplit(small.urls[0])
        staying = http.client.HTTPConnection(address.netloc, timeout=20)
        equal(increments(staying, some, 1)[0], [200])
        crowd = [socket.create_connection((address.hostname, address.port), timeout=5) for _ in range(700)]
        closed = 0
        for client in crowd[100:]:
            # Those beyond are closed, by an end or by a reset; none waits for ever.
            with contextlib.suppress(ConnectionError):
                equal(client.recv(1), b"", "what comes unasked")
            closed += 1
        equal(closed, 600)
        equal(increments(staying, some, 20)[0], [200] * 20, "writes while all seats are taken")
        for client in crowd:
            client.close()
        until(lambda: metric(small, 'holdfast_refused_connections_total{why="loop"}') >= 600, "there is no room again")
        equal(some.value(0, "n"), 21)


@check("frames beyond a connection's rate are told by error frames and not done; who goes on is closed with 1013")
def _(cluster):
    with node_with(cluster, connection_rate=5) as small:
        some = small.new_object()
        sender, other = some.socket(0), some.socket(0)
        for number in range(40):
            with contextlib.suppress(OSError):
                sender.send({"event": "message", "payload": {"number": number}})
        equal(sender.wait_for("error")["event"], "error")
        equal(sender.wait_closed().code, 1013, "close code")
        heard = [event for event in some.until_marker(other, 0) if event["event"] == "message"]
        expect(1 <= len(heard) < 35, f"{len(heard)} of 40 messages were let through")


@check("a body that says it is encoded is not unpacked")
def _(cluster):
    some = cluster.new_object()
    headers = {"Authorization": some.key.basic, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = cluster.call(0, "POST", some.path("cache", "/n"), b'{"value":1}', headers)
    equal((answer.status, answer.json["applied"]), (415, "no"))
    equal(some.get(1, "n"), None)
