"""Every call and every frame, with every credential that must not open it."""

import os
import re

import rest
from classes import signature_class
from credentials import BadCredentials, capability, narrow, token
from suite import check, equal, expect, raises
from websocket import Refused, upgrade_headers

SOURCES = os.path.join(os.path.dirname(__file__), "..", "..", "Sources")

# By the case of `ObjectCall` that it is: method, kind, rest, body, and the scope that it needs.
CALLS = {
    "setItem": [("POST", "cache", "/a", {"value": 2}, "write")],
    "setItems": [("POST", "cache", "", {"a": {"value": 2}}, "write")],
    "getItem": [("GET", "cache", "/a", None, "read")],
    "getItems": [("POST", "cache-query", "", ["a"], "read")],
    "getAllItems": [("GET", "cache", "", None, "read")],
    "getAllKeys": [("GET", "cache-keys", "", None, "read")],
    "removeItem": [("DELETE", "cache", "/a", None, "write")],
    "removeItemsOrClear": [("DELETE", "cache", "", ["a"], "write"), ("DELETE", "cache", "", None, "write")],
    "atomic": [
        ("POST", "cache", "/a/increment", {"value": 1}, "write"),
        ("POST", "cache", "/a/decrement", {"value": 1}, "write"),
        ("POST", "cache", "/l/push", {"value": 1}, "write"),
        ("POST", "cache", "/l/splice", {"startIndex": 0, "deleteCount": 1}, "write"),
        ("POST", "cache", "/o/merge", {"value": {"b": 1}}, "write"),
        ("POST", "cache", "/o/set-in", {"path": "x", "value": 1}, "write")],
    "encryptionSettings": [("POST", "cache-encryption", "", {}, "read")],
    "rotateEncryption": [("POST", "cache-encryption-rotate", "", {}, "write")],
    "presenceList": [("GET", "presence-list", "", None, "presence")],
    "message": [("POST", "message", "", {"a": 1}, "message")],
}

# By the case of `Route`; those of objects are above, sockets below.
OTHER_ROUTES = {"token", "capability", "rotation", "object", "socket", "health", "admin", "demo"}

OPEN_PAGES = {"livez", "readyz", "healthz", "version", "metrics"}

# By the case of `ClientFrame.Event`: the frame and the scope that it needs beside `read`, which opens the socket.
FRAMES = {
    "message": ({"event": "message", "payload": {"a": 1}}, "message"),
    "join": ({"event": "presence:join", "payload": {"a": 1}}, "presence"),
    "leave": ({"event": "presence:leave"}, "presence"),
}
# Need no scope of their own, or stand for none.
OTHER_FRAMES = {"ping", "resume", "auth", "unknown"}


def cases(path, name):
    """The cases of a Swift enumeration."""
    with open(os.path.join(SOURCES, path), encoding="utf-8") as file:
        body = re.search(rf"enum {name}\b[^{{]*{{(.*?)\n(?:    )?}}", file.read(), re.S).group(1)
    lines = re.findall(r"^ +case ([a-z].*)$", body, re.M)
    return {word.strip() for line in lines for word in re.sub(r"\(.*?\)", "", line).split(",")}


# Pages of the admin API by their first word; what is not a GET needs an operator, and here more than that.
ADMIN_PAGES = {
    "status", "shards", "explain", "move", "drain", "undrain", "members", "scrub", "settings", "audit", "admins",
    "backup", "restore", "projects", "limits", "signing-keys", "secrets"}
ROOT_READS = {"backup", "restore"}
ROOT_WRITES = ROOT_READS | {"admins", "signing-keys", "secrets"}
KEY_WORDS = ("rotate", "capabilities")


def admin_paths():
    """Paths of all pages, with names that stand for nothing."""
    with open(os.path.join(SOURCES, "EdgeNode/Admin/AdminRoutes.swift"), encoding="utf-8") as file:
        found = re.findall(r'\("([a-z-]+)", (\d|_)\)(?: where path\[(\d)\] == "([a-z-]+)")?', file.read())
    paths = []
    for name, count, position, word in found:
        parts = [name] + ["x"] * (int(count) - 1 if count.isdigit() else 1)
        if word:
            parts[int(position)] = word
        if name == "backup":
            parts[1] = "placement"
        if parts[-2:-1] == ["x"] and "keys" in parts and len(parts) == 5:
            paths += ["/".join(parts[:-1] + [last]) for last in KEY_WORDS]
        else:
            paths.append("/".join(parts))
    return paths


def needed_role(path, method):
    head = path.split("/")[0]
    if method == "GET":
        return "root" if head in ROOT_READS else "viewer"
    return "root" if head in ROOT_WRITES else "operator"


def every_call():
    return [(name, *call) for name, calls in CALLS.items() for call in calls]


@check("the suite knows every route, call and frame that the node knows")
def _(cluster):
    equal(cases("EdgeNode/HTTP/Route.swift", "ObjectCall"), set(CALLS), "calls")
    equal(cases("EdgeNode/HTTP/Route.swift", "Route"), OTHER_ROUTES, "routes")
    equal(cases("ObjectRuntime/Sessions/ClientFrame.swift", "Event"), set(FRAMES) | OTHER_FRAMES, "frames")
    equal({path.split("/")[0] for path in admin_paths()}, ADMIN_PAGES, "admin pages")
    with open(os.path.join(SOURCES, "EdgeNode/Admin/AdminRoutes.swift"), encoding="utf-8") as file:
        routes = re.search(r"func serveAdmin.*?\n/// One call", file.read(), re.S).group(0)
    equal(len(re.findall(r'^        case \(|\), \("', routes, re.M)), len(admin_paths()) - len(KEY_WORDS) + 1,
          "admin routes that the suite reads")
    equal(cases("EdgeNode/HTTP/Route.swift", "HealthPage"), OPEN_PAGES, "pages that are everybody's")


def filled(cluster, objectClass="check"):
    some = cluster.new_object(objectClass)
    for name, value in (("a", 1), ("l", [1, 2]), ("o", {"x": 1})):
        some.set(0, name, value)
    equal(some.call(0, "POST", "cache-encryption", "", {}).status, 200, "encryption")
    return some


def state(some):
    settings = some.call(1, "POST", "cache-encryption", "", {}).json
    return some.all(1), some.presence(1), settings


def refused(answer, what):
    expect(answer.status in (401, 403), f"{what}: {answer}")
    body = answer.json
    equal(body["applied"], "no", what)
    equal(body["status"], answer.status, what)
    kind = "authenticationError." if answer.status == 401 else "authorizationError."
    expect(body["cause"]["code"].startswith(kind), f"{what}: {answer}")


@check("every call is refused with every credential that does not open it: no effect, no event, no difference "
       "between objects that exist and those that do not")
def _(cluster):
    some, none = filled(cluster), cluster.new_object()
    bad = BadCredentials(cluster)
    bad.prepare(some, none)
    listener, other = some.socket(1), none.socket(1)
    before = state(some)
    for scope in ("read", "write", "presence", "message"):
        calls = [call for call in every_call() if call[5] == scope]
        for number, ((fault, headers), (_, others)) in enumerate(zip(bad.of(some, scope), bad.of(none, scope))):
            for name, method, kind, more, body, _ in calls:
                what = f"{name} with {fault}"
                answer = some.call(number, method, kind, more, body, **headers)
                missing = none.call(number, method, kind, more, body, **others)
                refused(answer, what)
                equal((missing.status, missing.body), (answer.status, answer.body), what + ", missing object")
    equal(state(some), before, "state")
    equal(some.until_marker(listener), [], "events")
    equal(none.until_marker(other), [], "events of the missing object")
    equal([name for name in none.all(2) if not name.startswith("~marker")], [], "items of the missing object")


@check("each call passes with its own scope alone, by token and by capability")
def _(cluster):
    for name, method, kind, more, body, scope in every_call():
        some = filled(cluster)
        for text in (token(cluster.key, scopes=scope), capability(cluster.key, some, scopes=[scope])):
            answer = some.call(1, method, kind, more, body, Authorization=rest.bearer(text))
            expect(answer.status in (200, 204, 404) and answer.code is None, f"{name} with {scope}: {answer}")


@check("a missing scope is named, and so is the socket's")
def _(cluster):
    some = filled(cluster)
    for name, method, kind, more, body, scope in every_call():
        others = ",".join({"read", "write", "presence", "message"} - {scope})
        answer = some.call(0, method, kind, more, body, Authorization=rest.bearer(token(cluster.key, scopes=others)))
        equal((answer.status, answer.code), (403, "authorizationError.scope." + scope), name)


@check("no socket opens with a credential that does not open the object, by address, subprotocol or first frame; "
       "frames sent behind it have no effect, and none hears anything")
def _(cluster):
    some = filled(cluster)
    bad = BadCredentials(cluster)
    bad.prepare(some)
    listener = some.socket(1)
    for number, (fault, headers) in enumerate(bad.of(some, "read")):
        auth = headers["Authorization"]
        given = upgrade_headers(**({"Origin": headers["Origin"]} if "Origin" in headers else {}))
        if auth is not None:
            refusal = raises(Refused, lambda: some.open_socket(number, auth=auth, headers=given))
            expect(refusal.status in (401, 403), f"{fault}: {refusal}")
        if auth and auth.startswith("Bearer ") and len(auth) > 7:
            offered = dict(given, **{"Sec-WebSocket-Protocol": "holdfast, bearer." + auth[7:]})
            refusal = raises(Refused, lambda: some.open_socket(number, auth=None, headers=offered))
            expect(refusal.status in (401, 403), f"{fault}, as a subprotocol: {refusal}")
        for first in ([{"event": "auth", "token": auth or ""}], []):
            late = some.open_socket(number, auth=None, headers=given)
            for frame in first + [frame for frame, _ in FRAMES.values()] + [
                    {"event": "resume", "connectionId": listener.id}, {"event": "ping"}]:
                late.send(frame)
            equal(late.wait_closed().code, 1008, f"{'the first frame' if first else 'no first frame'}, with {fault}")
    equal(some.presence(0), [], "presence")
    equal(some.until_marker(listener), [], "events")


@check("frames without their scope are answered by an error frame that names it, and reach nobody")
def _(cluster):
    some = filled(cluster)
    listener = some.socket(1)
    for number, (name, (frame, scope)) in enumerate(FRAMES.items()):
        for text in (token(cluster.key, scopes="read"), capability(cluster.key, some, scopes=["read"])):
            socket = some.socket(number, auth=rest.bearer(text))
            socket.send(frame)
            expect(scope in socket.wait_for("error")["payload"], name)
            socket.send({"event": "ping"})
            socket.wait_for("pong")
    equal(some.presence(0), [], "presence")
    equal(some.until_marker(listener), [], "events")


@check("a connection id opens nothing for another key, nor for another capability of the same key")
def _(cluster):
    some = filled(cluster)
    owner = some.socket(0, auth=rest.bearer(capability(cluster.key, some)))
    for auth in (cluster.key.bearer, rest.bearer(capability(cluster.key, some)), cluster.new_key().bearer):
        thief = some.open_socket(1, auth=auth)
        thief.wait_for("connected")
        thief.send({"event": "resume", "connectionId": owner.id})
        expect(thief.wait_for("resume:ack")["connectionId"] != owner.id, "taken over")
    owner.send({"event": "ping"})
    owner.wait_for("pong")


@check("a class with signed ids opens for no credential without the signature")
def _(cluster):
    name = signature_class(cluster, (1, "hmac-sha256", "c2VjcmV0LXNlY3JldC1zZWNyZXQ="))
    some = cluster.new_object(name)
    texts = [cluster.key.token, capability(cluster.key, some)]
    for call, method, kind, more, body, _ in every_call():
        for text in texts:
            for headers in ({}, {"X_Id_Sig": "00" * 32}):
                answer = some.call(2, method, kind, more, body, Authorization=rest.bearer(text), **headers)
                refused(answer, call)
                expect("idSignature" in answer.code, f"{call}: {answer}")
    for text in texts:
        equal(raises(Refused, lambda: some.open_socket(0, auth=rest.bearer(text))).status, 403, "upgrade")


@check("tokens, capabilities and new secrets are made by key and secret only")
def _(cluster):
    some = filled(cluster)
    bad = BadCredentials(cluster)
    bad.prepare(some)
    path = f"/project/{cluster.key.project}/auth/"
    bearers = [("a good token", {"Authorization": cluster.key.bearer}),
               ("a good capability", {"Authorization": rest.bearer(capability(cluster.key, some))})]
    # Of keys with other classes or ids, tokens are their own; capabilities for this object are not.
    own = ("a key of another class", "a key of other ids")
    for number, (fault, headers) in enumerate(list(bad.of(some, "read")) + bearers):
        headers = {name: value for name, value in headers.items() if value is not None}
        body = {"class": some.objectClass, "id": some.id}
        if fault not in own:
            refused(cluster.call(number, "GET", path + "token", None, headers), fault + ": token")
        refused(cluster.call(number, "POST", path + "capability", body, headers), fault + ": capability")
        refused(cluster.call(number, "POST", path + "rotate", {}, headers), fault + ": rotate")
    # Nor does a good key, without the scope.
    answer = cluster.call(0, "POST", path + "rotate", {}, {"Authorization": cluster.key.basic})
    equal((answer.status, answer.code), (403, "authorizationError.scope.admin"), "the scope admin")
    equal(cluster.key.ask_token(0).status, 200, "the secret as before")


@check("no project credential opens a page of the admin API, and no made-up administrator does")
def _(cluster):
    some = filled(cluster)
    texts = [cluster.key.bearer, cluster.key.basic, rest.bearer(capability(cluster.key, some)),
             rest.bearer("root~" + cluster.admin_token), rest.bearer("~"), rest.bearer(""), None,
             rest.bearer(cluster.admin_token[:-1])]
    for page in admin_paths():
        path = "/admin/v1/" + page
        for number, text in enumerate(texts):
            for method in ("GET", "POST", "DELETE"):
                headers = {"Authorization": text} if text else {}
                equal(cluster.call(number, method, path, None, headers).status, 401, f"{method} {path}")


@check("each admin page is refused to each role that it is beyond, and no other, whatever the method")
def _(cluster):
    ranks = ["viewer", "operator", "root"]
    for rank, role in enumerate(ranks[:2]):
        name = "a" + os.urandom(5).hex()
        auth = rest.bearer(cluster.admin("POST", "/admins", {"name": name, "role": role})["token"])
        for page in admin_paths():
            for method in ("GET", "POST", "DELETE", "PUT"):
                needed = needed_role(page, method)
                # Nothing is to happen: no such method on the page, or a body that none of them takes.
                answer = cluster.call(1, method, "/admin/v1/" + page, {"no such member": 1}, {"Authorization": auth})
                what = f"{method} {page} as {role}: {answer}"
                if ranks.index(needed) > rank:
                    equal((answer.status, answer.code), (403, "authorizationError.role." + needed), what)
                else:
                    expect(answer.status not in (401, 403), what)


@check("an item prefix bounds every call of items, and opens no socket")
def _(cluster):
    some = filled(cluster)
    some.set(0, "mine.a", 1)
    some.set(0, "mine.l", [1])
    good = rest.bearer(narrow(narrow(capability(cluster.key, some), "itemPrefix=mi"), "itemPrefix=mine."))
    before = state(some)
    for method, kind, more, body in [
            ("GET", "cache", "/a", None), ("POST", "cache", "/a", {"value": 3}), ("DELETE", "cache", "/a", None),
            ("POST", "cache", "", {"mine.a": {"value": 3}, "a": {"value": 3}}), ("DELETE", "cache", "", ["mine.a", "a"]),
            ("DELETE", "cache", "", None), ("POST", "cache-query", "", ["mine.a", "a"]),
            ("GET", "cache", "?prefix=other", None), ("GET", "cache-keys", "?prefix=a", None),
            ("POST", "cache", "/a/increment", {"value": 1}), ("POST", "cache-encryption-rotate", "", {})]:
        answer = some.call(1, method, kind, more, body, Authorization=good)
        equal((answer.status, answer.code), (403, "authorizationError.itemPrefix"), f"{method} {kind}{more}")
    equal(state(some), before, "state")
    equal(sorted(some.call(2, "GET", "cache", Authorization=good).json), ["mine.a", "mine.l"], "all items")
    equal(some.call(2, "GET", "cache-keys", "?prefix=mine.a", Authorization=good).json, ["mine.a"], "keys")
    equal(some.call(2, "POST", "cache", "/mine.a", {"value": 9}, Authorization=good).status, 200, "its own")
    equal(raises(Refused, lambda: some.open_socket(0, auth=good)).status, 403, "upgrade")


@check("the example in the documents narrows a capability as the cluster understands it")
def _(cluster):
    with open(os.path.join(SOURCES, "..", "docs", "security.md"), encoding="utf-8") as file:
        example = re.search(r"```python\n(.*?)```", file.read(), re.S).group(1)
    names = {}
    exec(example, names)
    some = filled(cluster)
    reader = rest.bearer(names["narrow"](capability(cluster.key, some), "scopes=read", "itemPrefix=a"))
    equal(some.call(0, "GET", "cache", "/a", Authorization=reader).status, 200, "within")
    for method, more in (("DELETE", "/a"), ("GET", "/l")):
        equal(some.call(0, method, "cache", more, Authorization=reader).status, 403, method + more)


@check("a rotated key's sockets close, and with a grace time not before it is over")
def _(cluster):
    key = cluster.new_key()
    some = cluster.new_object(key=key)
    socket, old = some.socket(0, auth=key.basic), key.basic
    path = f"/projects/{key.project}/keys/{key.id}/rotate"
    made = cluster.admin("POST", path, {"graceMs": 2500})
    equal(made["version"], 2, "version")
    equal(some.call(1, "GET", "cache", Authorization=old).status, 200, "within the grace time")
    socket.send({"event": "ping"})
    socket.wait_for("pong")
    equal(socket.wait_closed(8).code, 1008, "code")
    answer = some.call(1, "GET", "cache", Authorization=old)
    equal((answer.status, answer.code), (401, "authenticationError.apiKey.version"), "after it")
    new = rest.basic(key.id, made["apiSecret"])
    equal(some.call(2, "GET", "cache", Authorization=new).status, 200, "the new secret")
    listed = [row for row in cluster.admin("GET", f"/projects/{key.project}/keys")["keys"] if row["apiKey"] == key.id]
    equal(listed[0]["version"], 2, "the list")


@check("a socket ends with its capability")
def _(cluster):
    some = filled(cluster)
    socket = some.socket(0, auth=rest.bearer(capability(cluster.key, some, expiresInMs=1500)))
    equal(socket.wait_closed(8).code, 1008, "code")


@check("a project bound to origins answers no other one, on calls, preflights and upgrades")
def _(cluster):
    key = cluster.new_project()
    some, here, there = cluster.new_object(key=key), "https://app.example", "https://evil.example"
    cluster.admin("POST", f"/projects/{key.project}/origins", {"origins": [here]})
    cluster.new_key(project=key.project)
    for node in range(3):
        answer = some.call(node, "GET", "cache", Origin=here)
        equal((answer.status, answer.header("Access-Control-Allow-Origin")), (200, here), "its origin")
        answer = some.call(node, "GET", "cache", Origin=there)
        equal((answer.status, answer.code), (403, "authorizationError.origin.project"), "another origin")
        equal(answer.header("Access-Control-Allow-Origin"), None, "header")
        equal(some.call(node, "GET", "cache").status, 200, "a program that is no browser")
        for origin, status in ((here, 204), (there, 403)):
            answer = some.call(node, "OPTIONS", "cache", Origin=origin, Authorization=None)
            equal(answer.status, status, "preflight")
        some.socket(node, headers=upgrade_headers(Origin=here))
        refusal = raises(Refused, lambda: some.open_socket(node, headers=upgrade_headers(Origin=there)))
        equal(refusal.status, 403, "upgrade")


@check("viewers look on, operators do not make administrators, and the audit tells who did and tried what")
def _(cluster):
    names = {role: "a" + os.urandom(5).hex() for role in ("viewer", "operator")}
    texts = {role: cluster.admin("POST", "/admins", {"name": name, "role": role})["token"]
             for role, name in names.items()}

    def call(role, method, path, body=None):
        return cluster.call(1, method, "/admin/v1" + path, body, {"Authorization": rest.bearer(texts[role])})

    equal(call("viewer", "GET", "/status").status, 200, "a viewer looks on")
    project = "p" + os.urandom(5).hex()
    answer = call("viewer", "POST", "/projects", {"project": project})
    equal((answer.status, answer.code), (403, "authorizationError.role.operator"), "a viewer changes nothing")
    equal(call("viewer", "GET", "/backup/placement").status, 403, "a viewer takes no backup")
    equal(call("operator", "POST", "/projects", {"project": project}).status, 200, "an operator")
    equal(call("operator", "DELETE", f"/projects/{project}/keys/none").status, 404, "a refused command")
    for method, path, body in (("POST", "/admins", {"name": "x", "role": "operator"}), ("POST", "/signing-keys", {}),
                               ("GET", "/backup/placement", None), ("POST", "/settings", {"auditEntries": 100})):
        equal(call("operator", method, path, body).status, 403, f"an operator: {path}")
    cluster.admin("DELETE", f"/admins/{names['operator']}")
    equal(call("operator", "GET", "/status").status, 401, "a revoked one")
    found = {name: call("viewer", "GET", f"/audit?limit=1000&actor={name}").json["entries"] for name in names.values()}
    for row in [row for rows in found.values() for row in rows]:
        expect(row["at"] > 1_700_000_000_000 and row["address"] == "127.0.0.1", f"entry {row}")
    acts = [(row["action"], row["target"], row["outcome"]) for row in found[names["operator"]]]
    expect(("project.create", project, "done") in acts, f"{acts}")
    expect(("key.revoke", project + "/none", "refused: unknownKey") in acts, f"{acts}")
    tried = [row for row in found[names["viewer"]] if row["action"] == "refused"]
    expect(any(row["target"].startswith("POST projects") for row in tried), f"{tried}")
    everything = cluster.call(0, "GET", "/admin/v1/audit?limit=1000", None,
                              {"Authorization": rest.bearer(cluster.admin_token)}).text
    for secret in [text.split("~")[1] for text in texts.values()] + [cluster.admin_token, cluster.key.secret]:
        expect(secret not in everything, "a secret in the audit")
