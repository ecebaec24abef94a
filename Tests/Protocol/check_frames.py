"""RFC 6455: what is right must work."""

import json
import struct

from suite import check, equal, expect
from websocket import CLOSE, CONTINUATION, NO_CODE, PING, PONG, TEXT, Closed, frame

LIMIT_BYTES = 128 * 1024


def message(text):
    return json.dumps({"event": "message", "payload": {"text": text}}).encode()


@check("a message in fragments is one message, control frames may stand between")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(0), some.socket(1)
    text = message("grüße 🐟")
    # Cut inside of characters too.
    pieces = [text[i:i + 3] for i in range(0, len(text), 3)]
    for number, piece in enumerate(pieces):
        sender.send_frame(TEXT if number == 0 else CONTINUATION, piece, final=number == len(pieces) - 1)
        if number == 2:
            sender.send_frame(PING, b"between")
    equal(receiver.wait_for("message")["payload"], {"text": "grüße 🐟"})
    sender.wait_pong(b"between")


@check("empty fragments belong to a message too")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(0), some.socket(2)
    sender.send_frame(TEXT, b"", final=False)
    sender.send_frame(CONTINUATION, message("x"), final=False)
    sender.send_frame(CONTINUATION, b"", final=True)
    equal(receiver.wait_for("message")["payload"], {"text": "x"})


@check("bytes may come one by one, or many frames at once")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(1), some.socket(2)
    for byte in frame(TEXT, message("slow")):
        sender.send_bytes(bytes([byte]))
    sender.send_bytes(b"".join(frame(TEXT, message(str(n))) for n in range(50)))
    texts = [receiver.wait_for("message")["payload"]["text"] for _ in range(51)]
    equal(texts, ["slow"] + [str(n) for n in range(50)])


@check("lengths in all three forms, up to the limit of 128 KiB")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(2), some.socket(0)
    empty = len(message(""))
    for size in (125, 126, 127, 65_535, 65_536, LIMIT_BYTES):
        sender.send_frame(TEXT, message("x" * (size - empty)))
        equal(len(receiver.wait_for("message")["payload"]["text"]), size - empty)


@check("a ping frame is answered with its own payload")
def _(cluster):
    socket = cluster.new_object().socket(1)
    for payload in (b"", b"abc", bytes(range(125))):
        socket.send_frame(PING, payload)
        socket.wait_pong(payload)
    socket.send_frame(PONG, b"nobody asked")
    socket.send({"event": "ping"})
    equal(socket.receive()["event"], "pong")


@check("a close is answered with the same code, then the connection ends")
def _(cluster):
    for node, code in enumerate((1000, 1001, 3000, 4999)):
        equal(cluster.new_object().socket(node).close(code).code, code, "code")
    socket = cluster.new_object().socket(0)
    socket.sent_close = True
    socket.send_frame(CLOSE)
    expect(socket.wait_closed().code in (NO_CODE, 1000), "code")


@check("after a close nothing more is taken in")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(0), some.socket(1)
    sender.sent_close = True
    sender.send_bytes(frame(CLOSE, struct.pack("!H", 1000)) + frame(TEXT, message("late")))
    sender.wait_closed()
    equal(some.until_marker(receiver), [])


@check("the server ends the TCP connection after the closing handshake")
def _(cluster):
    socket = cluster.new_object().socket(2)
    socket.sent_close = True
    socket.send_frame(CLOSE, struct.pack("!H", 1000))
    equal(socket.wait_closed().code, 1000, "code")
    try:
        socket.receive()
        expect(False, "a frame after the close")
    except Closed as closed:
        equal(closed.code, 1006, "end of the connection")
