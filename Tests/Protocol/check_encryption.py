"""Section 12: what the server does for end-to-end encryption."""

import base64
from concurrent.futures import ThreadPoolExecutor

from check_http import expect_refusal
from suite import check, equal, expect


def settings(some, node, kind="cache-encryption", body=None):
    answer = some.call(node, "POST", kind, body=body if body is not None else {})
    equal(answer.status, 200, f"{kind}: {answer}; status")
    return answer.json


def salt_size(found):
    return len(base64.b64decode(found["encryptionSettings"]["salt"], validate=True))


@check("settings are made once: salt of 16 bytes, version 0")
def _(cluster):
    some = cluster.new_object()
    first = settings(some, 0)
    equal(sorted(first["encryptionSettings"]), ["createdAt", "keyVersion", "salt"])
    equal((first["encryptionSettings"]["keyVersion"], first["previousEncryptionSettings"]), (0, []))
    equal(salt_size(first), 16, "bytes of salt")
    equal((settings(some, 1), settings(some, 2)), (first, first))


@check("concurrent first calls get the same salt")
def _(cluster):
    some = cluster.new_object()
    with ThreadPoolExecutor(6) as pool:
        salts = set(pool.map(lambda n: settings(some, n)["encryptionSettings"]["salt"], range(12)))
    equal(len(salts), 1, "salts")


@check("saltLength is respected and checked")
def _(cluster):
    some = cluster.new_object()
    equal(salt_size(settings(some, 0, body={"saltLength": 32})), 32, "bytes of salt")
    for length in (-1, "16", 10**9):
        expect_refusal(some.call(1, "POST", "cache-encryption-rotate", body={"saltLength": length}), 400)


@check("rotation adds 1 and keeps what was; without settings it makes version 0")
def _(cluster):
    some = cluster.new_object()
    first = settings(some, 0, "cache-encryption-rotate")
    equal(first["encryptionSettings"]["keyVersion"], 0)
    second = settings(some, 1, "cache-encryption-rotate")
    equal(second["encryptionSettings"]["keyVersion"], 1)
    equal(second["previousEncryptionSettings"], [first["encryptionSettings"]])
    expect(second["encryptionSettings"]["salt"] != first["encryptionSettings"]["salt"], "the same salt")
    equal(settings(some, 2), second)


@check("settings outlive clear")
def _(cluster):
    some = cluster.new_object()
    first = settings(some, 0)
    some.set(0, "a", 1)
    equal(some.call(1, "DELETE", "cache").status, 204)
    equal(settings(some, 2), first)


def set_encrypted(some, node, version, name="a", value="ciphertext"):
    return some.call(node, "POST", "cache", "/" + name, {"value": value}, X_Enc_KV=str(version))


@check("X-Enc-KV is stored with the item and given back, in every answer")
def _(cluster):
    some = cluster.new_object()
    settings(some, 0)
    equal(set_encrypted(some, 0, 0).json["keyVersion"], 0)
    equal(some.get(1, "a")["keyVersion"], 0)
    body = {"b": {"value": "x"}, "c": {"value": "y"}}
    answer = some.call(2, "POST", "cache", body=body, X_Enc_KV="0").json
    equal([answer[name]["keyVersion"] for name in ("b", "c")], [0, 0])
    equal({name: item["keyVersion"] for name, item in some.all(0).items()}, {"a": 0, "b": 0, "c": 0})
    some.set(1, "a", "plain")
    expect("keyVersion" not in some.get(2, "a"), "a plain write left the keyVersion")


@check("writes under earlier versions are taken; a mismatch only for versions that never were (trap 14)")
def _(cluster):
    some = cluster.new_object()
    settings(some, 0)
    settings(some, 1, "cache-encryption-rotate")
    for version in (0, 1):
        equal(set_encrypted(some, version, version).json["keyVersion"], version)
    expect_refusal(set_encrypted(some, 2, 2), 409, "conflictError.keyVersion.mismatch")
    equal(some.get(2, "a")["keyVersion"], 1)
    expect_refusal(set_encrypted(some, 2, "x"), 400)


@check("reads and removals ignore X-Enc-KV")
def _(cluster):
    some = cluster.new_object()
    settings(some, 0)
    set_encrypted(some, 1, 0)
    equal(some.call(1, "GET", "cache", "/a", X_Enc_KV="9").json["keyVersion"], 0)
    equal(some.call(2, "GET", "cache", X_Enc_KV="9").status, 200)
    equal(some.call(2, "DELETE", "cache", "/a", X_Enc_KV="9").status, 204)


@check("operations store plain results, and find ciphertext to be of the wrong type")
def _(cluster):
    some = cluster.new_object()
    settings(some, 0)
    answer = some.call(0, "POST", "cache", "/n/increment", {"value": 2}, X_Enc_KV="0")
    equal((answer.json["value"], "keyVersion" in answer.json), (2, False))
    set_encrypted(some, 1, 0)
    expect_refusal(some.call(2, "POST", "cache", "/a/push", {"value": 2}, X_Enc_KV="0"), 400)


@check("events of encrypted items carry ciphertext and keyVersion inside, others none")
def _(cluster):
    some = cluster.new_object()
    settings(some, 0)
    socket = some.socket(2)
    set_encrypted(some, 1, 0)
    some.set(0, "b", "plain")
    first, second = some.until_marker(socket)
    equal((first["payload"]["value"], first["payload"]["keyVersion"]), ("ciphertext", 0))
    expect("keyVersion" not in first and "keyVersion" not in second["payload"], "keyVersion is elsewhere")


@check("messages and joins carry the keyVersion of their frame on, and no null")
def _(cluster):
    some = cluster.new_object()
    sender, receiver = some.socket(0), some.socket(1)
    sender.send({"event": "message", "payload": "secret", "keyVersion": 3})
    message = receiver.wait_for("message")
    equal((message["payload"], message["keyVersion"]), ("secret", 3))
    sender.send({"event": "presence:join", "payload": "who", "keyVersion": 3})
    joined = receiver.wait_for("presence:join")
    equal((joined["payload"], joined["keyVersion"]), ("who", 3))
    entry = some.presence(2)[0]
    equal((entry["data"], entry["keyVersion"]), ("who", 3))
    sender.send({"event": "presence:leave", "keyVersion": 3})
    equal(receiver.wait_for("presence:leave")["payload"], "who")
    sender.send({"event": "message", "payload": {"a": 1}})
    expect("keyVersion" not in receiver.wait_for("message"), "a keyVersion out of nothing")
