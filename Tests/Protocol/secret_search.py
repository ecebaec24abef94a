"""Every secret that a run has used, and the search for them in all that the nodes wrote."""

import base64
import json
import os
import subprocess
import tempfile
import threading
from urllib.parse import quote

# Shorter ones are words that stand elsewhere by chance.
LEAST_CHARACTERS = 16


class UsedSecrets:
    """Secrets, tokens and capabilities that a node has accepted, given, or been told."""

    def __init__(self):
        self._texts = set()
        self._lock = threading.Lock()

    def add(self, text):
        if len(text) >= LEAST_CHARACTERS:
            with self._lock:
                self._texts.add(text)

    def note(self, path, body, headers, answer):
        """What of a call is secret, if it was not refused."""
        if answer.status >= 400:
            return
        scheme, _, credentials = (headers or {}).get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            self.add(base64.b64decode(credentials).decode("utf-8", "replace").partition(":")[2])
        elif credentials:
            self.add(credentials)
        if "/auth/" in path or path.endswith("/capabilities"):
            self.add(answer.text.strip())
        if path.startswith("/admin/v1/"):
            self._note_members(answer)
            self._note_key(body)

    def _note_members(self, answer):
        try:
            found = answer.json
        except ValueError:
            return
        for name in ("apiSecret", "token"):
            if isinstance(found, dict) and isinstance(found.get(name), str):
                self.add(found[name])

    def _note_key(self, body):
        """Shared secrets of classes; public keys are nobody's secret."""
        if not isinstance(body, dict):
            return
        for name in ("addSignatureKey", "userIdentity"):
            given = body.get(name)
            shared = isinstance(given, dict) and (
                given.get("algorithm") == "hmac-sha256" or given.get("mode") == "signature")
            if shared and isinstance(given.get("key"), str):
                self.add(given["key"])

    def forms(self):
        """Each secret as it is, and as it may be written down."""
        with self._lock:
            texts = sorted(self._texts)
        for text in texts:
            raw = text.encode()
            yield raw
            yield raw.hex().encode()
            yield quote(text, safe="").encode()
            # Base64 of a longer text that holds it: three alignments, without the characters at the ends.
            for shift in range(3):
                encoded = base64.b64encode(b"x" * shift + raw).rstrip(b"=")[4 if shift else 0:-4]
                yield encoded
                yield encoded.translate(bytes.maketrans(b"+/", b"-_"))

    def search(self, paths):
        """The files among `paths`, and below them, that hold any of the secrets."""
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"\n".join(sorted(set(self.forms()))))
            patterns.flush()
            found = subprocess.run(
                ["grep", "-rlaF", "-f", patterns.name, *paths], capture_output=True, text=True, check=False)
        if found.returncode > 1:
            raise OSError(found.stderr)
        return found.stdout.split()


def written_by(cluster, directory):
    """All that the nodes wrote or show: logs, data, metrics, pages of the admin API, arguments, environments."""
    for node in range(len(cluster.urls)):
        for page in ("/metrics", "/admin/v1/status", "/admin/v1/settings", "/admin/v1/audit?limit=1000",
                     "/admin/v1/projects", "/admin/v1/signing-keys", "/admin/v1/secrets", "/admin/v1/admins",
                     f"/admin/v1/projects/{cluster.project}/keys", f"/admin/v1/projects/{cluster.project}/classes"):
            headers = {"Authorization": "Bearer " + cluster.admin_token}
            answer = cluster.call(node, "GET", page, headers=headers)
            name = f"{node}{page}".replace("/", "_")
            with open(os.path.join(directory, name), "wb") as file:
                file.write(answer.body + json.dumps(dict(answer.headers)).encode())
    for pid in cluster.pids + cluster.parents:
        for kind in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{kind}", "rb") as source:
                with open(os.path.join(directory, f"{kind}-{pid}"), "wb") as file:
                    file.write(source.read())
    return [directory, *cluster.logs, *cluster.data]
