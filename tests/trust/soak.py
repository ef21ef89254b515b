"""The long form of this folder's tests: kills, malformed inputs, rebuilds, for half an hour and more.

python tests/trust/soak.py [--kills 200] [--terms 100] [--inputs 4] [--rebuilds 500] [--trainings 20] [--minutes 40]
                           [--record]

A machine that is too slow for all of it makes fewer, and the figures say how many. Everything goes to ``_build/soak``:
a line a signal, the table of inputs by kind, memory, threads and handles as rows and as a plot. With ``--record`` the
figures of the page of promises are written anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = ROOT / "_build" / "soak"
MEASURED = ROOT / "book" / "measured"


def kills_in(file: Path) -> dict[str, Any]:
    """What the lines of ``kills.py`` add up to, by signal."""
    from kills import Killed, bad

    rows = [Killed(**json.loads(line)) for line in file.read_text().splitlines()]
    found: dict[str, Any] = {}
    for name in ("SIGKILL", "SIGTERM"):
        mine = [row for row in rows if row.how.startswith(name)]
        found[name] = {
            "signals": len(mine),
            "aimed_at_a_file": sum("file" in row.how for row in mine),
            "checkpoints": sum(row.checkpoints for row in mine),
            "unreadable": sum(len(row.unreadable) for row in mine),
            "stray_processes": sum(row.stray for row in mine),
            "went_on": sum(row.resumed is True for row in mine),
            "did_not_go_on": sum(row.resumed is False for row in mine),
            "bad": sum(bool(bad(row)) for row in mine),
        }
    return found


def leaks_in(file: Path) -> dict[str, Any]:
    """How much more a process holds after all rounds than after the first, by kind of work."""
    found = {}
    for name, rows in json.loads(file.read_text()).items():
        first, last = rows[0], rows[-1]
        found[name] = {"rounds": len(rows) - 1, **{key: round(last[key] - first[key], 1) for key in first}}
    return found


def plot(file: Path, picture: Path) -> None:
    """Memory, threads and handles over the rounds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots(3, 2, sharex="col")
    for column, (name, rows) in enumerate(json.loads(file.read_text()).items()):
        for axis, key in zip(axes[:, column], ("memory_mb", "threads", "handles"), strict=True):
            axis.plot([row[key] for row in rows])
            axis.set(ylabel=key.replace("_", " "))
        axes[0, column].set_title(name)
        axes[2, column].set_xlabel("rounds")
    figure.savefig(picture)


def table(record: dict[str, Any]) -> str:
    """The figures of the page of promises, as a table in Markdown."""
    killed, told, leaks, inputs = (
        record["kills"]["SIGKILL"],
        record["kills"]["SIGTERM"],
        record["leaks"],
        record["inputs"],
    )
    total, rebuilt, trained = inputs["total"], leaks["rebuilds"], leaks["trainings"]
    rows = [
        (
            "A training that is killed leaves every checkpoint whole, and can go on.",
            "tests/trust/test_kills.py",
            f"{killed['signals']} kills, {killed['aimed_at_a_file']} of them while a file was made: "
            f"{killed['unreadable']} of {killed['checkpoints']} checkpoints unreadable, "
            f"{killed['stray_processes']} processes left after 3 s, went on {killed['went_on']} times of "
            f"{killed['went_on'] + killed['did_not_go_on']}",
        ),
        (
            "A training that is told to stop keeps what it has learned, and says so.",
            "tests/trust/test_kills.py, tests/unit/test_signals.py",
            f"{told['signals']} times SIGTERM: {told['unreadable']} of {told['checkpoints']} checkpoints unreadable, "
            f"{told['bad']} wrong endings",
        ),
        (
            "Malformed input is refused in a line. Nothing is overwritten, no nonsense is taken.",
            "tests/trust/test_malformed.py",
            f"{total['inputs']} inputs of {len(inputs['kinds'])} kinds: {total['wrong']} wrong answers",
        ),
        (
            "Environments and trainings in one process leave nothing behind.",
            "tests/trust/test_leaks.py",
            f"{rebuilt['rounds']} environments: {rebuilt['memory_mb']:+.1f} MB, {rebuilt['threads']:+.0f} threads, "
            f"{rebuilt['handles']:+.0f} handles; {trained['rounds']} trainings: {trained['memory_mb']:+.1f} MB, "
            f"{trained['threads']:+.0f} threads, {trained['handles']:+.0f} handles",
        ),
    ]
    lines = ["| Promise | Test | Last figure |", "| --- | --- | --- |"]
    lines += [f"| {promise} | `{'`, `'.join(test.split(', '))}` | {figure} |" for promise, test, figure in rows]
    kinds = ["", "| Malformed inputs | given | refused | taken, rightly | wrong |", "| --- | --- | --- | --- | --- |"]
    kinds += [
        f"| {kind} | {row['inputs']} | {row['refused']} | {row['taken']} | {row['wrong']} |"
        for kind, row in inputs["kinds"].items()
    ]
    return "\n".join([*lines, *kinds]) + "\n"


def record_all(record: dict[str, Any]) -> None:
    """Write ``trust.json`` and ``trust.txt`` of the book."""
    (MEASURED / "trust.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (MEASURED / "trust.txt").write_text(table(record), encoding="utf-8")


def parts(args: argparse.Namespace) -> dict[Path, list[str]]:
    """The commands, each with the file that it writes; kills get three fifths of the time, leaks one."""
    python = [sys.executable, "-W", "ignore"]
    kills, inputs, leaks = OUT / "kills.txt", OUT / "inputs.json", OUT / "leaks.json"
    share = [str(args.minutes * 60 * part) for part in (0.6, 0.2)]
    return {
        kills: [*python, str(HERE / "kills.py"), str(args.kills), str(args.terms), str(kills), share[0]],
        leaks: [*python, str(HERE / "leaks.py"), str(args.rebuilds), str(args.trainings), str(leaks), share[1]],
        inputs: [*python, "-m", "pytest", "-q", str(HERE / "test_malformed.py")],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("kills", 200), ("terms", 100), ("inputs", 4), ("rebuilds", 500), ("trainings", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--minutes", type=float, default=40.0, help="longest that all may take; no more kills then")
    parser.add_argument("--record", action="store_true", help="write the figures of the book's page anew")
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    work, codes = parts(args), []
    for file in work:
        file.unlink(missing_ok=True)  # what an earlier trial found is none of this one's
    more = {"CARTPOLE_LAB_SOAK": str(args.inputs), "CARTPOLE_LAB_MALFORMED": str(OUT / "inputs.json")}
    for file, command in work.items():
        began = time.monotonic()
        codes.append(subprocess.run(command, env={**os.environ, **more}, check=False).returncode)
        print(f"{file.name}: {(time.monotonic() - began) / 60:.1f} min, exit code {codes[-1]}", flush=True)
    if missing := [file.name for file in work if not file.is_file()]:
        print(f"nothing was measured for {', '.join(missing)}: see above", file=sys.stderr)
        return 1
    kills, leaks, inputs = work
    plot(leaks, OUT / "leaks.svg")
    record = {"kills": kills_in(kills), "inputs": json.loads(inputs.read_text()), "leaks": leaks_in(leaks)}
    print(table(record))
    print(f"memory, threads and handles: {OUT / 'leaks.svg'}")
    wrong = sum(part["bad"] for part in record["kills"].values()) + record["inputs"]["total"]["wrong"]
    held = max(part["memory_mb"] - 10 * max(1, part["rounds"] / 50) for part in record["leaks"].values())
    if args.record:
        record_all(record)
    return 1 if wrong or any(codes) or held > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
