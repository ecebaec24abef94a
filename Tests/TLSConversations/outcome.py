"""What a script has printed, read into what became of each conversation."""

import re

# Some are held many times.
_BEGIN = re.compile(r"^(?P<name>\S.*?)(?: ?\.\.\.| repeat \d+(?: ?\.\.\.)?)$")
_COUNT = re.compile(r"^(PASS|FAIL|XFAIL|XPASS): (\d+)$", re.M)


class NotUnderstood(Exception):
    """The script did not come to its end, or printed something else."""


def read_outcome(text):
    """For each conversation what went wrong, or None; one that is held many times counts once."""
    body, end, summary = text.partition("\nTest end\n")
    counts = {name: int(number) for name, number in _COUNT.findall(summary)}
    if not end or len(counts) != 4:
        raise NotUnderstood(_last_line(text))
    held = [(name, _fault(lines)) for name, lines in _blocks(body)]
    failed = sum(1 for _, fault in held if fault)
    if (len(held) - failed, failed) != (counts["PASS"] + counts["XPASS"], counts["FAIL"] + counts["XFAIL"]):
        raise NotUnderstood(f"{len(held)} conversations were read, of which {failed} failed, {counts} counted")
    if counts["XPASS"] + counts["XFAIL"] == len(held):
        # All of them ought to fail: a server that does what they ask for is broken.
        held = [(name, None if fault else "succeeded") for name, fault in held]
    outcome = {}
    for name, fault in held:
        outcome[name] = outcome.get(name) or fault
    return outcome


def _blocks(body):
    name, lines = None, []
    for line in body.splitlines():
        if begin := _BEGIN.match(line):
            if name is not None:
                yield name, lines
            name, lines = begin["name"], []
        else:
            lines.append(line)
    if name is not None:
        yield name, lines


def _fault(lines):
    if "OK" in lines:
        return None
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if re.match(r"^[A-Za-z_.]*(Error|Exception)\b", line)]
    last = errors[-1] if errors else (said[-1] if said else "nothing")
    if last.endswith("Unexpected closure from peer") and any("in _sockSendAll" in line for line in said):
        # Its answer, if there was one, was not read.
        return "Unexpected closure from peer while sending"
    # Answers of HTTP are of another length here than there.
    return re.sub(r"len=\d+", "len=…", last.removeprefix("AssertionError: "))


def _last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing was printed"
