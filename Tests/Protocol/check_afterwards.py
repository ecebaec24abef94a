"""Runs when all other checks are over."""

import os
import secrets
import tempfile

import secret_search
from suite import check, equal, expect


@check("the nodes are ready, in the processes that they were before")
def _(cluster):
    for node, pid in enumerate(cluster.pids):
        equal(cluster.call(node, "GET", "/readyz").status, 200, f"node {node}")
        expect(os.path.exists(f"/proc/{pid}"), f"node {node} has died and was started again")


@check("no secret that was used is in anything that the nodes wrote or show")
def _(cluster):
    with tempfile.TemporaryDirectory() as directory:
        places = secret_search.written_by(cluster, directory)
        used = cluster.secrets
        expect(len(list(used.forms())) > 100, "hardly any secret was noted")
        equal(used.search(places), [], "files with secrets")
        # The search finds what is there, in each of the forms.
        for number, form in enumerate(used.forms()):
            if number < 9:
                hidden = os.path.join(directory, f"hidden{number}")
                with open(hidden, "wb") as file:
                    file.write(secrets.token_bytes(1000) + form + secrets.token_bytes(1000))
                equal(used.search([hidden]), [hidden], f"found of form {number}")
