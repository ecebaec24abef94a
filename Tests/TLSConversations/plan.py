"""What is run: lines of `plan.txt`, each a server, one of tlsfuzzer's scripts and its options."""

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    server: str
    script: str
    options: tuple
    # What `asked.py` is told: words that begin with `+`.
    adaptations: tuple

    @property
    def name(self):
        return " ".join((self.script, *self.adaptations, *map(shlex.quote, self.options)))


def read_plan(path, servers):
    """The entries of a file; a line that cannot be one ends the program."""
    entries = []
    for line in _lines(path):
        server, script, *words = shlex.split(line)
        if server not in servers:
            raise SystemExit(f"{path}: there is no server {server!r}: {line}")
        options = tuple(word for word in words if not word.startswith("+"))
        entries.append(Entry(server, script, options, tuple(word for word in words if word.startswith("+"))))
    return entries


def _lines(path):
    for line in Path(path).read_text().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            yield line
