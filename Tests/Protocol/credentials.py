"""Credentials that must open nothing, each with what is wrong with it, and capabilities as anybody makes them."""

import base64
import hashlib
import hmac
import time

import rest
import tokens

ELSEWHERE = "https://evil.example"
SCOPES = ("read", "write", "presence", "message")


def narrow(capability, caveat):
    """The capability with one more caveat, without asking anybody."""
    *parts, signature = capability.split(".")
    key = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    part = base64.urlsafe_b64encode(caveat.encode()).rstrip(b"=")
    signature = hmac.new(key, part, hashlib.sha256).digest()
    return ".".join(parts + [part.decode(), base64.urlsafe_b64encode(signature).rstrip(b"=").decode()])


def capability(key, some, node=0, **wish):
    """A capability for the object `some`, by the key's secret."""
    body = {"class": some.objectClass, "id": some.id, **wish}
    answer = key.cluster.call(
        node, "POST", f"/project/{key.project}/auth/capability", body, {"Authorization": key.basic})
    if answer.status != 200:
        raise AssertionError(f"no capability: {answer}")
    return answer.text


def token(key, node=0, origin=None, **query):
    """A token with less than the key's rights."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    headers = {"Authorization": key.basic, **({"Origin": origin} if origin else {})}
    answer = key.cluster.call(node, "GET", f"/project/{key.project}/auth/token?{text}", None, headers)
    if answer.status != 200:
        raise AssertionError(f"no token: {answer}")
    return answer.text


def flipped(text):
    """Another last-but-one character: bits of the signature."""
    return text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]


class BadCredentials:
    """What must open nothing for objects of one class. `of(some, scope)` gives (name, headers) for a call on
    `some` that needs `scope`."""

    def __init__(self, cluster):
        self.cluster, self.key = cluster, cluster.key
        self.other = cluster.new_project()
        self.revoked, self.rotated = cluster.new_key(), cluster.new_key()
        self.origin = "https://app.example"
        self.bound = cluster.new_key(origins=[self.origin])
        self.elsewhere = cluster.new_key(classPrefix="zz-", scopes=list(SCOPES))
        self.others = cluster.new_key(idPrefix="zz-", scopes=list(SCOPES))
        self.bound_token = token(self.bound, origin=self.origin)
        self.ended = {}
        self._end_keys()

    def _end_keys(self):
        """Credentials of two keys, made before the one is revoked and the other gets a new secret."""
        some = self.cluster.new_object(key=self.key)
        self.before = [(key, key.basic, rest.bearer(key.ask_token(0).text)) for key in (self.revoked, self.rotated)]
        self.any = some

    def prepare(self, *objects):
        """Capabilities for these objects; then the keys come to their end."""
        for some in objects:
            self.ended[some.id] = [capability(key, some) for key in (self.revoked, self.rotated)]
            self.ended[some.id].append(capability(self.key, some, expiresInMs=1000))
        self.revoked.revoke()
        self.cluster.admin("POST", f"/projects/{self.key.project}/keys/{self.rotated.id}/rotate", {})
        deadline = time.monotonic() + 5
        for node in range(3):
            for key in (self.revoked, self.rotated):
                while key.ask_token(node).status == 200 and time.monotonic() < deadline:
                    time.sleep(0.02)
        # The shortest life of a capability: over when the nodes say so.
        for some in objects:
            ended = {"Authorization": rest.bearer(self.ended[some.id][2])}
            for node in range(3):
                while some.call(node, "GET", "cache-keys", **ended).status == 200 and time.monotonic() < deadline:
                    time.sleep(0.02)

    def of(self, some, scope):
        good = self.key.token
        mine = capability(self.key, some)
        others = [name for name in SCOPES if name != scope]
        stranger = self.cluster.new_object(key=self.key)
        bearer = {
            "a token of another project": self.other.token,
            "a capability of another project": capability(self.other, some),
            "a forged token": flipped(good),
            "a token signed with the key's secret": tokens.token(
                *tokens.parts(good), lambda text: tokens.hmac_sha256(self.key.secret, text)),
            "a forged capability": flipped(mine),
            "a capability without its caveat": self._stripped(capability(self.key, some, scopes=["read"])),
            "a capability with an unknown caveat": narrow(mine, "color=red"),
            "a capability narrowed to the past": narrow(mine, "expires=1000"),
            "a capability for another object": capability(self.key, stranger),
            "a capability for the same id of another class": self._of_other_class(some),
            "a capability that has run out": self.ended[some.id][2],
            "a capability of a revoked key": self.ended[some.id][0],
            "a capability of an earlier version": self.ended[some.id][1],
            "a capability of two audiences": narrow(
                narrow(mine, "audience=" + self.origin), "audience=" + ELSEWHERE),
            "a capability without its audience": narrow(mine, "audience=" + self.origin),
            "a token without the scope": token(self.key, scopes=",".join(others)),
            "a capability without the scope": capability(self.key, some, scopes=others),
            "a capability narrowed to no scope": narrow(narrow(mine, "scopes=read"), "scopes=message"),
            "a token of another class": token(self.key, classPrefix="zz-"),
            "a token of other ids": token(self.key, idPrefix="zz-"),
            "an empty token": "", "an empty capability": "hfc1..",
            "a capability of another format": "hfc2" + mine[4:],
            "the admin token": self.cluster.admin_token,
            "an unsigned token": tokens.token({"alg": "none", "typ": "JWT"}, tokens.parts(good)[1], lambda text: b""),
        }
        for name, text in bearer.items():
            yield name, {"Authorization": rest.bearer(text)}
        yield "no credentials", {"Authorization": None}
        yield "the key of another project", {"Authorization": self.other.basic}
        yield "a wrong secret", {"Authorization": rest.basic(self.key.id, "wrong")}
        yield "an unknown key", {"Authorization": rest.basic("nobody", self.key.secret)}
        yield "a key of another class", {"Authorization": self.elsewhere.basic}
        yield "a key of other ids", {"Authorization": self.others.basic}
        for name, (_, basic, bearer_header) in zip(("a revoked key", "an earlier secret"), self.before):
            yield name, {"Authorization": basic}
            yield "a token of " + name, {"Authorization": bearer_header}
        yield "a key from a wrong origin", {"Authorization": self.bound.basic, "Origin": ELSEWHERE}
        yield "a key without its origin", {"Authorization": self.bound.basic}
        yield "a token from a wrong origin", {"Authorization": rest.bearer(self.bound_token), "Origin": ELSEWHERE}
        yield "a capability from a wrong origin", {
            "Authorization": rest.bearer(narrow(mine, "audience=" + self.origin)), "Origin": ELSEWHERE}

    def _of_other_class(self, some):
        other = self.cluster.new_object(objectClass="another", key=self.key)
        other.id = some.id
        return capability(self.key, other)

    @staticmethod
    def _stripped(text):
        head, identifier, _, signature = text.split(".")
        return ".".join((head, identifier, signature))
