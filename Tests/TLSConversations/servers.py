"""The servers that are compared: nodes, and OpenSSL's `s_server` with the same certificates and settings."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CLUSTER = Path(__file__).resolve().parent.parent.parent / "scripts" / "cluster"

# As in Sources/TLS/TLSContext.swift and Sources/COpenSSL/context.h.
REFERENCE = [
    "-www", "-min_protocol", "TLSv1.2", "-groups", "X25519:P-256:P-384", "-alpn", "http/1.1",
    "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
    "-cipher", "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:@SECLEVEL=2",
    "-serverpref", "-prioritize_chacha", "-no_renegotiation", "-no_comp", "-no_cache",
]

# What each server has besides a certificate of its own key's kind.
SERVERS = {
    "rsa": {"key": "rsa"},
    "p256": {"key": "p256"},
    "p384": {"key": "p384"},
    "pss": {"key": "pss"},
    "ed25519": {"key": "ed25519"},
    "optional": {"key": "rsa", "clients": "optional"},
    "required": {"key": "rsa", "clients": "required"},
}


class Nodes:
    """One cluster of one node for each server."""

    def __init__(self, directory, base_port, binary, certificates):
        self.directory, self.base_port = Path(directory), base_port
        self.binary, self.certificates = binary, certificates
        self.ports = {}

    def start(self, names):
        """The first one alone: it builds the program if there is none."""
        names = sorted(names)
        self._up(names[0], 0)
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._up, names[1:], range(1, len(names))))

    def _up(self, name, number):
        port = self.ports[name] = self.base_port + 10 * number
        settings, own = SERVERS[name], self.certificates
        environment = {
            **os.environ, "HOLDFAST_CLIENT_CERTIFICATE": own.chain(settings["key"]),
            "HOLDFAST_CLIENT_KEY": own.key(settings["key"])}
        if "clients" in settings:
            environment |= {"HOLDFAST_CLIENT_CERTIFICATES": settings["clients"], "HOLDFAST_CLIENT_CA": own.authorities}
        command = [CLUSTER, "--dir", self.directory / name, "up", "--nodes", "1", "--base-port", str(port)]
        if self.binary:
            command += ["--binary", self.binary]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"the node {name} did not come up:\n{done.stdout}{done.stderr}")

    def stop(self):
        """Ends all that were started."""
        for name in list(self.ports):
            subprocess.run([CLUSTER, "--dir", self.directory / name, "down"], capture_output=True)

    def stopped(self):
        """Lines of the logs by which a process of a node ended."""
        signs = ("Fatal error", "Precondition failed", "starting the next")
        return [f"{log.name}: {line}" for log in sorted(self.directory.glob("*/n1.log"))
                for line in log.read_text(errors="replace").splitlines() if any(sign in line for sign in signs)]


class Reference:
    """An `s_server` for one script: it serves one connection after the other, at a port that the system has chosen."""

    def __init__(self, name, certificates):
        settings = SERVERS[name]
        command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *REFERENCE,
                   "-cert", certificates.chain(settings["key"]), "-key", certificates.key(settings["key"])]
        if "clients" in settings:
            verify = "-Verify" if settings["clients"] == "required" else "-verify"
            command += [verify, "8", "-verify_return_error", "-CAfile", certificates.authorities,
                        "-no_ticket", "-num_tickets", "0"]
        else:
            command += ["-num_tickets", "1"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("ACCEPT "):
                self.port = int(line.rsplit(":", 1)[1])
                break
        else:
            raise SystemExit(f"s_server did not come up: {''.join(said)}")
        # What it says of each connection is read by nobody, and must not fill the pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)

    @property
    def has_ended(self):
        return self.process.poll() is not None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.drain.wait()
