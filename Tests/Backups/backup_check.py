"""Backs a cluster up under load, restores it into another one, and compares everything, from outside."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Protocol"))

from cluster import Cluster, Key  # noqa: E402
import rest  # noqa: E402

WRITERS = 4
OBJECTS_PER_WRITER = 6
MARKER = "what-a-client-wrote-"


class Wrong(Exception):
    pass


def expect(holds, what):
    if not holds:
        raise Wrong(what)


class Tool:
    """The command line, against one cluster."""

    def __init__(self, program, description):
        self.program, self.description = program, description

    def run(self, *words, ends=0):
        done = subprocess.run(
            [self.program, *words, "--cluster-file", self.description], capture_output=True, text=True, check=False)
        expect(done.returncode == ends, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *words, ends=0):
        return [json.loads(line) for line in self.run(*words, "--json", ends=ends).splitlines()]


class Writer(threading.Thread):
    """Changes its own objects, one call after the other, and remembers every state that they had."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster, self.number = cluster, number
        self.stopped = threading.Event()
        names = [f"w{number}-{k}" for k in range(OBJECTS_PER_WRITER)]
        self.states = {name: [{}] for name in names}
        # Of the entry that made each state: (epoch, index, ms), ms None where the answer does not say.
        self.entries = {name: [(0, 0, 0)] for name in names}
        self.fault = None

    def run(self):
        try:
            count = 0
            while not self.stopped.is_set():
                self.write(list(self.states)[count % OBJECTS_PER_WRITER], count)
                count += 1
        except Exception as error:  # noqa: BLE001
            self.fault = error

    def write(self, name, count):
        state = dict(self.states[name][-1])
        item = f"k{count // OBJECTS_PER_WRITER % 5}"
        if count % 17 == 0 and item in state:
            answer = call(self.cluster, "DELETE", name, item, expected=204, node=self.number)
            state.pop(item)
            ms = None
        else:
            value = {"value": {"count": count, "text": MARKER + "é" * (count % 40)}}
            answer = call(self.cluster, "POST", name, item, value, node=self.number)
            state[item] = answer.json
            ms = answer.json["updatedAt"]
        self.entries[name].append((int(answer.header("Holdfast-Epoch")), int(answer.header("Holdfast-Index")), ms))
        self.states[name].append(state)

    def counts(self):
        return {name: len(states) - 1 for name, states in self.states.items()}


def call(cluster, method, name, item="", body=None, expected=200, node=0, kind="load", key=None):
    key = key or cluster.key
    path = f"/project/{key.project}/cache/{kind}/{name}" + (f"/{item}" if item else "")
    headers = {"Authorization": key.basic}
    answer = cluster.call(node, method, path, body, headers)
    expect(answer.status == expected, f"{method} {path}: {answer}")
    return answer


def everything(cluster, name, kind="load", key=None):
    """All items of an object, with their times."""
    return call(cluster, "GET", name, kind=kind, key=key).json


class Still:
    """What nobody changes during the backup."""

    def __init__(self, cluster):
        self.cluster = cluster
        other = cluster.new_project()
        self.other = Key(cluster, other.project, other.id, other.secret)
        self.revoked = cluster.admin("POST", f"/projects/{other.project}/keys", {})
        cluster.admin("DELETE", f"/projects/{other.project}/keys/{self.revoked['apiKey']}")
        cluster.admin("POST", f"/projects/{other.project}/classes/brief", {"defaultTTL": 3_600_000})
        cluster.admin("POST", f"/projects/{other.project}/quota", {"objects": 50})
        self.names = [("still", f"s{number}", cluster.key) for number in range(300)]
        self.names += [("still", "large", cluster.key), ("still", "n%20%C3%A9%2Fx", cluster.key), ("brief", "b", self.other)]
        for number in range(300):
            call(cluster, "POST", f"s{number}", "a", {"value": number}, kind="still", node=number)
        for number in range(12):
            value = {"value": str(number) * 300_000}
            call(cluster, "POST", "large", f"part{number}", value, kind="still", node=number)
        call(cluster, "POST", "n%20%C3%A9%2Fx", "%E2%98%83", {"value": ["☃"], "ttl": 10**10}, kind="still")
        call(cluster, "POST", "b", "x", {"value": 1}, kind="brief", key=self.other)
        encryption = f"/project/{cluster.project}/cache-encryption/still/s0"
        headers = {"Authorization": cluster.key.basic}
        self.encryption_path = encryption
        self.encryption = cluster.call(0, "POST", encryption, {}, headers).body
        self.items = {name: everything(cluster, name, kind, key) for kind, name, key in self.names}

    def compare(self, target):
        for kind, name, key in self.names:
            here = Key(target, key.project, key.id, key.secret)
            expect(everything(target, name, kind, here) == self.items[name], f"{kind}/{name} is another one")
        headers = {"Authorization": self.cluster.key.basic}
        answer = target.call(1, "POST", self.encryption_path, {}, headers)
        expect(answer.body == self.encryption, "encryption settings are others")
        revoked = rest.basic(self.revoked["apiKey"], self.revoked["apiSecret"])
        path = f"/project/{self.other.project}/cache/brief/b"
        expect(target.call(0, "GET", path, None, {"Authorization": revoked}).status == 401, "a revoked key works")
        quota = target.admin("GET", f"/projects/{self.other.project}/quota")["quota"]
        expect(quota["objects"] == 50, f"the quota is {quota}")


def with_key_of(target, source):
    """The target, reached with the source's key: keys were restored too."""
    target.key = Key(target, source.key.project, source.key.id, source.key.secret)
    target.project = source.project
    return target


def compare_load(writers, before, target):
    """Each object stands where it stood at some moment between the backup's beginning and end."""
    for writer in writers:
        for name, states in writer.states.items():
            found = everything(target, name)
            matching = [number for number, state in enumerate(states) if state == found]
            expect(matching, f"{name} was never like that: {found}")
            expect(matching[-1] >= before[writer.number][name], f"{name} lacks what was acknowledged before")


def run(arguments):
    source = Cluster(arguments.source)
    target = Cluster(arguments.target)
    tool, there = Tool(arguments.program, arguments.source), Tool(arguments.program, arguments.target)
    backups = os.path.join(arguments.dir, "backups")
    still = Still(source)

    writers = [Writer(source, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    time.sleep(1)
    before = {writer.number: writer.counts() for writer in writers}
    made = tool.json("backup", "--to", backups)[0]
    after = sum(sum(writer.counts().values()) for writer in writers)
    time.sleep(8)
    say(f"backup of {made['objects']} objects, {made['bytes']} bytes, in "
        f"{made['manifest']['finishedAt'] - made['manifest']['startedAt']} ms, under load")
    for writer in writers:
        writer.stopped.set()
    for writer in writers:
        writer.join()
        expect(writer.fault is None, f"a writer failed: {writer.fault}")
    say(f"{after - sum(sum(counts.values()) for counts in before.values())} writes while it was made")

    done = there.json("restore", "--from", backups, "--verify")
    expect([line["did"] for line in done] == ["restored", "compared"], done)
    with_key_of(target, source)
    still.compare(target)
    compare_load(writers, before, target)
    say(f"restored {done[0]['objects']} objects, all as they were")

    there.json("restore", "--from", made["directory"])
    still.compare(target)
    say("a second restore changes nothing")

    call(target, "POST", "s7", "a", {"value": "other"}, kind="still")
    refused = there.json("restore", "--from", backups, ends=1)[0]
    expect(refused["refused"] == 1 and refused["named"][0]["object"].endswith("/still/s7"), refused)
    expect(everything(target, "s7", "still")["a"]["value"] == "other", "something was overwritten")
    there.json("restore", "--from", backups, "--compare", ends=1)
    there.json("restore", "--from", backups, "--object", f"{source.project}/still/s7", "--overwrite", "--verify")
    still.compare(target)
    say("what differs is refused, or overwritten on demand")

    one = f"{source.project}/still/large"
    there.json("restore", "--from", backups, "--object", one, "--as", f"{source.project}/copy/large2", "--verify")
    expect(everything(target, "large2", "copy") == still.items["large"], "the copy is another one")
    shown = json.loads(there.run("restore", "--from", backups, "--object", one, "--print"))
    expect(shown == still.items["large"], "what is printed is another one")
    say("one object, under another name too")

    moment = after_the_backup(source, writers, made, there, tool, arguments)
    everything_at(moment, target, writers, made, there, arguments)
    killed(source, tool, arguments)

    look_for_the_marker(arguments.dir)

    damage(made["directory"], there, backups)
    say("a damaged file is refused")


def after_the_backup(source, writers, made, there, tool, arguments):
    """Single objects at chosen entries behind the backup, and at a time; answers that time."""
    # A backup makes every owner write its shards to the store, which proves what is before it.
    tool.run("backup", "--to", os.path.join(arguments.dir, "later"))
    archive = os.path.join(arguments.dir, "archive")
    checked, moment = 0, None
    for writer in writers[:3]:
        name = f"w{writer.number}-1"
        words = ["restore", "--from", made["directory"], "--archive", archive, "--object",
                 f"{source.project}/load/{name}", "--print"]
        count = len(writer.states[name])
        last = writer.entries[name][-1]
        patiently(lambda: there.run(*words, "--at", f"{last[0]}/{last[1]}"))
        first = next(k for k in range(count) if fits(there, words, writer.entries[name][k]))
        expect(count - first > 3, f"only {count - first} entries of {name} are behind the backup")
        for chosen in (first, (first + count) // 2, count - 1):
            epoch, index, _ = writer.entries[name][chosen]
            shown = json.loads(there.run(*words, "--at", f"{epoch}/{index}"))
            expect(shown == writer.states[name][chosen], f"{name} at {epoch}/{index} is {shown}")
            checked += 1
        middle = next(k for k in range((first + count) // 2, count) if writer.entries[name][k][2])
        at = writer.entries[name][middle][2]
        shown = json.loads(there.run(*words, "--until", str(at)))
        expect(shown in states_at(writer, name, at), f"{name} at {at} is {shown}")
        moment = max(moment or 0, at)
        there.run(*words, "--at", f"{last[0]}/{last[1] + 1_000_000}", ends=1)
    say(f"{checked} states of objects at chosen entries, exactly")
    return moment


def fits(there, words, entry):
    """Whether the entry is behind the backup."""
    done = subprocess.run(
        [there.program, *words, "--at", f"{entry[0]}/{entry[1]}"], capture_output=True, text=True, check=False)
    expect(done.returncode == 0 or "already" in done.stderr or "there is no object" in done.stderr, done.stderr)
    return done.returncode == 0


def patiently(ask):
    deadline = time.monotonic() + 90
    while True:
        try:
            return ask()
        except Wrong:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def states_at(writer, name, ms):
    """The states in which the object may have been: not every answer says when it was."""
    times = [entry[2] for entry in writer.entries[name]] + [None]
    return [state for state, own, after in zip(writer.states[name], times, times[1:])
            if (own is None or own <= ms) and (after is None or after > ms)]


def everything_at(moment, target, writers, made, there, arguments):
    words = ["restore", "--from", made["directory"], "--archive", os.path.join(arguments.dir, "archive"),
             "--until", str(moment), "--overwrite", "--verify"]
    done = there.json(*words)
    expect([line["refused"] for line in done] == [0, 0], done)
    for writer in writers:
        for name in writer.states:
            found = everything(target, name)
            expect(found in states_at(writer, name, moment), f"{name} at {moment} is {found}")
    say(f"all {done[0]['objects']} objects at one time")


def killed(source, tool, arguments):
    """A backup goes on when a node dies meanwhile."""
    ends = []
    place = os.path.join(arguments.dir, "killed")
    taking = threading.Thread(target=lambda: ends.append(tool.json("backup", "--to", place)[0]))
    taking.start()
    time.sleep(0.3)
    os.kill(source.pids[1], signal.SIGKILL)
    taking.join()
    expect(ends and ends[0]["objects"] == 328 - 1, f"a backup while a node died: {ends}")
    say("a backup while a node died has everything")


def look_for_the_marker(directory):
    """What clients wrote is in the files without a data key, and never with one."""
    is_encrypted = "HOLDFAST_DATA_KEY" in os.environ
    for name in ("archive", "backups", "later"):
        files = [file for file in Path(directory, name).rglob("*") if file.is_file()]
        expect(files, f"nothing in {name}")
        holding = [file for file in files if MARKER.encode() in file.read_bytes()]
        expect(bool(holding) != is_encrypted, f"with the marker in {name}: {holding}")
    say("in the files nothing is in the clear" if is_encrypted else "without a key the files are in the clear")


def damage(directory, there, backups):
    largest = max((name for name in os.listdir(directory)), key=lambda name: os.path.getsize(f"{directory}/{name}"))
    path = f"{directory}/{largest}"
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x10]))
    there.run("restore", "--from", backups, ends=1)
    os.remove(f"{directory}/manifest.json")
    there.run("restore", "--from", backups, ends=1)


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("source", help="cluster.json of the one that is backed up")
    parser.add_argument("target", help="cluster.json of a new one")
    parser.add_argument("--dir", required=True)
    try:
        run(parser.parse_args())
    except Wrong as wrong:
        say(f"FAILED: {wrong}")
        return 1
    say("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
