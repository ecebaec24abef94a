#!/usr/bin/env python3
"""Checks a running cluster against the client protocol, from outside.

usage: protocol_check.py CLUSTER_JSON [--faults] [--times] [WORD…]

CLUSTER_JSON is the file that `scripts/cluster up` writes. With words, only checks run whose theme or
statement holds one of them. With --faults, nodes are killed and stopped at the end. The last line reads
`N passed, M failed`.
"""

import os
import sys

# The repository is not the place for compiled files.
sys.dont_write_bytecode = True

import suite
from cluster import Cluster

THEMES = [
    "http", "credentials", "items", "lifetimes", "atomic", "encryption", "websocket", "frames", "events",
    "messages", "presence", "resume", "origins", "signed_ids", "identity", "bad_input", "quotas",
    "isolation", "isolation_times", "tls", "limits", "secrets",
    "afterwards",
]


def show_times():
    for one in sorted(suite.checks, key=lambda one: -one.seconds)[:10]:
        print(f"{one.seconds:6.2f} s  {one.theme}: {one.statement}")


def main(arguments):
    words = [word for word in arguments if not word.startswith("--")]
    if not words or "--help" in arguments:
        print(__doc__.strip())
        return 0 if "--help" in arguments else 2
    suite.load(THEMES + (["faults"] if "--faults" in arguments else []))
    passed, failed = suite.run_all(Cluster(words[0]), words[1:])
    if "--times" in arguments:
        show_times()
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.stdout.flush()
    # Threads that still wait for a node must not hold up the end.
    os._exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
