"""Commands of operators against running nodes."""

import json
import os
import subprocess
import threading

import rest
from suite import check, equal, expect

PATIENCE_SECONDS = 20


def command(cluster, *words):
    """A command of the program that the nodes run, as root, at node 1."""
    return ([f"/proc/{cluster.parents[0]}/exe", *words, "--endpoint", cluster.url(1)],
            {**os.environ, "HOLDFAST_ADMIN_TOKEN": cluster.admin_token})


def run(cluster, *words):
    line, environment = command(cluster, *words)
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


@check("administrators are made, listed and revoked by command, and audit --follow shows it as it happens")
def _(cluster):
    name = "a" + os.urandom(5).hex()
    made = run(cluster, "admin", "create", name, "--role", "viewer", "--json")
    equal(made.returncode, 0, f"create: {made.stderr}")
    token = json.loads(made.stdout)["token"]
    headers = {"Authorization": rest.bearer(token)}
    equal(cluster.call(1, "GET", "/admin/v1/status", None, headers).status, 200, "the new token")
    line, environment = command(cluster, "audit", "--follow", "--json", "--limit", "3", "--action", "admin")
    following = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)
    late = threading.Timer(PATIENCE_SECONDS, following.kill)
    late.start()
    try:
        def next_act():
            for text in following.stdout:
                entry = json.loads(text)
                if name in entry["target"]:
                    return entry["action"], entry["actor"], entry["outcome"]
            return None

        equal(next_act(), ("admin.create", "root", "done"), "what was there")
        equal(run(cluster, "admin", "revoke", name).returncode, 0, "revoke")
        equal(next_act(), ("admin.revoke", "root", "done"), "what came")
    finally:
        late.cancel()
        following.kill()
        following.wait()
        following.stdout.close()
    equal(cluster.call(1, "GET", "/admin/v1/status", None, headers).status, 401, "the revoked token")
    listed = json.loads(run(cluster, "admin", "list", "--json").stdout)["admins"]
    equal([row["revoked"] for row in listed if row["name"] == name], [True], "the list")
    again = run(cluster, "admin", "revoke", "nobody" + name)
    expect(again.returncode == 1 and "no such administrator" in again.stderr, f"an unknown name: {again}")
