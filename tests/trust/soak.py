"""The long form of this folder's tests: kills, malformed inputs, rebuilds, for half an hour and more.

python tests/trust/soak.py [--kills 200] [--terms 100] [--inputs 4] [--rebuilds 500] [--trainings 20] [--minutes 40]
                           [--only kills leaks inputs] [--record]

A machine that is too slow for all of it makes fewer, and the figures say how many. Everything goes to ``_build/soak``:
a line a signal, the table of inputs by kind, memory, threads and handles as rows and as a plot. With ``--record`` the
figures of the page of promises are written anew, with ``--only`` those of some parts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OUT = ROOT / "_build" / "soak"
MEASURED = ROOT / "book" / "measured"
BENCH = ROOT / "_build" / "bench" / "trust.json"
"""What ``python -m tests.benchmarks.trust`` has found last."""


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


def cost_in(file: Path) -> dict[str, Any]:
    """What the watching costs, of all that its benchmark has found."""
    found = json.loads(file.read_text())
    share = sum(processor for processor, _ in found["parts_percent"].values())
    rounds = len(found["rounds"]["with"])
    return {"share_percent": round(share, 1), "rounds": rounds, "in_turns_percent": round(found["in_turns_percent"], 1)}


def plot(file: Path, picture: Path) -> None:
    """Memory, threads and handles over the rounds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots(3, 2, sharex="col")
    for column, (name, rows) in enumerate(json.loads(file.read_text()).items()):
        for axis, key in zip(axes[:, column], ("memory_mb", "threads", "handles"), strict=True):
            axis.plot([row[key] for row in rows])
            axis.set(ylabel=key.replace("_mb", " [MB]"), ylim=(0, 1.2 * max(row[key] for row in rows)))
        axes[0, column].set_title(name)
        axes[2, column].set_xlabel("rounds")
    figure.savefig(picture, dpi=100)


def table(record: dict[str, Any]) -> str:
    """The figures of the page of promises, as a table in Markdown."""
    killed, told = record["kills"]["SIGKILL"], record["kills"]["SIGTERM"]
    inputs, leaks, cost = record["inputs"], record["leaks"], record["cost"]
    went_on = sum(part["went_on"] for part in (killed, told))
    tried = went_on + sum(part["did_not_go_on"] for part in (killed, told))
    held = {
        name: f"{part['rounds']} {{}}: {part['memory_mb']:+.1f} MB, {part['threads']:+.0f} threads, "
        f"{part['handles']:+.0f} handles"
        for name, part in leaks.items()
    }
    rows = [
        (
            "A training that is killed leaves every checkpoint whole, and can go on.",
            "tests/trust/test_kills.py",
            f"{killed['signals']} kills, {killed['aimed_at_a_file']} of them while a file was made: "
            f"{killed['unreadable']} of {killed['checkpoints']} checkpoints unreadable, "
            f"{killed['stray_processes']} processes left after 3 s",
        ),
        (
            "A training that is told to stop keeps what it has learned, and says so.",
            "tests/trust/test_kills.py`, `tests/unit/test_signals.py",
            f"{told['signals']} times SIGTERM: {told['unreadable']} of {told['checkpoints']} checkpoints unreadable, "
            f"{told['bad']} wrong endings; killed and stopped trainings went on {went_on} times of {tried}",
        ),
        (
            "Malformed input is refused in a line. Nothing is overwritten, no nonsense is taken.",
            "tests/trust/test_malformed.py",
            f"{inputs['total']['inputs']} inputs of {len(inputs['kinds'])} kinds: {inputs['total']['wrong']} wrong",
        ),
        (
            "Environments and trainings in one process leave nothing behind.",
            "tests/trust/test_leaks.py",
            f"{held['rebuilds'].format('environments')}; {held['trainings'].format('trainings')}",
        ),
        (
            "To watch over all this costs a training next to nothing.",
            "tests/benchmarks/trust.py",
            f"{cost['share_percent']}% of its processor time, looked at where it is spent; {cost['rounds']} trainings "
            f"with it and without, in turns: {cost['in_turns_percent']:+}%",
        ),
    ]
    lines = ["| Promise | Test | Last figure |", "| --- | --- | --- |"]
    lines += [f"| {promise} | `{test}` | {figure} |" for promise, test, figure in rows]
    lines += ["", "| Malformed inputs | given | refused | taken, rightly | wrong |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {kind} | {row['inputs']} | {row['refused']} | {row['taken']} | {row['wrong']} |"
        for kind, row in inputs["kinds"].items()
    ]
    return "\n".join(lines) + "\n"


def record_all(record: dict[str, Any]) -> None:
    """Write ``trust.json`` and ``trust.txt`` of the book."""
    (MEASURED / "trust.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (MEASURED / "trust.txt").write_text(table(record), encoding="utf-8")


READ: dict[str, tuple[Path, Callable[[Path], Any]]] = {
    "kills": (OUT / "kills.txt", kills_in),
    "leaks": (OUT / "leaks.json", leaks_in),
    "inputs": (OUT / "inputs.json", lambda file: json.loads(file.read_text())),
}
"""By part: the file that it writes, and what reads it."""


def commands(args: argparse.Namespace) -> dict[str, list[str]]:
    """The command of each part; kills get three fifths of the time, leaks a quarter."""
    kills, leaks = [str(args.kills), str(args.terms)], [str(args.rebuilds), str(args.trainings)]
    return {
        "kills": [str(HERE / "kills.py"), *kills, str(READ["kills"][0]), str(args.minutes * 60 * 0.6)],
        "leaks": [str(HERE / "leaks.py"), *leaks, str(READ["leaks"][0]), str(args.minutes * 60 * 0.25)],
        "inputs": ["-m", "pytest", "-q", str(HERE / "test_malformed.py")],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("kills", 200), ("terms", 100), ("inputs", 4), ("rebuilds", 500), ("trainings", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--minutes", type=float, default=40.0, help="longest that all may take; no more kills then")
    parser.add_argument("--only", nargs="+", choices=READ, default=list(READ), help="of the others the last figures")
    parser.add_argument("--record", action="store_true", help="write the figures of the book's page anew")
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    record, codes = json.loads((MEASURED / "trust.json").read_text()), []
    more = {"CARTPOLE_LAB_SOAK": str(args.inputs), "CARTPOLE_LAB_MALFORMED": str(READ["inputs"][0])}
    for name in args.only:
        file, read = READ[name]
        command = [sys.executable, "-W", "ignore", *commands(args)[name]]
        file.unlink(missing_ok=True)  # what an earlier trial found is none of this one's
        began = time.monotonic()
        codes.append(subprocess.run(command, env={**os.environ, **more}, check=False).returncode)
        print(f"{name}: {(time.monotonic() - began) / 60:.1f} min, exit code {codes[-1]}", flush=True)
        if not file.is_file():
            print(f"nothing was measured for {name}: see above", file=sys.stderr)
            return 1
        record[name] = read(file)
    print(table(record))
    wrong = sum(part["bad"] for part in record["kills"].values()) + record["inputs"]["total"]["wrong"]
    held = max(part["memory_mb"] - 10 * max(1, part["rounds"] / 50) for part in record["leaks"].values())
    if "leaks" in args.only:
        picture = MEASURED / "trust.png" if args.record else OUT / "leaks.png"
        plot(READ["leaks"][0], picture)
        print(f"memory, threads and handles: {picture}")
    if args.record:
        record["cost"] = cost_in(BENCH) if BENCH.is_file() else record["cost"]
        record_all(record)
    return 1 if wrong or any(codes) or held > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
