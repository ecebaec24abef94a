"""The cluster key under which the table keeps secrets is replaced while tokens and signatures are in use."""

import os
import signal
import subprocess
import time

import rest
import tokens
from classes import signature_class
from small_cluster import node_with
from suite import check, equal, expect

PATIENCE_SECONDS = 20
SECRET = "a secret that a backend shares with its cluster"


def command(small, *words):
    done = subprocess.run(
        [small.binary, "secrets", *words], capture_output=True, text=True, check=False, cwd=small.directory)
    equal(done.returncode, 0, f"secrets {words}: {done.stdout}{done.stderr}")
    return done.stdout


def wait_for(small, wanted):
    """Has the node read its files again, and waits until `secrets` says what is wanted."""
    os.kill(small.parents[0], signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not wanted(standing(small)):
        expect(time.monotonic() < deadline, f"the node says {standing(small)}")
        time.sleep(0.02)


def standing(small):
    return small.admin("GET", "/secrets", node=0)


def opens(small, some):
    signature = tokens.hmac_sha256(SECRET, some.id.encode()).hex()
    return some.call(0, "GET", "cache", "/n", X_Id_Sig=signature, Authorization=small.key.basic).status


def token_status(small, token):
    some = small.new_object()
    return small.call(0, "GET", some.path("cache", "/n"), headers={"Authorization": rest.bearer(token)}).status


@check("a cluster key is replaced step by step, and what is dropped opens nothing any more")
def _(cluster):
    with node_with(cluster) as small:
        signed = small.new_object(signature_class(small, (1, "hmac-sha256", SECRET)))
        token = small.key.token
        equal((opens(small, signed), token_status(small, token)), (404, 404))
        first = standing(small)["clusterKeys"]
        tls = os.path.join(small.directory, "tls")

        command(small, "rotate", "--directory", tls)
        wait_for(small, lambda found: len(found["clusterKeys"]) == 2)
        found = standing(small)
        equal((found["clusterKeys"][1:], found["toBeSealed"], found["signsByNewest"]), (first, 1, False))
        equal((opens(small, signed), token_status(small, token)), (404, 404), "both work beside the new key")

        said = command(small, "reseal", "--cluster-file", os.path.join(small.directory, "cluster.json"))
        expect("signing key 1" in said and "class" in said, said)
        found = standing(small)
        equal((found["toBeSealed"], found["signsByNewest"], found["unreadable"]), (0, True, 0))
        equal((opens(small, signed), token_status(small, token)), (404, 404), "both work after it")

        command(small, "drop-former", "--directory", tls)
        wait_for(small, lambda found: len(found["clusterKeys"]) == 1)
        equal((opens(small, signed), token_status(small, token)), (404, 401), "tokens of the former key are over")
        fresh = small.key.ask_token(0)
        equal((fresh.status, token_status(small, fresh.text)), (200, 404), "fresh ones are given, and good")

        # What the node wrote holds no secret; nor do its files after kill -9 and a start.
        equal(small.secrets.search([*small.logs, *small.data]), [], "files with secrets")
        os.kill(small.pids[0], signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if small.call(0, "GET", "/readyz").status == 200:
                    break
            except OSError:
                pass
            expect(time.monotonic() < deadline, "the node does not come back")
            time.sleep(0.05)
        equal(opens(small, signed), 404, "signatures after a start")


@check("a key file that others may read, or that is damaged, changes nothing")
def _(cluster):
    with node_with(cluster) as small:
        path = os.path.join(small.directory, "tls", "n1", "cluster.key")
        before = standing(small)["clusterKeys"]
        with open(path, encoding="ascii") as file:
            good = file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write("hfk1 nonsense\n")
        os.kill(small.parents[0], signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with open(small.logs[0], encoding="utf-8") as log:
                if "cluster.key" in log.read():
                    break
            expect(time.monotonic() < deadline, "the log does not say what is wrong")
            time.sleep(0.02)
        equal(standing(small)["clusterKeys"], before)
        equal(token_status(small, small.key.token), 404)
        with open(path, "w", encoding="ascii") as file:
            file.write(good)
