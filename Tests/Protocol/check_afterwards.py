"""Runs when all other checks are over."""

import os

from suite import check, equal, expect


@check("the nodes are ready, in the processes that they were before")
def _(cluster):
    for node, pid in enumerate(cluster.pids):
        equal(cluster.call(node, "GET", "/readyz").status, 200, f"node {node}")
        expect(os.path.exists(f"/proc/{pid}"), f"node {node} has died and was started again")
