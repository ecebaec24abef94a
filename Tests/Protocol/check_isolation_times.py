"""What a refusal's time tells: nothing about what exists."""

import http.client
import os
import random
import statistics
import time
from urllib.parse import urlsplit

import rest
from credentials import capability, flipped, token
from suite import check, expect
from websocket import upgrade_headers

# Of each way, at first; and of those that looked different, to decide.
SAMPLES, MORE_SAMPLES = 300, 1500
GROUPS = 15
# The least and the greatest so many differences of groups do not count: a machine that does something else for a
# moment spoils some groups, and would hide what the others tell.
TRIMMED = 2
# Mean of the other groups' differences in standard errors. A fair coin is beyond 3 in one of 75 tries with 10 degrees
# of freedom, beyond 6 in one of 7,000.
SUSPECT, CERTAIN = 3, 6
# What nobody can use over a network.
LEAST_NS = 3_000
# What one branch more costs; where a busy machine hides that, so many times what it hides.
PLANTED_NS = 40_000
CLEAR_OF_NOISE = 3


class Way:
    """One request, and how many nanoseconds it takes more than it needs."""

    def __init__(self, method, path, headers, body=None, planted=0):
        self.method, self.path, self.headers, self.body, self.planted = method, path, headers, body, planted

    def time(self, connection):
        began = time.perf_counter_ns()
        connection.request(self.method, self.path, self.body, self.headers)
        answer = connection.getresponse()
        answer.read()
        late = time.perf_counter_ns() + self.planted
        while time.perf_counter_ns() < late:
            pass
        ended = time.perf_counter_ns()
        expect(answer.status in (401, 403), f"{self.path}: {answer.status}")
        return ended - began


def differences(cluster, one, other, count):
    """Median differences of `GROUPS` groups; within each, both ways alternate in a random order."""
    dice = random.Random(1)
    connection = http.client.HTTPConnection(urlsplit(cluster.url(0)).netloc, timeout=20)
    found = []
    for _ in range(GROUPS):
        order = [0, 1] * (count // GROUPS)
        dice.shuffle(order)
        times = [[], []]
        for which in order:
            times[which].append((one, other)[which].time(connection))
        found.append(statistics.median(times[1]) - statistics.median(times[0]))
    connection.close()
    return found


def is_apart(cluster, one, other, count, errors):
    """Whether the means of the two are further apart than chance explains; how far, and what chance explains."""
    kept = sorted(differences(cluster, one, other, count))[TRIMMED:-TRIMMED]
    # Yuen's standard error of a trimmed mean: those that were left out stand where the outermost of the others do.
    winsorized = [kept[0]] * TRIMMED + kept + [kept[-1]] * TRIMMED
    noise = errors * statistics.stdev(winsorized) / (1 - 2 * TRIMMED / GROUPS) / GROUPS ** 0.5
    apart = abs(statistics.mean(kept))
    return apart > max(noise, LEAST_NS), apart, noise


def differ(cluster, one, other):
    """What is suspect is measured again, longer, and that decides."""
    if not is_apart(cluster, one, other, SAMPLES, SUSPECT)[0]:
        return None
    isApart, apart, noise = is_apart(cluster, one, other, MORE_SAMPLES, CERTAIN)
    return f"{apart / 1000:.1f} µs apart, chance explains {noise / 1000:.1f} µs" if isApart else None


def alike(cluster, one, other, what):
    told = differ(cluster, one, other)
    expect(told is None, f"{what}: {told}")


@check("the measurement finds a delay of 40 µs, or what is clear of the machine's noise, and none in the same thing")
def _(cluster):
    some = cluster.new_object()
    headers = {"Authorization": rest.bearer(flipped(cluster.key.token))}
    way, same = [Way("GET", some.path("cache", "/a"), headers) for _ in range(2)]
    noise = max(is_apart(cluster, way, same, count, errors)[2]
                for count, errors in ((SAMPLES, SUSPECT), (MORE_SAMPLES, CERTAIN)))
    planted = max(PLANTED_NS, int(CLEAR_OF_NOISE * noise))
    slow = Way("GET", some.path("cache", "/a"), headers, planted=planted)
    expect(differ(cluster, way, slow) is not None, f"a planted delay of {planted / 1000:.0f} µs was not found")
    alike(cluster, way, same, "the same")


CALLS = [("GET", "cache", "/a", None), ("POST", "cache", "/a", b'{"value":1}'), ("DELETE", "cache", "/a", None),
         ("GET", "presence-list", "", None), ("POST", "message", "", b'{"a":1}')]


@check("a refusal takes as long for an object that exists as for one that does not: reads, writes, messages")
def _(cluster):
    some, none = cluster.new_object(), cluster.new_object()
    some.set(0, "a", "x" * 100_000)
    elsewhere = cluster.new_project()
    scopes = {kind: token(cluster.key, scopes="read" if kind == "message" else "message") for _, kind, _, _ in CALLS}
    others = {"forged": flipped(cluster.key.token), "project": elsewhere.token,
              "class": token(cluster.key, classPrefix="zz"),
              "another object": capability(cluster.key, cluster.new_object())}
    for method, kind, more, body in CALLS:
        for fault, auth in {"scope": scopes[kind], **others}.items():
            headers = {"Authorization": rest.bearer(auth), "Content-Type": "application/json"}
            ways = [Way(method, one.path(kind, more), headers, body) for one in (some, none)]
            alike(cluster, *ways, f"{method} {kind}, {fault}")


@check("the refusal of a socket takes as long for an object that exists as for one that does not")
def _(cluster):
    some, none = cluster.new_object(), cluster.new_object()
    some.set(0, "a", 1)
    some.socket(0)
    for fault, auth in (("scope", token(cluster.key, scopes="write")), ("forged", flipped(cluster.key.token))):
        headers = dict(upgrade_headers(), Authorization=rest.bearer(auth))
        alike(cluster, *[Way("GET", one.path("ws"), headers) for one in (some, none)], fault)


@check("a wrong secret takes as long for a key that exists as for one that was revoked or does not")
def _(cluster):
    path = cluster.new_object().path("cache", "/a")
    revoked = cluster.new_key()
    revoked.revoke()
    ways = [Way("GET", path, {"Authorization": rest.basic(name, "wrong")})
            for name in (cluster.key.id, revoked.id, cluster.key.id[:-4] + "AAAA")]
    alike(cluster, ways[0], ways[1], "a revoked key")
    alike(cluster, ways[0], ways[2], "a missing key")


@check("a project that exists is not told by time from one that does not")
def _(cluster):
    headers = {"Authorization": rest.basic(cluster.new_project().id, "wrong")}
    paths = [f"/project/{name}/cache/check/x/a" for name in (cluster.project, "q" + cluster.project[1:])]
    alike(cluster, *[Way("GET", path, headers) for path in paths], "project")


@check("a wrong token takes as long for an administrator who exists as for one who does not")
def _(cluster):
    name = "a" + os.urandom(5).hex()
    cluster.admin("POST", "/admins", {"name": name, "role": "viewer"}, node=0)
    ways = [Way("GET", "/admin/v1/status", {"Authorization": rest.bearer(f"{who}~{'A' * 43}")})
            for who in (name, "b" + name[1:])]
    alike(cluster, *ways, "administrators")
