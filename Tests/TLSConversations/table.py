"""The results of a run as a table in Markdown."""

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
    return f"| {entry.server} | `{entry.name}` | {here} | {there} | {total} |\n"


def _reasons(comparison):
    lines = ["| why | failed | conversations | scripts |\n| --- | --- | --- | --- |\n"]
    for text in dict.fromkeys(reason.text for reason in comparison.reasons):
        for where, title in (("here", "here"), ("both", "at both")):
            found = [one for one in comparison.found
                     if one.reason and (one.reason.text, one.reason.where) == (text, where)]
            if found:
                scripts = ", ".join(f"`{name}`" for name in sorted({one.entry.script for one in found}))
                lines.append(f"| {text} | {title} | {len(found)} | {scripts} |\n")
    return "".join(lines)
