"""Lines that were run, by module of ours and by file, from `llvm-cov export -summary-only`."""
import json
import sys
from collections import defaultdict

CORE = ["Raft", "Placement", "Cluster", "ObjectRuntime", "Storage", "StoreBinding", "Binary"]
SHOWN_FILES = 12


def share(lines):
    return 100 * lines["covered"] / max(1, lines["count"])


def main(path):
    with open(path) as report:
        files = json.load(report)["data"][0]["files"]
    modules = defaultdict(lambda: {"count": 0, "covered": 0})
    core_files = []
    for entry in files:
        place, found, name = entry["filename"].rpartition("/Sources/")
        if not found or not name.endswith(".swift") or "/checkouts/" in place:
            continue
        lines = entry["summary"]["lines"]
        module = name.split("/")[0]
        for key in ("count", "covered"):
            modules[module][key] += lines[key]
        if module in CORE:
            core_files.append((share(lines), lines["count"] - lines["covered"], name))
    print(f"{'module':16} {'lines':>7} {'run':>7}")
    for module in sorted(modules, key=lambda name: (name not in CORE, name)):
        lines = modules[module]
        print(f"{module:16} {lines['count']:7} {share(lines):6.1f}%")
    print("\nthe core's files with most lines that were not run")
    for percent, missed, name in sorted(core_files, key=lambda item: -item[1])[:SHOWN_FILES]:
        print(f"{missed:5} of {name}, {percent:.1f}% run")


main(sys.argv[1])
