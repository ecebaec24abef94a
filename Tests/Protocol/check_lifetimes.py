"""Section 5: how long items live."""

import time

from check_http import expect_refusal
from suite import check, equal, expect

NEVER = 253402300799999
TEN_YEARS_MS = 10 * 366 * 86_400_000


def gone(some, node, name):
    """Waits until the item's end has come."""
    deadline = time.monotonic() + 5
    while some.get(node, name) is not None:
        expect(time.monotonic() < deadline, f"{name} does not expire")
        time.sleep(0.02)


@check("ttl counts from the write; without one items stay")
def _(cluster):
    some = cluster.new_object()
    item = some.set(0, "a", 1, ttl=60_000)
    equal(item["expiresAt"], item["updatedAt"] + 60_000)
    equal(some.set(1, "a", 2)["expiresAt"], NEVER)
    equal(some.set(2, "b", 1, ttl=TEN_YEARS_MS + 1)["expiresAt"], NEVER)


@check("a class may set the lifetime of items written without one")
def _(cluster):
    some = cluster.new_object(objectClass=cluster.new_class({"defaultTTL": 3_600_000}))
    item = some.set(0, "a", 1)
    equal(item["expiresAt"], item["updatedAt"] + 3_600_000)
    counter = some.operate(1, "n", "increment", value=1).json
    equal(counter["expiresAt"], counter["updatedAt"] + 3_600_000)


@check("a ttl that is no positive number is refused")
def _(cluster):
    some = cluster.new_object()
    for node, ttl in enumerate((0, -1, "60", None, True, [])):
        expect_refusal(some.call(node, "POST", "cache", "/a", {"value": 1, "ttl": ttl}), 400)
    expect_refusal(some.operate(0, "n", "increment", value=1, ttl=0), 400)
    equal(some.all(1), {})


@check("an atomic operation without ttl leaves expiresAt, with one renews it")
def _(cluster):
    some = cluster.new_object()
    item = some.set(0, "n", 1, ttl=600_000)
    equal(some.operate(1, "n", "increment", value=1).json["expiresAt"], item["expiresAt"])
    renewed = some.operate(2, "n", "increment", value=1, ttl=60_000).json
    equal(renewed["expiresAt"], renewed["updatedAt"] + 60_000)


@check("from expiresAt on an item is absent for everything")
def _(cluster):
    some = cluster.new_object()
    first = some.set(0, "a", 7, ttl=50)
    gone(some, 1, "a")
    equal((some.all(2), some.call(0, "GET", "cache-keys").json), ({}, []))
    equal(some.call(1, "POST", "cache-query", body=["a"]).json, {})
    expect_refusal(some.call(2, "POST", "cache", "/a", {"value": 1, "updatedAt": first["updatedAt"]}), 409)
    again = some.set(1, "a", 8, ifAbsent=True)
    expect(again["createdAt"] > first["createdAt"], "createdAt survived the item's end")


@check("an expired counter counts from 0")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "n", 7, ttl=50)
    gone(some, 1, "n")
    equal(some.operate(2, "n", "increment", value=1).json["value"], 1)


@check("expiry sends no event")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(2)
    some.set(0, "a", 1, ttl=50)
    gone(some, 1, "a")
    equal([event["event"] for event in some.until_marker(socket)], ["setItem"])
