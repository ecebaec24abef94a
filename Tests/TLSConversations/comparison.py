"""Compares what became of conversations here and there, and finds the reason of each failure."""

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path


class Verdict(Enum):
    PASSED = "passed at both"
    FAILED = "failed at both, alike"
    DIFFERENT = "failed at both, differently"
    HERE = "failed only here"
    THERE = "failed only at s_server"


# These need an excuse.
AGAINST_US = (Verdict.DIFFERENT, Verdict.HERE)


@dataclass
class Reason:
    """Why the conversations with such names fail in such a way: here, or at both."""

    where: str
    script: str
    conversation: re.Pattern
    fault: re.Pattern
    text: str
    used: bool = False

    def is_of(self, found):
        return (self.where == ("here" if found.verdict in AGAINST_US else "both")
                and fnmatchcase(found.entry.script, self.script)
                and self.conversation.fullmatch(found.conversation) and self.fault.search(found.here))


@dataclass
class Found:
    entry: object
    conversation: str
    verdict: Verdict
    here: str
    there: str
    reason: Reason = None


def read_reasons(path):
    """Lines of four parts with ` | ` between them: here or both, script, conversation, fault. Above them, behind
    `= `, stands the reason."""
    reasons, text = [], None
    for line in Path(path).read_text().splitlines():
        parts = [part.strip() for part in line.split(" | ")]
        if line.startswith("= "):
            text = line.removeprefix("= ")
        elif line.strip() and not line.startswith("#"):
            if text is None or len(parts) != 4 or parts[0] not in ("here", "both"):
                raise SystemExit(f"{path}: not a reason: {line}")
            reasons.append(Reason(parts[0], parts[1], re.compile(parts[2]), re.compile(parts[3]), text))
    return reasons


class Comparison:
    """`results` has an entry of the plan and its outcomes here and there; an outcome that is text is a script's own failure."""

    def __init__(self, results, reasons, stopped):
        self.stopped, self.reasons = stopped, reasons
        self.entries = [entry for entry, _, _ in results]
        self.broken = [(entry, side, text) for entry, here, there in results
                       for side, text in (("here", here), ("at s_server", there)) if isinstance(text, str)]
        self.found = []
        for entry, here, there in results:
            if not isinstance(here, str) and not isinstance(there, str):
                self._compare(entry, here, there)
        for found in self.found:
            if found.verdict not in (Verdict.PASSED, Verdict.THERE):
                found.reason = next((reason for reason in reasons if reason.is_of(found)), None)
                if found.reason:
                    found.reason.used = True

    def _compare(self, entry, here, there):
        if set(here) != set(there):
            odd = sorted(set(here) ^ set(there))
            self.broken.append((entry, "here and at s_server", f"other conversations were held: {odd[:3]}"))
            return
        for name in here:
            self.found.append(Found(entry, name, _verdict(here[name], there[name]), here[name], there[name]))

    @property
    def unexcused(self):
        return [found for found in self.found if found.verdict in AGAINST_US and not found.reason]

    @property
    def unexplained(self):
        return [found for found in self.found if found.verdict is Verdict.FAILED and not found.reason]

    @property
    def is_good(self):
        return not self.unexcused and not self.broken and not self.stopped

    def counts(self, entry=None):
        return Counter(found.verdict for found in self.found if entry is None or found.entry == entry)

    def say(self, is_whole):
        """Reasons that were not needed are named if the whole plan was run."""
        for found in self.found:
            if found.verdict in AGAINST_US:
                _say("excused" if found.reason else "FAILED", found)
            elif found.verdict is Verdict.FAILED and not found.reason:
                _say("unexplained", found)
            elif found.verdict is Verdict.THERE:
                _say("s_server", found)
        for entry, side, text in self.broken:
            print(f"BROKEN {entry.server} {entry.name} {side}: {text}")
        for line in self.stopped:
            print(f"STOPPED {line}")
        for reason in self.reasons:
            if is_whole and not reason.used:
                print(f"unused: {reason.where} | {reason.script} | {reason.conversation.pattern}: {reason.text}")
        counts = self.counts()
        print("; ".join(f"{verdict.value}: {counts[verdict]}" for verdict in Verdict))
        print(f"{counts[Verdict.PASSED] + counts[Verdict.THERE]} passed here, {len(self.unexcused)} failed here "
              f"without an excuse, {len(self.broken)} scripts broken")


def _verdict(here, there):
    if here is None:
        return Verdict.PASSED if there is None else Verdict.THERE
    if there is None:
        return Verdict.HERE
    return Verdict.FAILED if here == there else Verdict.DIFFERENT


def _say(word, found):
    print(f"{word}: {found.entry.server} {found.entry.name}: {found.conversation}")
    print(f"    here: {found.here or 'passed'}")
    print(f"    s_server: {found.there or 'passed'}")
    if found.reason:
        print(f"    {found.reason.text}")
