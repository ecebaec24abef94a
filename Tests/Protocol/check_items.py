"""Sections 5 and 6: items and the calls on them."""

import json

from check_http import expect_refusal
from suite import check, equal, expect, same_json

MISMATCH = "conflictError.updatedAt.mismatch"


@check("an item has value, expiresAt, createdAt, updatedAt and nothing else (trap 2)")
def _(cluster):
    some = cluster.new_object()
    set_answer = some.set(0, "a", "x")
    for item in (set_answer, some.get(1, "a"), some.all(2)["a"],
                 some.call(1, "POST", "cache-query", body=["a"]).json["a"]):
        equal(item, set_answer)
        equal(sorted(item), ["createdAt", "expiresAt", "updatedAt", "value"])
        expect(all(isinstance(item[n], int) for n in item if n != "value"), f"no integers: {item}")


@check("what one node has acknowledged, all others read")
def _(cluster):
    some = cluster.new_object()
    for number in range(30):
        some.set(number, "a", number)
        equal(some.value(number + 1, "a"), number)


@check("values of every kind come back as they were")
def _(cluster):
    some = cluster.new_object()
    for value in ["", "x\u0000y", 0, -1.5, 1e300, True, False, None, [], {}, [[], None, {"": {}}], "🐟",
                  {"b": 1, "a": [1, "2", None]}]:
        same_json(some.set(0, "v", value)["value"], value)
        same_json(some.value(1, "v"), value)
        same_json(some.all(2)["v"]["value"], value)


@check("order of members, number texts and lone surrogates are kept (trap 13)")
def _(cluster):
    some = cluster.new_object()
    value = '{"z":1,"a":{"y":0.1,"x":1e21},"10":1,"9":2,"s":"\\ud800","n":-0.0,"big":9007199254740993}'
    some.call(0, "POST", "cache", "/v", '{"value":' + value + "}", Content_Type="application/json")
    for answer in (some.call(1, "GET", "cache", "/v"), some.call(2, "GET", "cache")):
        found = answer.json.get("v", answer.json)["value"]
        pairs = json.loads(value)
        equal(list(found), list(pairs), "order")
        equal(list(found["a"]), ["y", "x"], "order inside")
        for name in ("z", "10", "9", "s"):
            same_json(found[name], pairs[name], name)
        equal(float(found["big"]), float(2**53 + 1), "a large number, as a double")
        equal((found["a"]["y"], float(found["a"]["x"])), (0.1, 1e21))


@check("reading a never used object is no error")
def _(cluster):
    some = cluster.new_object(objectClass="never-seen")
    equal((some.all(0), some.get(1, "a")), ({}, None))
    equal(some.call(2, "DELETE", "cache", "/a").status, 204)


@check("ifAbsent writes, or answers 204 without body")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1, ifAbsent=True)
    answer = some.call(1, "POST", "cache", "/a", {"value": 2, "ifAbsent": True})
    equal((answer.status, answer.body, answer.header("Content-Type")), (204, b"", None))
    equal(some.value(2, "a"), 1)
    some.set(2, "a", 3, ifAbsent=False)


@check("updatedAt must be that of the living item, else 409 and no change")
def _(cluster):
    some = cluster.new_object()
    first = some.set(0, "a", 1)
    second = some.set(1, "a", 2, updatedAt=first["updatedAt"])
    expect_refusal(some.call(2, "POST", "cache", "/a", {"value": 3, "updatedAt": first["updatedAt"]}), 409, MISMATCH)
    equal(some.get(0, "a"), second)
    expect_refusal(some.call(0, "POST", "cache", "/b", {"value": 3, "updatedAt": 1}), 409, MISMATCH)
    equal(some.get(1, "b"), None)


@check("with both, ifAbsent is looked at first")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1)
    equal(some.call(1, "POST", "cache", "/a", {"value": 2, "ifAbsent": True, "updatedAt": 1}).status, 204)
    expect_refusal(some.call(1, "POST", "cache", "/b", {"value": 2, "ifAbsent": True, "updatedAt": 1}), 409)


@check("updatedAt strictly rises, createdAt stays while the item lives (trap 12)")
def _(cluster):
    some = cluster.new_object()
    items = [some.set(number, "a", number) for number in range(40)]
    stamps = [item["updatedAt"] for item in items]
    expect(all(a < b for a, b in zip(stamps, stamps[1:])), f"does not rise: {stamps}")
    equal(len({item["createdAt"] for item in items}), 1, "values of createdAt")
    some.call(1, "DELETE", "cache", "/a")
    again = some.set(2, "a", 1)
    expect(again["createdAt"] > items[0]["createdAt"], "createdAt survived the removal")


@check("setItems answers with all items, and writes all or none")
def _(cluster):
    some = cluster.new_object()
    answer = some.call(0, "POST", "cache", body={"a": {"value": 1}, "b": {"value": None, "ttl": 60_000}})
    equal((answer.status, sorted(answer.json)), (200, ["a", "b"]))
    equal(some.all(1), answer.json)
    for bad in ({"value": 9, "updatedAt": 1}, {"value": 9, "ttl": -1}, {}, {"ttl": 5}):
        refused = some.call(2, "POST", "cache", body={"a": {"value": 9}, "c": {"value": 9}, "b": bad})
        expect(refused.status in (400, 409), f"{bad}: {refused}")
    equal(some.all(1), answer.json)


@check("setItems leaves out what lost by ifAbsent")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1)
    body = {"a": {"value": 2, "ifAbsent": True}, "b": {"value": 2, "ifAbsent": True}}
    answer = some.call(1, "POST", "cache", body=body)
    equal((answer.status, list(answer.json)), (200, ["b"]))
    equal(some.value(2, "a"), 1)


@check("getItems, getAllItems and getAllKeys find what is there")
def _(cluster):
    some = cluster.new_object()
    for name in ("a1", "a2", "b1"):
        some.set(0, name, name)
    equal(sorted(some.call(1, "POST", "cache-query", body=["a1", "b1", "zz"]).json), ["a1", "b1"])
    equal(sorted(some.call(2, "GET", "cache", "?prefix=a").json), ["a1", "a2"])
    equal(sorted(some.call(1, "GET", "cache-keys").json), ["a1", "a2", "b1"])
    equal(sorted(some.call(1, "GET", "cache-keys", "?prefix=a").json), ["a1", "a2"])


@check("removeItem answers 204, also for what is missing")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1)
    for node in (1, 2):
        answer = some.call(node, "DELETE", "cache", "/a")
        equal((answer.status, answer.body), (204, b""))
    equal(some.get(0, "a"), None)


@check("DELETE with body removes those, without body all (trap 8)")
def _(cluster):
    some = cluster.new_object()
    for name in ("a", "b", "c"):
        some.set(0, name, 1)
    equal(some.call(1, "DELETE", "cache", body=[]).status, 204)
    equal(sorted(some.all(2)), ["a", "b", "c"])
    equal(some.call(1, "DELETE", "cache", body=["a", "zz"]).status, 204)
    equal(sorted(some.all(2)), ["b", "c"])
    expect_refusal(some.call(0, "DELETE", "cache", Content_Type="application/json"), 400)
    equal(sorted(some.all(2)), ["b", "c"])
    equal(some.call(0, "DELETE", "cache").status, 204)
    equal(some.all(1), {})


@check("bodies that are missing or not of the form are refused and change nothing")
def _(cluster):
    some = cluster.new_object()
    json_type = {"Content_Type": "application/json"}
    for number, body in enumerate([None, "", "{", "[]", "null", "5", '"x"', "{}", '{"ttl":5}', '{"value":}',
                                   '{"value":1}x', '{"value":"\ud800"}'.encode("utf-8", "surrogatepass"),
                                   b'{"value":"\xff"}', "[" * 20_000]):
        expect_refusal(some.call(number, "POST", "cache", "/a", body, **json_type), 400)
    for kind, body in [("cache-query", "{}"), ("cache-query", "[1]"), ("cache-query", None), ("cache", "[]"),
                       ("cache", '{"a":1}')]:
        expect_refusal(some.call(1, "POST", kind, body=body, **json_type), 400)
    expect_refusal(some.call(1, "DELETE", "cache", body={"a": 1}), 400)
    equal(some.all(2), {})


@check("sizes beyond the limits are refused and change nothing")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", "x" * 1_000_000)
    expect_refusal(some.call(1, "POST", "cache", "/a", {"value": "x" * 1_100_000}), 413)
    expect_refusal(some.call(2, "POST", "cache", "/" + "n" * 1025, {"value": 1}), 400)
    equal(len(some.value(2, "a")), 1_000_000)
    some.id = "i" * 257
    expect_refusal(some.call(2, "POST", "cache", "/a", {"value": 1}), 400)
