"""Holds tlsfuzzer's conversations with nodes and with OpenSSL's `s_server`, and compares what became of them."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from certificates import Certificates
from comparison import Comparison, read_reasons
from outcome import NotUnderstood, read_outcome
from plan import read_plan
from servers import SERVERS, Nodes, Reference
from table import write_table

OWN = Path(__file__).resolve().parent


class Session:
    """One run of the whole plan."""

    def __init__(self, arguments, certificates, nodes):
        self.arguments, self.certificates, self.nodes = arguments, certificates, nodes
        self.deadline = time.monotonic() + arguments.seconds
        self.logs = Path(arguments.logs).resolve()
        self.logs.mkdir(parents=True, exist_ok=True)
        self.running = set()

    def hold(self, entries):
        """What became of each entry at the nodes and at the reference; a text where the script itself failed."""
        here, there = [], []
        pool = ThreadPoolExecutor(self.arguments.jobs)
        try:
            for number, entry in enumerate(entries):
                here.append(pool.submit(self._timed, number, entry, "here", self._with_node))
                there.append(pool.submit(self._timed, number, entry, "there", self._with_reference))
            return [(entry, ours.result(), theirs.result()) for entry, ours, theirs in zip(entries, here, there)]
        finally:
            # Whoever interrupts does not wait for the rest.
            pool.shutdown(wait=False, cancel_futures=True)
            for script in list(self.running):
                script.kill()

    def _timed(self, number, entry, side, hold):
        began = time.monotonic()
        log = self.logs / f"{number:03}-{entry.server}-{entry.script}-{side}.txt"
        result = hold(entry, log)
        if self.arguments.times:
            print(f"{time.monotonic() - began:6.1f} s {side:5} {entry.server} {entry.name}", flush=True)
        return result

    def _with_node(self, entry, log):
        return self._run(entry, self.nodes.ports[entry.server], log)

    def _with_reference(self, entry, log):
        with Reference(entry.server, self.certificates) as reference:
            outcome = self._run(entry, reference.port, log)
            return "s_server has ended" if reference.has_ended else outcome

    def _run(self, entry, port, log):
        left = self.deadline - time.monotonic()
        if left <= 0:
            return "no time was left"
        script = Path(self.arguments.tlsfuzzer) / "scripts" / f"test-{entry.script}.py"
        command = [sys.executable, "-W", "ignore", str(OWN / "asked.py"), str(self.arguments.seed),
                   *entry.adaptations, str(script), "-p", str(port), *map(self._filled, entry.options)]
        environment = {**os.environ, "PYTHONPATH": self.arguments.tlsfuzzer, "PYTHONHASHSEED": "0"}
        with open(log, "wb") as output:
            script = subprocess.Popen(command, env=environment, cwd=self.logs, stdin=subprocess.DEVNULL,
                                      stdout=output, stderr=subprocess.STDOUT)
            self.running.add(script)
            try:
                script.wait(left)
            except subprocess.TimeoutExpired:
                return "it took too long"
            finally:
                self.running.discard(script)
                script.kill()
                script.wait()
        try:
            return read_outcome(log.read_text(errors="replace"))
        except NotUnderstood as fault:
            return str(fault)

    def _filled(self, option):
        """`@client-rsa.key` and `@client-rsa.pem` are files of this run."""
        return str(self.certificates.directory / option[1:]) if option.startswith("@") else option


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tlsfuzzer", required=True)
    parser.add_argument("--directory", required=True, help="for clusters and certificates")
    parser.add_argument("--logs", required=True)
    parser.add_argument("--base-port", type=int, required=True)
    parser.add_argument("--binary")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--plan", default=str(OWN / "plan.txt"))
    parser.add_argument("words", nargs="*")
    return parser.parse_args()


def main():
    # So that the nodes are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parse()
    plan = read_plan(arguments.plan, SERVERS)
    entries = [entry for entry in plan
               if not arguments.words or any(word in f"{entry.server} {entry.name}" for word in arguments.words)]
    if not entries:
        raise SystemExit("no script has such a word")
    certificates = Certificates(Path(arguments.directory) / "certificates")
    nodes = Nodes(arguments.directory, arguments.base_port, arguments.binary, certificates)
    try:
        nodes.start({entry.server for entry in entries})
        results = Session(arguments, certificates, nodes).hold(entries)
    finally:
        nodes.stop()
    (Path(arguments.logs) / "results.json").write_text(
        json.dumps([[entry.server, entry.name, here, there] for entry, here, there in results], indent=1))
    comparison = Comparison(results, read_reasons(OWN / "reasons.txt"), nodes.stopped())
    write_table(Path(arguments.logs) / "table.md", comparison)
    comparison.say(is_whole=len(entries) == len(plan))
    sys.exit(0 if comparison.is_good else 1)


if __name__ == "__main__":
    main()
