"""HTTP calls, as raw as the protocol needs them: the path goes out as it is given."""

import base64
import http.client
import json
from urllib.parse import urlsplit

CALL_SECONDS = 20


class Answer:
    """Status, headers and body of one answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def code(self):
        """The `cause.code` of an error body, or None."""
        try:
            return self.json["cause"]["code"]
        except (ValueError, KeyError, TypeError):
            return None

    def header(self, name):
        return self.headers.get(name)

    def __repr__(self):
        return f"{self.status} {self.body[:200]!r}"


def call(base, method, path, body=None, headers=None):
    """One call on a connection of its own. A body that is not bytes or text is sent as JSON."""
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    if isinstance(body, str):
        body = body.encode("utf-8")
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=CALL_SECONDS)
    try:
        connection.request(method, path, body=body, headers=headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def basic(key, secret):
    return "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()


def bearer(token):
    return "Bearer " + token
