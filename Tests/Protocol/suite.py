"""What a check is, and how all of them are run."""

import importlib
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

# Most of a check is waiting.
WORKERS = 8
# Themes that look at all nodes or kill some: one check at a time, when the others are over.
ALONE = ("isolation_times", "afterwards", "faults")


class Failure(Exception):
    """A statement of the protocol does not hold."""


class Check:
    def __init__(self, theme, statement, body):
        self.theme, self.statement, self.body = theme, statement, body
        self.fault = None
        self.seconds = 0.0


checks = []
_opened = threading.local()


def check(statement):
    """Marks a function as the proof of `statement`. It gets the cluster, and raises if it does not hold."""
    def register(body):
        checks.append(Check(body.__module__.removeprefix("check_"), statement, body))
        return body
    return register


def expect(condition, explanation):
    if not condition:
        raise Failure(explanation)


def equal(found, wanted, what="found"):
    if found != wanted:
        raise Failure(f"{what}: {found!r}, wanted {wanted!r}")


def same_json(found, wanted, what="found"):
    """Equal, and of equal kinds: for Python, 1 is True."""
    if found != wanted or repr(found) != repr(wanted):
        raise Failure(f"{what}: {found!r}, wanted {wanted!r}")


def raises(kind, body):
    """The exception of this kind that `body` must raise."""
    try:
        body()
    except kind as exception:
        return exception
    raise Failure(f"no {kind.__name__}")


def closes_afterwards(socket):
    """Ends `socket` when the check that opened it is over."""
    _opened.sockets.append(socket)
    return socket


def _run(one, cluster):
    _opened.sockets = []
    began = time.monotonic()
    try:
        one.body(cluster)
    except Exception as exception:  # Whatever goes wrong is a failed check, and the others go on.
        place = traceback.extract_tb(exception.__traceback__)
        here = [line for line in place if "check_" in line.filename] or place
        one.fault = f"{type(exception).__name__}: {exception} (line {here[-1].lineno})"
    for socket in _opened.sockets:
        socket.connection.close()
    one.seconds = time.monotonic() - began


def load(themes):
    for theme in themes:
        importlib.import_module(f"check_{theme}")


def run_all(cluster, words):
    """Runs the checks whose theme or statement holds one of `words`, or all. (passed, failed)."""
    chosen = [c for c in checks if not words or any(w in f"{c.theme}: {c.statement}" for w in words)]
    together = [c for c in chosen if c.theme not in ALONE]
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda one: _run(one, cluster), together))
    for one in chosen:
        if one.theme in ALONE:
            _run(one, cluster)
    for one in chosen:
        if one.fault:
            print(f"FAILED {one.theme}: {one.statement}: {one.fault}", flush=True)
    failed = sum(1 for one in chosen if one.fault)
    return len(chosen) - failed, failed
