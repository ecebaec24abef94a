"""Nodes of a check's own, with settings that the others could not live with."""

import contextlib
import os
import resource
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from cluster import Cluster

SCRIPT = Path(__file__).resolve().parent.parent.parent / "scripts" / "cluster"
_ports = iter(range(10, 100, 10))
_lock = threading.Lock()


@contextlib.contextmanager
def node_with(cluster, open_files=None, **settings):
    """A cluster of one node with these settings, by the program that the other nodes run; with so many open files."""
    with _lock:
        port = urlsplit(cluster.urls[0]).port + next(_ports)
    environment = {**os.environ, **{"HOLDFAST_" + name.upper(): str(value) for name, value in settings.items()}}
    binary = os.readlink(f"/proc/{cluster.pids[0]}/exe")
    limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))) if open_files else None
    with tempfile.TemporaryDirectory() as directory:
        run = [SCRIPT, "--dir", directory]
        try:
            subprocess.run([*run, "up", "--nodes", "1", "--base-port", str(port), "--binary", binary], check=True,
                           env=environment, preexec_fn=limit, capture_output=True, text=True)
            made = Cluster(Path(directory) / "cluster.json")
            made.directory, made.binary = directory, binary
            yield made
        finally:
            subprocess.run([*run, "down"], check=False, capture_output=True)
