"""What a refusal's time tells: nothing about what exists."""

import http.client
import random
import statistics
import time
from urllib.parse import urlsplit

import rest
from credentials import flipped, token
from suite import check, expect

SAMPLES = 400


def samples(cluster, ways):
    """Nanoseconds of each of `ways` (path, headers), in a random order on one connection, `SAMPLES` of each."""
    dice = random.Random(1)
    order = [way for way in range(len(ways)) for _ in range(SAMPLES)]
    dice.shuffle(order)
    connection = http.client.HTTPConnection(urlsplit(cluster.url(0)).netloc, timeout=20)
    found = [[] for _ in ways]
    for way in order:
        path, headers = ways[way]
        began = time.perf_counter_ns()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        found[way].append(time.perf_counter_ns() - began)
        expect(answer.status in (401, 403), f"{path}: {answer.status}")
    connection.close()
    return found


def alike(left, right, what):
    """Medians differ by no more than those of two halves of one kind do, a few times over, or by a little."""
    halves = [abs(statistics.median(kind[::2]) - statistics.median(kind[1::2])) for kind in (left, right)]
    halves += [abs(statistics.median(kind[:SAMPLES // 2]) - statistics.median(kind[SAMPLES // 2:]))
               for kind in (left, right)]
    apart = abs(statistics.median(left) - statistics.median(right))
    bound = max(4 * max(halves), 0.15 * statistics.median(left + right))
    expect(apart <= bound, f"{what}: {apart / 1000:.1f} µs apart, noise allows {bound / 1000:.1f} µs")


@check("a refusal takes as long for an object that exists as for one that does not")
def _(cluster):
    some, none = cluster.new_object(), cluster.new_object()
    some.set(0, "a", "x" * 100_000)
    for fault, auth in (("scope", token(cluster.key, scopes="message")), ("forged", flipped(cluster.key.token)),
                        ("project", cluster.new_project().token), ("class", token(cluster.key, classPrefix="zz"))):
        headers = {"Authorization": rest.bearer(auth)}
        found = samples(cluster, [(one.path("cache", "/a"), headers) for one in (some, none)])
        alike(*found, fault)


@check("a wrong secret takes as long for a key that exists as for one that does not")
def _(cluster):
    path = cluster.new_object().path("cache", "/a")
    missing = cluster.key.id[:-4] + "AAAA"
    alike(*samples(cluster, [(path, {"Authorization": rest.basic(name, "wrong")})
                             for name in (cluster.key.id, missing)]), "keys")
