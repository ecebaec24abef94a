"""Section 9: every change is told, to all sockets, in order, once."""

from concurrent.futures import ThreadPoolExecutor

from suite import check, equal, expect


def names(events):
    return [(event["event"], event["payload"]["prop"]) for event in events]


@check("a write is told to all sockets of the object on all nodes, each once")
def _(cluster):
    some = cluster.new_object()
    sockets = [some.socket(node) for node in range(6)]
    item = some.set(1, "a", {"x": [1, None]})
    for socket in sockets:
        event = socket.receive()
        equal((event["event"], event["payload"]), ("setItem", {"prop": "a", **item}))
        equal(some.until_marker(socket), [])


@check("sockets of other objects hear nothing")
def _(cluster):
    some, other = cluster.new_object(), cluster.new_object()
    same_id = cluster.new_object(objectClass="other-class")
    same_id.id = some.id
    sockets = [(other, other.socket(0)), (same_id, same_id.socket(1))]
    some.set(2, "a", 1)
    for its, socket in sockets:
        equal(its.until_marker(socket), [])


@check("each operation of section 7 is told with the whole value (trap 6)")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(2)
    answers = [
        some.operate(0, "n", "increment", value=2), some.operate(1, "n", "decrement", value=1),
        some.operate(0, "l", "push", value="a"), some.operate(1, "l", "splice", startIndex=0, deleteCount=0, items=[1]),
        some.operate(0, "o", "merge", value={"a": 1}), some.operate(1, "o", "set-in", path="b.c", value=2)]
    events = some.until_marker(socket)
    equal([event["payload"] for event in events],
          [dict(answer.json, prop=name) for answer, name in zip(answers, ["n", "n", "l", "l", "o", "o"])])
    equal(events[3]["payload"]["value"], [1, "a"])


@check("setItems is told item by item")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(0)
    some.call(1, "POST", "cache", body={"a": {"value": 1}, "b": {"value": 2}, "c": {"value": 3}})
    equal(sorted(names(some.until_marker(socket))), [("setItem", "a"), ("setItem", "b"), ("setItem", "c")])


@check("removals are told, also of what never existed (trap 7)")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1)
    socket = some.socket(1)
    some.call(2, "DELETE", "cache", "/a")
    some.call(2, "DELETE", "cache", "/never")
    some.call(0, "DELETE", "cache", body=["b", "never2"])
    events = some.until_marker(socket)
    equal(sorted(names(events)), sorted(("removeItem", n) for n in ("a", "never", "b", "never2")))
    equal(names(events)[:2], [("removeItem", "a"), ("removeItem", "never")])
    equal(events[0]["payload"], {"prop": "a"})


@check("clear is told for each living item")
def _(cluster):
    some = cluster.new_object()
    for name in ("a", "b", "c"):
        some.set(0, name, 1)
    some.call(1, "DELETE", "cache", "/c")
    socket = some.socket(2)
    some.call(0, "DELETE", "cache")
    equal(sorted(names(some.until_marker(socket))), [("removeItem", "a"), ("removeItem", "b")])


@check("what changes nothing is not told")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1)
    socket = some.socket(1)
    some.call(0, "POST", "cache", "/a", {"value": 2, "ifAbsent": True})
    some.call(1, "POST", "cache", "/a", {"value": 2, "updatedAt": 1})
    some.call(2, "POST", "cache", "/a", {"value": 2, "ttl": 0})
    some.call(0, "POST", "cache", "/a/push", {"value": 2})
    some.call(1, "DELETE", "cache", body=[])
    some.all(2)
    equal(some.until_marker(socket), [])


@check("what an Idempotency-Key repeats is told once")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(0)
    for node in range(3):
        some.call(node, "POST", "cache", "/n/increment", {"value": 1}, Idempotency_Key="k" + some.id)
    equal([event["payload"]["value"] for event in some.until_marker(socket)], [1])


@check("events of plain items have no keyVersion")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(0)
    some.set(1, "a", None)
    event = socket.receive()
    expect("keyVersion" not in event and "keyVersion" not in event["payload"], f"{event}")
    expect("value" in event["payload"] and event["payload"]["value"] is None, f"{event}")


@check("order of members and number texts are kept in events")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(1)
    some.call(0, "POST", "cache", "/v", '{"value":{"z":1,"10":1,"9":2,"a":0.1}}', Content_Type="application/json")
    value = socket.receive()["payload"]["value"]
    equal((list(value), value["a"]), (["z", "10", "9", "a"], 0.1))


def position(event):
    at = event["at"]
    expect(all(isinstance(at.get(name), int) for name in ("epoch", "index")), f"at: {at}")
    return at["epoch"], at["index"], at.get("n", 0)


@check("writers on all nodes at once: all sockets hear the same order, at rises, the last is final")
def _(cluster):
    some = cluster.new_object()
    sockets = [some.socket(node) for node in range(3)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: some.operate(n, f"n{n % 4}", "increment", value=1), range(120)))
    marker = some.mark()
    heard = [heard_until(socket, marker) for socket in sockets]
    equal(len(heard[0]), 120, "events")
    equal([heard[1] == heard[0], heard[2] == heard[0]], [True, True], "same events, same order")
    positions = [position(event) for event in heard[0]]
    expect(all(a < b for a, b in zip(positions, positions[1:])), f"at does not rise: {positions}")
    for name in ("n0", "n1", "n2", "n3"):
        values = [e["payload"]["value"] for e in heard[0] if e["payload"]["prop"] == name]
        equal(values, list(range(1, 31)), name)
        equal(some.value(0, name), 30)


def heard_until(socket, marker):
    events = []
    while True:
        events.append(socket.receive())
        if events[-1]["payload"].get("prop") == marker:
            return events[:-1]


@check("at agrees with the headers of the write; items of one entry are told apart by n")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(2)
    answer = some.call(0, "POST", "cache", body={"a": {"value": 1}, "b": {"value": 2}})
    positions = [position(event) for event in some.until_marker(socket)]
    where = (int(answer.header("Holdfast-Epoch")), int(answer.header("Holdfast-Index")))
    equal(positions, [(*where, 0), (*where, 1)])


@check("each object has its own order, all objects at once")
def _(cluster):
    def one(number):
        some = cluster.new_object()
        socket = some.socket(number)
        for value in range(10):
            some.set(number + value, "a", value)
        return [event["payload"]["value"] for event in some.until_marker(socket)]
    equal([one(number) for number in range(4)], [list(range(10))] * 4)
