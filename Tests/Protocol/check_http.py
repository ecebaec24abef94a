"""Sections 2 and 3: paths, headers, errors, and what this server adds to every call."""

import http.client
import secrets
from urllib.parse import urlsplit

from suite import check, equal, expect

SDK_HEADERS = ["authorization", "content-type", "x-enc-kv", "x-id-sig", "x-id-sig-kv",
               "x-vaultrice-auth-token", "x-vaultrice-auth-signature", "idempotency-key"]


def expect_refusal(answer, status, code=None):
    """An error as every error must be: nothing applied, and words on which nobody retries blindly."""
    equal(answer.status, status, "status")
    expect((answer.header("Content-Type") or "").startswith("application/json"), "the error is no JSON")
    body = answer.json
    for member in ("name", "message"):
        expect(isinstance(body.get(member), str) and body[member], f"no {member} in {body}")
    equal((body.get("status"), body.get("statusCode")), (status, status), "status in the body")
    equal(body.get("applied"), "no", "applied")
    expect(isinstance(body["cause"]["code"], str), "cause.code is no string")
    expect("retry" not in body["cause"]["code"], "the code asks for a retry")
    expect(answer.header("Access-Control-Allow-Origin"), "the error has no Access-Control-Allow-Origin")
    if code:
        equal(answer.code, code, "code")


# ---- names in paths ----

def meets_in_one_item(cluster, raw, name):
    """An item set by a path is the one that bodies call `name`."""
    some = cluster.new_object()
    answer = some.call(0, "POST", "cache", "/" + raw, {"value": name})
    equal(answer.status, 200, f"status for {raw}")
    found = some.call(1, "POST", "cache-query", body=[name]).json
    expect(name in found, f"{raw} is not {name!r}: {some.call(2, 'GET', 'cache-keys').json}")


@check("each segment of a path is percent-decoded once, as UTF-8")
def _(cluster):
    for raw, name in [("a%20b", "a b"), ("gr%C3%BC%C3%9Fe", "grüße"), ("%2561", "%61"), ("%7Bx%7D", "{x}"),
                      ("a%2Fb", "a/b"), ("%F0%9F%90%9F", "🐟"), ("%22q%22", '"q"')]:
        meets_in_one_item(cluster, raw, name)


@check("what browsers leave as it is stays as it is, a plus too")
def _(cluster):
    for name in ["a+b", "k=v&w", "a:b@c", "x(y);z,$*!~'", "50%", "%zz", "a%2"]:
        meets_in_one_item(cluster, name, name)


@check("escapes that are not UTF-8 stay literal")
def _(cluster):
    meets_in_one_item(cluster, "%FF%FE", "%FF%FE")


@check("names may hold slashes; one equal to an operation is a name")
def _(cluster):
    meets_in_one_item(cluster, "a/b/c", "a/b/c")
    meets_in_one_item(cluster, "increment", "increment")
    meets_in_one_item(cluster, "push/x", "push/x")


@check("the last of several segments of a POST is the operation")
def _(cluster):
    some = cluster.new_object()
    equal(some.call(0, "POST", "cache", "/a/b/increment", {"value": 2}).json["value"], 2)
    equal(some.value(1, "a/b"), 2)
    equal(some.call(0, "GET", "cache", "/a/b/increment").status, 404, "GET of that path")


@check("in a prefix a plus is a plus, and escapes are decoded")
def _(cluster):
    some = cluster.new_object()
    for name in ["a+b1", "a b2", "grün"]:
        some.set(0, name, 1)
    for raw, wanted in [("a+b", ["a+b1"]), ("a%20b", ["a b2"]), ("gr%C3%BC", ["grün"]), ("zz", [])]:
        equal(some.call(1, "GET", "cache-keys", f"?prefix={raw}").json, wanted, raw)
        equal(list(some.call(2, "GET", "cache", f"?prefix={raw}").json), wanted, raw)


@check("objects without a class are of the class _undefined_, and ids may hold escapes")
def _(cluster):
    some = cluster.new_object(objectClass="_undefined_")
    some.id += "%20x+y"
    some.set(0, "a", 1)
    equal(some.value(1, "a"), 1)


# ---- answers ----

@check("a missing item is a 404 without body and without Content-Type")
def _(cluster):
    answer = cluster.new_object().call(1, "GET", "cache", "/nothing")
    equal((answer.status, answer.body, answer.header("Content-Type")), (404, b"", None))


@check("an unknown route is a 404 with an error body")
def _(cluster):
    for path in ["/", "/project", "/project/x", f"/project/{cluster.project}/other/c/o"]:
        expect_refusal(cluster.call(0, "GET", path, headers={"Authorization": cluster.key.basic}), 404,
                       "notFoundError.route")


@check("every answer lets browsers of other origins read it")
def _(cluster):
    some = cluster.new_object()
    some.set(0, "a", 1)
    answers = [some.call(1, "GET", "cache", "/a"), some.call(1, "GET", "cache", "/b"),
               some.call(1, "GET", "cache", Authorization=None), some.call(0, "DELETE", "cache", "/a"),
               some.call(2, "POST", "cache", "/a", "{"), cluster.key.ask_token(2)]
    for answer in answers:
        expect(answer.header("Access-Control-Allow-Origin") in ("*", "http://a.example"), repr(answer))


@check("OPTIONS without credentials allows all methods and headers of the SDK")
def _(cluster):
    for kind, method in [("cache", "DELETE"), ("message", "POST"), ("presence-list", "GET")]:
        answer = cluster.new_object().call(
            0, "OPTIONS", kind, Authorization=None, Origin="http://a.example",
            Access_Control_Request_Method=method)
        equal((answer.status, answer.body), (204, b""))
        allowed = answer.header("Access-Control-Allow-Headers").lower()
        expect(all(name in allowed for name in SDK_HEADERS), allowed)
        methods = answer.header("Access-Control-Allow-Methods")
        expect(all(name in methods for name in ("GET", "POST", "DELETE", "OPTIONS")), methods)
        equal(answer.header("Access-Control-Max-Age"), "86400", "max age")
        expect(answer.header("Access-Control-Allow-Origin"), "no origin allowed")


@check("connections are kept, and for how long is announced")
def _(cluster):
    some = cluster.new_object()
    connection = http.client.HTTPConnection(urlsplit(cluster.url(0)).netloc, timeout=10)
    for _ in range(3):
        connection.request("GET", some.path("cache"), headers={"Authorization": cluster.key.basic})
        response = connection.getresponse()
        equal((response.status, response.read()), (200, b"{}"))
        expect(int(response.getheader("Keep-Alive").removeprefix("timeout=")) >= 60, "too short")
        expect(connection.sock is not None, "the connection was closed")
    connection.close()


@check("lists and maps are JSON even when empty")
def _(cluster):
    some = cluster.new_object()
    for method, kind, body, wanted in [("GET", "cache", None, "{}"), ("GET", "cache-keys", None, "[]"),
                                       ("POST", "cache-query", ["a"], "{}"), ("POST", "cache-query", [], "{}")]:
        answer = some.call(2, method, kind, body=body)
        equal((answer.status, answer.text), (200, wanted), kind)
        expect(answer.header("Content-Type").startswith("application/json"), kind)


# ---- additions ----

def index(answer):
    expect(answer.header("Holdfast-Owner"), f"no owner: {answer}")
    return int(answer.header("Holdfast-Epoch")), int(answer.header("Holdfast-Index"))


@check("object calls tell epoch, index and owner, the same from every node, never going back")
def _(cluster):
    some = cluster.new_object()
    places = []
    for node in range(6):
        places.append(index(some.call(node, "POST", "cache", "/a", {"value": node})))
        places.append(index(some.call(node + 1, "GET", "cache", "/a")))
    expect(places == sorted(places), f"goes back: {places}")
    owners = {some.call(node, "GET", "cache").header("Holdfast-Owner") for node in range(3)}
    equal(len(owners), 1, "owners")


@check("a read with Holdfast-Min-Index answers from at least there")
def _(cluster):
    some = cluster.new_object()
    _, written = index(some.call(0, "POST", "cache", "/a", {"value": 1}))
    answer = some.call(1, "GET", "cache", "/a", Holdfast_Min_Index=str(written))
    expect(index(answer)[1] >= written, "older")
    expect_refusal(some.call(1, "GET", "cache", Holdfast_Min_Index="-1"), 400)


@check("a retry with the same Idempotency-Key gets the first answer, from any node")
def _(cluster):
    some, key = cluster.new_object(), secrets.token_hex(8)
    answers = [some.call(node, "POST", "cache", "/n/increment", {"value": 1}, Idempotency_Key=key)
               for node in range(3)]
    equal([a.json for a in answers], [answers[0].json] * 3)
    equal([a.header("Holdfast-Replayed") for a in answers], [None, "true", "true"])
    equal(some.value(2, "n"), 1)


@check("the same Idempotency-Key with another body is a 422, and its form is checked")
def _(cluster):
    some, key = cluster.new_object(), secrets.token_hex(8)
    some.call(0, "POST", "cache", "/n/increment", {"value": 1}, Idempotency_Key=key)
    expect_refusal(some.call(1, "POST", "cache", "/n/increment", {"value": 2}, Idempotency_Key=key), 422)
    expect_refusal(some.call(1, "POST", "cache", "/n", {"value": 2}, Idempotency_Key="x" * 129), 400)
    equal(some.value(2, "n"), 1)
