"""Section 7: operations that read, change and write one item at once."""

from concurrent.futures import ThreadPoolExecutor

from check_http import expect_refusal
from suite import check, equal, same_json


def becomes(cluster, before, word, wanted, **operands):
    """`word` on an item of value `before` (... for none) makes `wanted`, in the answer and for readers."""
    some = cluster.new_object()
    if before is not ...:
        some.set(0, "v", before)
    answer = some.operate(1, "v", word, **operands)
    equal(answer.status, 200, f"{word} {operands} on {before}: {answer}; status")
    same_json(answer.json["value"], wanted, f"{word} {operands} on {before}")
    same_json(some.value(2, "v"), wanted, "read")
    equal(sorted(answer.json), ["createdAt", "expiresAt", "updatedAt", "value"])


def refused(cluster, before, word, status=400, **operands):
    """`word` is refused and the item stays as it was."""
    some = cluster.new_object()
    if before is not ...:
        some.set(0, "v", before)
    expect_refusal(some.operate(1, "v", word, **operands), status)
    same_json(some.value(2, "v") if before is not ... else some.get(2, "v"),
              before if before is not ... else None, "value afterwards")


@check("increment and decrement count, from 0 when there is nothing")
def _(cluster):
    becomes(cluster, ..., "increment", 1, value=1)
    becomes(cluster, ..., "decrement", -4, value=4)
    becomes(cluster, 1, "decrement", -3, value=4)
    becomes(cluster, 0.5, "increment", 0.75, value=0.25)
    becomes(cluster, 0.1, "increment", 0.1 + 0.2, value=0.2)


@check("increment of what is no number, by no number, or beyond all numbers is refused")
def _(cluster):
    for before in ("1", None, True, [], {}):
        refused(cluster, before, "increment", value=1)
    for operand in ("1", None, True, []):
        refused(cluster, 1, "increment", value=operand)
    refused(cluster, 1.7e308, "increment", value=1.7e308)
    refused(cluster, ..., "increment", value="x")


@check("push appends one element, an array too, or makes the array")
def _(cluster):
    becomes(cluster, ..., "push", ["a"], value="a")
    becomes(cluster, ["a"], "push", ["a", ["b"]], value=["b"])
    becomes(cluster, ["a"], "push", ["a", None])
    refused(cluster, "a", "push", value=1)
    refused(cluster, {}, "push", value=1)
    refused(cluster, None, "push", value=1)


@check("splice does what Array.prototype.splice does")
def _(cluster):
    letters = ["a", "b", "c", "d"]
    becomes(cluster, letters, "splice", ["a", "x", "y", "d"], startIndex=1, deleteCount=2, items=["x", "y"])
    becomes(cluster, letters, "splice", ["a", "b", "c", "last"], startIndex=-1, deleteCount=1, items=["last"])
    becomes(cluster, letters, "splice", ["b", "c", "d"], startIndex=-9, deleteCount=1)
    becomes(cluster, letters, "splice", letters + ["e"], startIndex=9, deleteCount=2, items=["e"])
    becomes(cluster, letters, "splice", ["a"], startIndex=1, deleteCount=99)
    becomes(cluster, letters, "splice", ["x"] + letters, startIndex=0, deleteCount=-1, items=["x"])
    becomes(cluster, letters, "splice", letters)
    becomes(cluster, ..., "splice", ["x"], startIndex=3, deleteCount=1, items=["x"])
    refused(cluster, {"a": 1}, "splice", startIndex=0, deleteCount=1)


@check("merge is shallow, keeps order, and makes the object")
def _(cluster):
    becomes(cluster, {"a": 1, "b": {"x": 1}}, "merge", {"a": 1, "b": {"y": 2}, "c": 3}, value={"b": {"y": 2}, "c": 3})
    becomes(cluster, ..., "merge", {"a": 1}, value={"a": 1})
    refused(cluster, [1], "merge", value={"a": 1})
    refused(cluster, "x", "merge", value={"a": 1})
    for operand in ([1], "x", None, 5):
        refused(cluster, {"a": 1}, "merge", value=operand)


@check("set-in makes the way to where it writes")
def _(cluster):
    becomes(cluster, {"u": {"p": {"n": "old"}}}, "set-in", {"u": {"p": {"n": "new"}}}, path="u.p.n", value="new")
    becomes(cluster, ..., "set-in", {"a": {"b": 1}}, path="a.b", value=1)
    becomes(cluster, {"a": None, "z": 1}, "set-in", {"a": {"b": 1}, "z": 1}, path=".a..b.", value=1)
    becomes(cluster, {"a": 5}, "set-in", {"a": {"b": {"c": 1}}}, path=["a", "b", "c"], value=1)
    becomes(cluster, {}, "set-in", {"a.b": 1}, path=["a.b"], value=1)
    becomes(cluster, {"a": 1}, "set-in", {"a": None}, path="a")


@check("set-in takes numbers as places in arrays, and fills gaps with null")
def _(cluster):
    becomes(cluster, {"a": [1, 2]}, "set-in", {"a": [1, 9]}, path="a.1", value=9)
    becomes(cluster, {"a": [1]}, "set-in", {"a": [1, None, None, 9]}, path="a.3", value=9)
    becomes(cluster, [1, {"b": 1}], "set-in", [1, {"b": 2}], path="1.b", value=2)
    refused(cluster, {"a": [1]}, "set-in", path="a.x", value=9)
    refused(cluster, {"a": [1]}, "set-in", path="a.-1", value=9)


@check("set-in without a path, on a root that has none, or far beyond an array's end is refused")
def _(cluster):
    for path in ("", "...", [], None, 5, [1], {}):
        refused(cluster, {"a": 1}, "set-in", path=path, value=1)
    for before in ("x", 5, None, True):
        refused(cluster, before, "set-in", path="a", value=1)
    some = cluster.new_object()
    some.set(0, "v", [])
    answer = some.operate(1, "v", "set-in", path="4000000000", value=1)
    expect_refusal(answer, answer.status if answer.status in (400, 413) else 400)
    equal(some.value(2, "v"), [])


@check("operations keep to updatedAt too")
def _(cluster):
    some = cluster.new_object()
    stamp = some.set(0, "n", 1)["updatedAt"]
    equal(some.operate(1, "n", "increment", value=1, updatedAt=stamp).json["value"], 2)
    expect_refusal(some.operate(2, "n", "increment", value=1, updatedAt=stamp), 409,
                   "conflictError.updatedAt.mismatch")
    expect_refusal(some.operate(2, "new", "push", value=1, updatedAt=stamp), 409)
    equal(some.value(0, "n"), 2)


@check("operations at once on all nodes lose nothing")
def _(cluster):
    some = cluster.new_object()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda n: some.operate(n, "n", "increment", value=1).json["value"], range(60)))
        list(pool.map(lambda n: some.operate(n, "list", "push", value=n), range(60)))
    equal(sorted(answers), list(range(1, 61)))
    equal(sorted(some.value(0, "list")), list(range(60)))


@check("an unknown operation word is part of a name")
def _(cluster):
    some = cluster.new_object()
    equal(some.operate(0, "a", "double", value=5).status, 200)
    equal(some.value(1, "a/double"), 5)
