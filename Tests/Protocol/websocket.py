"""A client of RFC 6455 that can also do everything a client must not do."""

import base64
import hashlib
import json
import os
import socket
import struct
import time
from urllib.parse import urlsplit

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# Everything has to arrive within half a second; a busy machine gets more.
PATIENCE_SECONDS = 5
NO_CODE, NO_CLOSE_FRAME = 1005, 1006


class Refused(Exception):
    """The server did not switch protocols."""

    def __init__(self, status, headers, body):
        super().__init__(f"upgrade refused with {status} {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


class Closed(Exception):
    """The connection has ended, with this code and reason."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason!r}")
        self.code, self.reason = code, reason


class Silence(Exception):
    """What was waited for did not come."""


def masked(payload, key):
    """Payload XOR key, by whole numbers: large frames byte by byte would take seconds."""
    size = len(payload)
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def frame(opcode, payload=b"", final=True, mask=True, reserved=0):
    """The bytes of one frame. `reserved` are the three reserved bits."""
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    bit, size = (0x80 if mask else 0), len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + masked(payload, key)


def accept_value(key):
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def upgrade_headers(key=None, **changes):
    """The headers of an upgrade; a change to None leaves that header out."""
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key or base64.b64encode(os.urandom(16)).decode(),
    }
    headers.update({name.replace("_", "-"): value for name, value in changes.items()})
    return {name: value for name, value in headers.items() if value is not None}


class Socket:
    """One connection, in the thread that made it."""

    def __init__(self, base, path, headers=None, receive_buffer=None, security=None):
        """With `security`, a context of Python's `ssl`, inside TLS."""
        address = urlsplit(base)
        self.connection = socket.socket()
        if receive_buffer:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.connection.settimeout(PATIENCE_SECONDS)
        self.connection.connect((address.hostname, address.port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if security:
            self.connection = security.wrap_socket(self.connection, server_hostname=address.hostname)
        self.unread = b""
        self.partial = b""
        self.sent_close = False
        self.is_over = False
        headers = headers or upgrade_headers()
        self._send_request(address.netloc, path, headers)
        self._read_response(headers.get("Sec-WebSocket-Key", ""))

    # ---- opening ----

    def _send_request(self, host, path, headers):
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def _read_response(self, key):
        while b"\r\n\r\n" not in self.unread:
            self._read_more(time.monotonic() + PATIENCE_SECONDS)
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
        if self.status != 101:
            raise Refused(self.status, self.headers, self._read_rest())
        if self.headers.get("sec-websocket-accept") != accept_value(key):
            raise Refused(self.status, self.headers, b"wrong Sec-WebSocket-Accept")

    def _read_rest(self):
        wanted = int(self.headers.get("content-length", 0))
        while len(self.unread) < wanted:
            self._read_more(time.monotonic() + PATIENCE_SECONDS)
        self.connection.close()
        return self.unread[:wanted]

    # ---- sending ----

    def send(self, event):
        """One JSON event in one text frame."""
        self.send_frame(TEXT, json.dumps(event).encode())

    def send_frame(self, opcode, payload=b"", **shape):
        self.send_bytes(frame(opcode, payload, **shape))

    def send_bytes(self, data):
        try:
            self.connection.sendall(data)
        except (ConnectionError, socket.timeout):
            pass  # What the server made of it shows in what it sends.

    # ---- receiving ----

    def _read_more(self, deadline):
        self.connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self.connection.recv(65536)
        except socket.timeout:
            raise Silence("nothing came") from None
        except (ConnectionError, OSError):
            data = b""
        if not data:
            self.is_over = True
            raise Closed(NO_CLOSE_FRAME)
        self.unread += data

    def _take(self, size, deadline):
        while len(self.unread) < size:
            self._read_more(deadline)

    def receive_frame(self, deadline):
        """(opcode, final, payload) of the next frame, whatever it is."""
        self._take(2, deadline)
        first, second = self.unread[0], self.unread[1]
        assert first & 0x70 == 0, "a frame of the server has reserved bits"
        assert second & 0x80 == 0, "a frame of the server is masked"
        length, start = second & 0x7F, 2
        if length > 125:
            start = 4 if length == 126 else 10
            self._take(start, deadline)
            length = int.from_bytes(self.unread[2:start], "big")
        self._take(start + length, deadline)
        payload, self.unread = self.unread[start:start + length], self.unread[start + length:]
        return first & 0x0F, bool(first & 0x80), payload

    def receive(self, within=PATIENCE_SECONDS):
        """The next event as a dictionary. Pings are answered; raises `Closed` or `Silence`."""
        deadline = time.monotonic() + within
        while True:
            opcode, final, payload = self.receive_frame(deadline)
            if opcode == CLOSE:
                self._closed(payload)
            elif opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode in (TEXT, CONTINUATION):
                self.partial += payload
                if final:
                    text, self.partial = self.partial, b""
                    return self._event(text)
            else:
                assert opcode == PONG, f"the server sent opcode {opcode}"

    def _event(self, text):
        event = json.loads(text.decode("utf-8"))
        assert isinstance(event, dict) and isinstance(event.get("event"), str), f"no event: {event!r}"
        return event

    def _closed(self, payload):
        if not self.sent_close:
            self.send_frame(CLOSE, payload[:2])
        code = int.from_bytes(payload[:2], "big") if payload else NO_CODE
        self.is_over = True
        raise Closed(code, payload[2:].decode("utf-8", "replace"))

    def wait_for(self, name, within=PATIENCE_SECONDS, **members):
        """The next event of this name (and these members); those before it are thrown away."""
        deadline = time.monotonic() + within
        while True:
            try:
                event = self.receive(max(0.001, deadline - time.monotonic()))
            except Silence:
                raise Silence(f"no event {name} {members or ''}") from None
            if event["event"] == name and all(event.get(k) == v for k, v in members.items()):
                return event

    def wait_pong(self, payload):
        """The control frame that answers a ping; events before it are thrown away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            opcode, _, found = self.receive_frame(deadline)
            if opcode == PONG and found == payload:
                return

    def wait_closed(self, within=PATIENCE_SECONDS):
        """How the connection ended; what comes before that is thrown away."""
        deadline = time.monotonic() + within
        while True:
            try:
                self.receive(max(0.001, deadline - time.monotonic()))
            except Closed as closed:
                return closed
            except Silence:
                raise Silence("the connection stays open") from None

    # ---- ending ----

    def close(self, code=1000):
        """The closing handshake, up to the server's end."""
        if self.is_over:
            self.connection.close()
            return None
        self.sent_close = True
        self.send_frame(CLOSE, struct.pack("!H", code))
        closed = self.wait_closed()
        self.connection.close()
        return closed

    def cut(self):
        """Ends the connection without a word, by a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
