"""What bad input gets: the documented answer or close code, nothing broadcast, and a node that goes on."""

import socket as sockets
import struct
import time
from urllib.parse import urlsplit

from suite import check, equal, expect, raises
from websocket import (
    BINARY, CLOSE, CONTINUATION, PING, TEXT, Closed, Refused, Silence, Socket, frame, upgrade_headers)

LIMIT_BYTES = 128 * 1024
JUNK = [b"", b"x", b"{", b"null", b"[]", b"5", b'"ping"', b"{}", b'{"event":5}', b'{"event":null}',
        b'{"event":["ping"]}', b'{"event":""}', b'{"event":"nobody knows"}', b'{"event":"setItem","payload":{}}',
        b'{"event":"connected","connectionId":"x"}', b'{"event":"ping"', b'{"event":"ping"}x', b"[" * 10_000,
        b'{"event":"message","payload":' + b"[" * 5_000, b'{"event":"pong"}', b"\x00" * 100]


def lives_on(socket):
    socket.send({"event": "ping"})
    equal(socket.wait_for("pong"), {"event": "pong"})


def ends_with(cluster, codes, send, node=0):
    """A socket on which `send` misbehaves is closed with one of `codes`, and nobody else hears of it."""
    some = cluster.new_object()
    witness, socket = some.socket(node + 1), some.socket(node)
    send(socket)
    closed = socket.wait_closed()
    expect(closed.code in codes, f"code {closed.code}, wanted one of {codes}")
    equal(some.until_marker(witness), [])


@check("junk and unknown events are ignored")
def _(cluster):
    some = cluster.new_object()
    witness, socket = some.socket(0), some.socket(1)
    for junk in JUNK:
        socket.send_frame(TEXT, junk)
    lives_on(socket)
    equal((some.until_marker(witness), some.presence(2), list(some.all(0))), ([], [], ["~marker1"]))


@check("binary frames are refused or ignored, and never handed on")
def _(cluster):
    some = cluster.new_object()
    witness, socket = some.socket(0), some.socket(1)
    socket.send_frame(BINARY, b'{"event":"message","payload":{"a":1}}')
    try:
        lives_on(socket)
    except Closed as closed:
        equal(closed.code, 1003, "code")
    equal(some.until_marker(witness), [])


@check("text that is not UTF-8 closes with 1007")
def _(cluster):
    cut_short = b'{"event":"message","payload":"\xf0\x9f"}'
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", cut_short, b"\xf4\x90\x80\x80"):
        ends_with(cluster, (1007,), lambda socket: socket.send_frame(TEXT, bad))


@check("UTF-8 that goes wrong in a fragment closes with 1007")
def _(cluster):
    def send(socket):
        socket.send_frame(TEXT, b'{"event":"message","payload":"\xf0\x9f', final=False)
        socket.send_frame(CONTINUATION, b'x"}')
    ends_with(cluster, (1007,), send, 1)


@check("a frame above 128 KiB closes with 1009, told by its length alone")
def _(cluster):
    ends_with(cluster, (1009,), lambda socket: socket.send_frame(TEXT, b"x" * (LIMIT_BYTES + 1)))
    for size in (LIMIT_BYTES + 1, 2**31, 2**63 - 1):
        head = bytes([0x81, 0xFF]) + struct.pack("!Q", size) + b"mask"
        ends_with(cluster, (1009,), lambda socket: socket.send_bytes(head), 2)


@check("a length with its highest bit set closes with 1002 or 1009")
def _(cluster):
    head = bytes([0x81, 0xFF]) + b"\xff" * 8 + b"mask"
    ends_with(cluster, (1002, 1009), lambda socket: socket.send_bytes(head))


@check("fragments that never end close with 1009 at 128 KiB")
def _(cluster):
    def send(socket):
        socket.send_frame(TEXT, b"x" * 1024, final=False)
        for _ in range(LIMIT_BYTES // 1024 + 1):
            socket.send_frame(CONTINUATION, b"x" * 1024, final=False)
    ends_with(cluster, (1009,), send)


@check("empty fragments without end are borne or refused, and cost the others nothing")
def _(cluster):
    some = cluster.new_object()
    witness, socket = some.socket(0), some.socket(1)
    socket.send_frame(TEXT, b"", final=False)
    socket.send_bytes(frame(CONTINUATION, b"", final=False) * 20_000)
    some.set(2, "a", 1)
    equal(witness.receive()["payload"]["prop"], "a")
    try:
        socket.send_frame(CONTINUATION, b'{"event":"ping"}')
        socket.wait_for("pong")
    except Closed as closed:
        expect(closed.code in (1002, 1008, 1009), f"code {closed.code}")


@check("frames without a mask close with 1002")
def _(cluster):
    ends_with(cluster, (1002,), lambda socket: socket.send_frame(TEXT, b'{"event":"ping"}', mask=False))
    ends_with(cluster, (1002,), lambda socket: socket.send_frame(PING, b"", mask=False), 1)


@check("reserved bits and unknown opcodes close with 1002")
def _(cluster):
    for bits in (1, 2, 4, 7):
        ends_with(cluster, (1002,), lambda socket: socket.send_frame(TEXT, b"{}", reserved=bits))
    for opcode in (3, 7, 11, 15):
        ends_with(cluster, (1002,), lambda socket: socket.send_frame(opcode, b"x"), 1)


@check("control frames above 125 bytes, or in fragments, close with 1002")
def _(cluster):
    ends_with(cluster, (1002,), lambda socket: socket.send_frame(PING, b"x" * 126))
    ends_with(cluster, (1002,), lambda socket: socket.send_frame(CLOSE, b"\x03\xe8" + b"x" * 130), 1)
    ends_with(cluster, (1002,), lambda socket: socket.send_frame(PING, b"x", final=False), 2)


@check("fragments out of order close with 1002")
def _(cluster):
    ends_with(cluster, (1002,), lambda socket: socket.send_frame(CONTINUATION, b"x"))

    def begin_twice(socket):
        socket.send_frame(TEXT, b"x", final=False)
        socket.send_frame(TEXT, b"x")
    ends_with(cluster, (1002,), begin_twice, 1)


@check("close frames that may not be are answered with 1002 or 1007")
def _(cluster):
    for payload in (b"x", struct.pack("!H", 999), struct.pack("!H", 1005), struct.pack("!H", 1006),
                    struct.pack("!H", 2000), struct.pack("!H", 5000), struct.pack("!H", 0)):
        ends_with(cluster, (1002,), lambda socket: socket.send_frame(CLOSE, payload))
    ends_with(cluster, (1002, 1007), lambda socket: socket.send_frame(CLOSE, b"\x03\xe8\xff"), 1)


@check("an upgrade of another version is refused with 426 and the version to use")
def _(cluster):
    for version in ("8", "12", None, "x"):
        headers = upgrade_headers(Sec_WebSocket_Version=version)
        refusal = raises(Refused, lambda: cluster.new_object().open_socket(0, headers=headers))
        expect(refusal.status in (400, 426), f"version {version}: {refusal}")
        if version == "8":
            equal((refusal.status, refusal.headers.get("sec-websocket-version")), (426, "13"))


@check("an upgrade without key, with a bad key, or that is none is refused")
def _(cluster):
    some = cluster.new_object()
    for changes in ({"Sec_WebSocket_Key": None}, {"Sec_WebSocket_Key": "x"}, {"Sec_WebSocket_Key": "eHh4"},
                    {"Upgrade": None}, {"Upgrade": "h2c"}, {"Connection": None}):
        refusal = raises(Refused, lambda: some.open_socket(1, headers=upgrade_headers(**changes)))
        expect(refusal.status in (400, 426), f"{changes}: {refusal}")
    for method in ("GET", "POST"):
        answer = some.call(2, method, "ws")
        expect(answer.status in (400, 405, 426), f"{method} without upgrade: {answer}")


@check("upgrades elsewhere are refused")
def _(cluster):
    for path in (f"/project/{cluster.project}/ws/c", f"/project/{cluster.project}/ws//o", "/ws", "/livez",
                 f"/project/{cluster.project}/cache/c/o", f"/project/{cluster.project}/ws/c/o/more"):
        auth = "?auth=" + cluster.key.bearer.replace(" ", "+")
        try:
            Socket(cluster.url(0), path + auth)
        except Refused as refusal:
            expect(refusal.status in (200, 400, 401, 404, 426), f"{path}: {refusal}")
        else:
            expect(False, f"{path} was opened")


@check("class and id beyond their limits are refused at the upgrade too")
def _(cluster):
    some = cluster.new_object()
    some.id = "i" * 257
    equal(raises(Refused, lambda: some.open_socket(0)).status, 400, "status")


@check("a payload nested without measure breaks nothing")
def _(cluster):
    some = cluster.new_object()
    socket = some.socket(0)
    deep = '{"event":"presence:join","payload":{"a":' + "[" * 60_000 + "]" * 60_000 + "}}"
    socket.send_frame(TEXT, deep.encode())
    lives_on(socket)
    equal(len(some.presence(2)), 0, "entries")


@check("who does not read is closed, and slows nobody")
def _(cluster):
    some = cluster.new_object()
    slow, witness = some.socket(0, receive_buffer=4096), some.socket(0)
    value = "x" * 500_000
    for number in range(60):
        some.set(1, "big", value)
        equal(witness.wait_for("setItem")["payload"]["prop"], "big")
    heard = 0
    try:
        while heard < 60:
            slow.receive(within=10)
            heard += 1
    except Closed as closed:
        expect(closed.code in (1006, 1008, 1011, 1013), f"code {closed.code}")
        expect(closed.code == 1006 or closed.reason, "a close without a reason")
    except Silence:
        expect(False, "neither closed nor served")
    expect(heard < 60, "30 MB were kept for a socket that did not read")


def raw(cluster, node, data, within=5):
    """What a node answers to these bytes, up to its end or silence."""
    address = urlsplit(cluster.url(node))
    with sockets.create_connection((address.hostname, address.port), timeout=within) as connection:
        connection.sendall(data)
        answer = b""
        deadline = time.monotonic() + within
        while b"\r\n\r\n" not in answer and time.monotonic() < deadline:
            try:
                piece = connection.recv(65536)
            except (sockets.timeout, ConnectionError):
                break
            if not piece:
                break
            answer += piece
        return answer


@check("bytes that are no HTTP are refused")
def _(cluster):
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, b"GET / HTTP/9.9\r\n\r\n",
                 b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
        answer = raw(cluster, 0, data)
        expect(not answer.startswith(b"HTTP/1.1 2"), f"{data[:30]}: {answer[:60]}")
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000 + b"\r\n\r\n"
    expect(raw(cluster, 1, head).startswith(b"HTTP/1.1 431"), "large headers")


@check("bodies above 2 MiB are refused")
def _(cluster):
    some = cluster.new_object()
    head = f"POST {some.path('cache')} HTTP/1.1\r\nHost: x\r\nContent-Length: {2**21 + 1}\r\n"
    answer = raw(cluster, 0, (head + f"Authorization: {cluster.key.basic}\r\n\r\n").encode())
    expect(answer.startswith(b"HTTP/1.1 413"), f"{answer[:60]}")


class Eager(Socket):
    """Sends its first frame before it knows whether the upgrade was accepted."""

    def _send_request(self, host, path, headers):
        super()._send_request(host, path, headers)
        self.send({"event": "ping"})


@check("frames sent along with the upgrade are taken in after it")
def _(cluster):
    some = cluster.new_object()
    socket = Eager(cluster.url(1), some.socket_path(cluster.key.bearer))
    equal([socket.receive()["event"], socket.receive()["event"]], ["connected", "pong"])
    socket.close()
