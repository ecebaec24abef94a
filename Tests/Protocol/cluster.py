"""The cluster under test, and objects in it that no other check uses."""

import json
import secrets
import threading
import time
from urllib.parse import quote, urlencode

import rest
import secret_search
import websocket
from suite import Failure, closes_afterwards


class Key:
    """An API key of a project, with a token once one was asked for."""

    def __init__(self, cluster, project, key, secret):
        self.cluster, self.project, self.id, self.secret = cluster, project, key, secret
        self._token = None
        self._lock = threading.Lock()

    @property
    def basic(self):
        return rest.basic(self.id, self.secret)

    @property
    def token(self):
        with self._lock:
            if self._token is None:
                answer = self.ask_token(0)
                if answer.status != 200:
                    raise Failure(f"no token: {answer}")
                self._token = answer.text
            return self._token

    @property
    def bearer(self):
        return rest.bearer(self.token)

    def ask_token(self, node, **headers):
        headers = {"Authorization": self.basic, **headers}
        return self.cluster.call(node, "GET", f"/project/{self.project}/auth/token", headers=headers)

    def wait_known(self, headers):
        """The other nodes learn of a new key a moment after the one that made it."""
        deadline = time.monotonic() + websocket.PATIENCE_SECONDS
        for node in range(len(self.cluster.urls)):
            while self.ask_token(node, **headers).status != 200:
                if time.monotonic() > deadline:
                    raise Failure(f"node {node} does not know the new key")
                time.sleep(0.01)

    def revoke(self):
        return self.cluster.admin("DELETE", f"/projects/{self.project}/keys/{self.id}")


class Cluster:
    """What `cluster.json` says, and calls to any node by its number."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            description = json.load(file)
        self.secrets = secret_search.UsedSecrets()
        self.names = [node["name"] for node in description["nodes"]]
        self.urls = [node["url"] for node in description["nodes"]]
        self.peers = [node["peer"] for node in description["nodes"]]
        self.authority = description["ca"]
        self.pids = [node["pid"] for node in description["nodes"]]
        self.parents = [node["parentPid"] for node in description["nodes"]]
        self.data = [node["data"] for node in description["nodes"]]
        self.logs = [node["log"] for node in description["nodes"]]
        self.admin_token = description["adminToken"]
        self.project = description["project"]
        self.key = Key(self, self.project, description["apiKey"], description["apiSecret"])

    def url(self, node):
        return self.urls[node % len(self.urls)]

    def call(self, node, method, path, body=None, headers=None):
        answer = rest.call(self.url(node), method, path, body, headers)
        self.secrets.note(path, body, headers, answer)
        return answer

    def admin(self, method, path, body=None, node=1):
        headers = {"Authorization": rest.bearer(self.admin_token)}
        answer = self.call(node, method, "/admin/v1" + path, body, headers)
        if answer.status != 200:
            raise Failure(f"admin {method} {path}: {answer}")
        return answer.json

    def new_project(self):
        """Another project with a key of its own."""
        name = "p" + secrets.token_hex(6)
        self.admin("POST", "/projects", {"project": name})
        return self.new_key(project=name)

    def new_key(self, project=None, origins=(), **rights):
        project = project or self.project
        body = {**rights, **({"origins": list(origins)} if origins else {})}
        made = self.admin("POST", f"/projects/{project}/keys", body)
        key = Key(self, project, made["apiKey"], made["apiSecret"])
        key.wait_known(dict(Origin=origins[0]) if origins else {})
        return key

    def new_class(self, *changes):
        """A class of objects with these settings, one call for each change."""
        name = "c" + secrets.token_hex(6)
        for change in changes:
            self.admin("POST", f"/projects/{self.project}/classes/{name}", change)
        # A node that knows what was decided later knows this too.
        self.new_key()
        return name

    def new_object(self, objectClass="check", key=None, **headers):
        return TestObject(self, objectClass, "o" + secrets.token_hex(8), key or self.key, headers)


class TestObject:
    """One object. The first argument of most calls is the number of the node to ask."""

    def __init__(self, cluster, objectClass, id, key, headers):
        self.cluster, self.objectClass, self.id, self.key = cluster, objectClass, id, key
        self.headers = headers
        self._markers = 0

    def path(self, kind, rest=""):
        return f"/project/{self.key.project}/{kind}/{self.objectClass}/{self.id}{rest}"

    def call(self, node, method, kind, rest="", body=None, **headers):
        """Names of headers are given with `_` for `-`; None leaves one out."""
        given = {name.replace("_", "-"): value for name, value in {**self.headers, **headers}.items()}
        if "Authorization" not in given:
            given["Authorization"] = self.key.bearer
        given = {name: value for name, value in given.items() if value is not None}
        return self.cluster.call(node, method, self.path(kind, rest), body, given)

    # ---- items ----

    def set(self, node, name, value, **members):
        answer = self.call(node, "POST", "cache", "/" + quote(name, safe=""), {"value": value, **members})
        if answer.status != 200:
            raise Failure(f"set {name}: {answer}")
        return answer.json

    def get(self, node, name):
        """The item, or None."""
        answer = self.call(node, "GET", "cache", "/" + quote(name, safe=""))
        if answer.status not in (200, 404):
            raise Failure(f"get {name}: {answer}")
        return answer.json if answer.status == 200 else None

    def value(self, node, name):
        item = self.get(node, name)
        if item is None:
            raise Failure(f"{name} is missing")
        return item["value"]

    def all(self, node):
        return self.call(node, "GET", "cache").json

    def operate(self, node, name, word, **members):
        return self.call(node, "POST", "cache", f"/{quote(name, safe='')}/{word}", members)

    def mark(self, node=1):
        """Writes an item that no check uses; its event shows that all before it has arrived."""
        self._markers += 1
        name = f"~marker{self._markers}"
        self.set(node, name, self._markers)
        return name

    # ---- sockets ----

    def socket_path(self, auth=None, **query):
        given = dict(query, **({"auth": auth} if auth else {}))
        return self.path("ws") + ("?" + urlencode(given) if given else "")

    def open_socket(self, node, auth="", headers=None, receive_buffer=None, **query):
        """A socket as it is after the upgrade. `auth` None: without credentials."""
        auth = self.key.bearer if auth == "" else auth
        path = self.socket_path(auth, **query)
        return closes_afterwards(websocket.Socket(self.cluster.url(node), path, headers, receive_buffer))

    def socket(self, node, **options):
        """A socket that is connected; its id is `socket.id`."""
        opened = self.open_socket(node, **options)
        first = opened.receive()
        if first["event"] != "connected":
            raise Failure(f"the first frame is {first}")
        opened.id = first["connectionId"]
        return opened

    def until_marker(self, socket, node=1):
        """All events that came on `socket` before that of a new marker."""
        return collect(socket, self.mark(node))

    def presence(self, node):
        answer = self.call(node, "GET", "presence-list")
        if answer.status != 200:
            raise Failure(f"presence-list: {answer}")
        return answer.json


def collect(socket, marker):
    """The events before that of `marker`; those of other markers are left out."""
    events = []
    while True:
        try:
            event = socket.receive()
        except websocket.Silence:
            raise Failure(f"{marker} did not come, but {events}") from None
        name = event["payload"].get("prop", "") if event["event"] == "setItem" else ""
        if name == marker:
            return events
        if not name.startswith("~marker"):
            events.append(event)
