"""The results of a run as a table in Markdown."""

from collections import Counter
from pathlib import Path

from comparison import Verdict

HEAD = """| server | script and options | passed here | at s_server | of |
| --- | --- | --- | --- | --- |
"""


def write_table(path, comparison):
    """Scripts with their counts, then each reason with the number of conversations it is for."""
    Path(path).write_text(HEAD + "".join(_row(comparison, entry) for entry in comparison.entries) + "\n"
                          + _reasons(comparison))


def _row(comparison, entry):
    counts = comparison.counts(entry)
    total = sum(counts.values())
    here = counts[Verdict.PASSED] + counts[Verdict.THERE]
    there = counts[Verdict.PASSED] + counts[Verdict.HERE]
    return f"| {entry.server} | `{entry.name}` | {here} | {there} | {total} |\n".replace("\\|", "|")


def _reasons(comparison):
    lines = ["| failed | scripts | conversations | why |\n| --- | --- | --- | --- |\n"]
    for reason in comparison.reasons:
        found = [one for one in comparison.found if one.reason is reason]
        if not found:
            continue
        scripts = ", ".join(f"`{name}`" for name in sorted({one.entry.script for one in found}))
        where = "here" if reason.where == "here" else "at both"
        lines.append(f"| {where} | {scripts} | {len(found)} | {reason.text} |\n")
    return "".join(lines)
