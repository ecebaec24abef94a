"""TLS: on the clients' ports beside plain HTTP, and between nodes."""

import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import warnings
from urllib.parse import urlsplit

from small_cluster import node_with
from suite import Failure, check, closes_afterwards, equal, expect
from websocket import PATIENCE_SECONDS, Socket

GOODBYES = (ConnectionError, ssl.SSLError, socket.timeout)


def context(cluster, **versions):
    made = ssl.create_default_context(cafile=cluster.authority)
    for name, version in versions.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Old versions are what is tried.
            setattr(made, f"{name}_version", version)
    return made


def connect(address, using=None):
    host, port = address
    plain = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
    return plain if using is None else using.wrap_socket(plain, server_hostname=host)


def client_address(cluster, node):
    url = urlsplit(cluster.url(node))
    return url.hostname, url.port


def peer_address(cluster, node):
    host, port = cluster.peers[node].rsplit(":", 1)
    return host, int(port)


def head_of(connection, path="/version"):
    """The head of the answer to one request."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer.split(b"\r\n\r\n")[0].decode("latin-1")


def rejected(cluster, node, cause):
    """How many links a node has rejected for this."""
    wanted = f'holdfast_rejected_links_total{{cause="{cause}"}} '
    for line in cluster.call(node, "GET", "/metrics").text.splitlines():
        if line.startswith(wanted):
            return int(line.removeprefix(wanted))
    raise Failure(f"no count of {cause}")


def wait_until(holds, explanation):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        expect(time.monotonic() < deadline, explanation)
        time.sleep(0.02)


@check("a port takes TLS 1.2 and 1.3, with a certificate of the cluster's authority, and plain HTTP")
def _(cluster):
    for node in range(len(cluster.urls)):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with connect(client_address(cluster, node), context(cluster, minimum=version, maximum=version)) as client:
                expect(head_of(client).startswith("HTTP/1.1 200"), f"no answer by {version.name}")
        with connect(client_address(cluster, node)) as client:
            expect(head_of(client).startswith("HTTP/1.1 200"), "no answer in the clear")


@check("TLS 1.1 and older are refused")
def _(cluster):
    old = context(cluster, minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    try:
        connect(client_address(cluster, 0), old).close()
    except GOODBYES:
        return
    raise Failure("a handshake of TLS 1.1 went through")


@check("what is no TLS behind a first byte of TLS ends the connection, and the node serves on")
def _(cluster):
    for rest in (b"", b"\x03", b"\x03\x01\xff\xff", b"\x03\x01\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n", os.urandom(512)):
        with connect(client_address(cluster, 1)) as client:
            try:
                client.sendall(b"\x16" + rest)
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
            except OSError as ended:
                # The node may end it at any of the three.
                expect(not isinstance(ended, TimeoutError), "the connection was left open")
    equal(cluster.call(1, "GET", "/readyz").status, 200, "readyz")


def secure_socket(cluster, node, some):
    url = cluster.url(node).replace("http://", "https://")
    path = some.socket_path(auth=some.key.bearer)
    return closes_afterwards(Socket(url, path, security=context(cluster)))


def certificate_of(cluster, node):
    with connect(client_address(cluster, node), context(cluster)) as client:
        return client.getpeercert(binary_form=True)


@check("a certificate is replaced while the node runs: open sockets stay, new connections see the new one")
def _(cluster):
    some = cluster.new_object()
    listener = secure_socket(cluster, 0, some)
    listener.wait_for("connected")
    before = certificate_of(cluster, 0)
    program = f"/proc/{cluster.parents[0]}/exe"
    directory = os.path.dirname(cluster.authority)
    subprocess.run(
        [program, "tls", "renew", "--directory", directory, "--node", cluster.names[0]], check=True, capture_output=True)
    os.kill(cluster.parents[0], signal.SIGHUP)
    wait_until(lambda: certificate_of(cluster, 0) != before, "the former certificate is still in use")
    some.set(1, "name", "value")
    listener.wait_for("setItem")


# ---- certificates of clients ----

def make_authority(cluster, directory):
    """An authority with a certificate n1; the directory of the latter."""
    subprocess.run(
        [f"/proc/{cluster.parents[0]}/exe", "tls", "init", "--directory", directory, "--cluster", "clients", "--node", "n1"],
        check=True, capture_output=True)
    return os.path.join(directory, "n1")


def answers(cluster, own=None):
    """Whether a client with this certificate gets an answer."""
    using = context(cluster)
    if own:
        using.load_cert_chain(f"{own}/node.pem", f"{own}/node.key")
    try:
        with connect(client_address(cluster, 0), using) as client:
            return head_of(client).startswith("HTTP/1.1 200")
    except GOODBYES:
        return False


@check("where clients need a certificate, none and one of another authority are refused, and the commands can show one")
def _(cluster):
    with tempfile.TemporaryDirectory() as directory:
        own = make_authority(cluster, directory + "/own")
        other = make_authority(cluster, directory + "/other")
        with node_with(cluster, client_certificates="required", client_ca=own + "/ca.pem") as small:
            equal([answers(small), answers(small, other), answers(small, own)], [False, False, True], "answers")
            url = small.url(0).replace("http://", "https://")
            environment = {**os.environ, "HOLDFAST_ADMIN_TOKEN": small.admin_token}
            shown = {"none": [], "other": other, "own": own}
            statuses = {}
            for name, files in shown.items():
                words = ["--certificate", files + "/node.pem", "--certificate-key", files + "/node.key"] if files else []
                done = subprocess.run(
                    [small.binary, "project", "list", "--endpoint", url, "--ca", small.authority, "--timeout", "3", *words],
                    env=environment, capture_output=True, text=True)
                statuses[name] = done.returncode
            expect(statuses["own"] == 0 and statuses["none"] != 0 and statuses["other"] != 0, f"exit codes {statuses}")
            half = subprocess.run(
                [small.binary, "project", "list", "--endpoint", url, "--certificate", own + "/node.pem"],
                env=environment, capture_output=True, text=True)
            expect(half.returncode == 2 and "--certificate-key" in half.stderr, f"a half: {half}")


@check("the benchmark runs over TLS, by the cluster's authority and by no other")
def _(cluster):
    environment = {**os.environ, "HOLDFAST_PROJECT": cluster.project, "HOLDFAST_API_KEY": cluster.key.id,
                   "HOLDFAST_API_SECRET": cluster.key.secret}
    with tempfile.TemporaryDirectory() as directory:
        stranger_ca = make_authority(cluster, directory + "/other") + "/ca.pem"
        for authority, works in ((cluster.authority, True), (stranger_ca, False)):
            done = subprocess.run(
                [f"/proc/{cluster.parents[0]}/exe", "bench", "--workload", "increment-spread", "--connections", "2",
                 "--seconds", "0.5", "--warm-up", "0.1", "--objects", "4", "--ca", authority, "--timeout", "3",
                 "--endpoint", cluster.url(0).replace("http://", "https://")],
                env=environment, capture_output=True, text=True, cwd=directory)
            equal(done.returncode == 0, works, f"with {authority}: {done.stdout} {done.stderr}")


# ---- between nodes ----

def ends(connection, data=b"x" * 64):
    """Whether the other end hangs up, whatever it says before."""
    try:
        connection.sendall(data)
        while connection.recv(4096):
            pass
        return True
    except socket.timeout:
        return False
    except GOODBYES:
        return True


def refuses(cluster, node, cause, attempt):
    before = rejected(cluster, node, cause)
    try:
        with attempt() as link:
            expect(ends(link), "the link stays open")
    except GOODBYES:
        pass
    wait_until(lambda: rejected(cluster, node, cause) > before, f"nothing was counted as {cause}")


@check("the port for nodes refuses whoever speaks no TLS")
def _(cluster):
    refuses(cluster, 1, "plaintext", lambda: connect(peer_address(cluster, 1)))


@check("the port for nodes refuses whoever shows no certificate")
def _(cluster):
    refuses(cluster, 1, "handshake", lambda: connect(peer_address(cluster, 1), context(cluster)))


def stranger(cluster, directory, *words):
    """A context that shows a certificate from an authority made here."""
    program = f"/proc/{cluster.parents[0]}/exe"
    subprocess.run(
        [program, "tls", "init", "--directory", directory, *words], check=True, capture_output=True)
    made = context(cluster)
    made.load_cert_chain(f"{directory}/n1/node.pem", f"{directory}/n1/node.key")
    return made


@check("the port for nodes refuses a certificate of another authority, whatever name is in it")
def _(cluster):
    with tempfile.TemporaryDirectory() as directory:
        other = stranger(cluster, directory + "/tls", "--cluster", "local", "--node", "n1")
        refuses(cluster, 1, "certificate", lambda: connect(peer_address(cluster, 1), other))
