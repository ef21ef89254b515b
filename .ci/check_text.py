"""Looks through every text of the repository: links that lead nowhere, terms and percentages that are spelt otherwise.

Exit code 1 if something was found, one line each. Addresses on the network are not asked for.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TERMS = {
    r"(?<![/\w.-])IsaacLab\b": "Isaac Lab",
    r"\bMujoco\b|\bMuJoco\b": "MuJoCo",
    r"\bPytorch\b": "PyTorch",
    r"\bGithub\b": "GitHub",
    r"\bcart pole\b": "cart-pole",
    r"\brlgames\b|\bRL-Games\b": "rl-games",
    r"\bhyper-parameter": "hyperparameter",
    r"\broll-out": "rollout",
    r"\bJupyterlab\b": "JupyterLab",
    r"\bstandart\b|\bstd\. dev": "standard deviation",
    r"[\d}](?:\s|\\u00a0)%(?! -?\d)": "without a blank, as Python's format does",  # but 7 % 2 is a remainder
}
"""Spellings that are not the field's, and those that are."""
LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\))?)\)")
GENERATED = re.compile(r"(^|/)(commands|api|mdp_terms|run_times)\.(md|html)$")
"""Pages that the book's build writes."""


def main() -> int:
    """Check all tracked files."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    found = [line for name in names if name and (ROOT / name).is_file() for line in look(Path(name))]
    print("\n".join(found) or "links and terms are fine", file=sys.stderr if found else sys.stdout)
    return bool(found)


def look(name: Path) -> Iterator[str]:
    """What is wrong in one file."""
    if name.suffix not in (
        ".md",
        ".py",
        ".ipynb",
        ".js",
        ".sh",
        ".txt",
        ".yml",
        ".yaml",
        ".cff",
        ".toml",
    ) or name == Path(".ci/check_text.py"):
        return
    for number, line in enumerate(lines(name), start=1):
        for wrong, right in TERMS.items():
            if match := re.search(wrong, line):
                yield f"{name}:{number}: {match[0]!r} is written {right!r}"
        if name.suffix in (".md", ".ipynb"):
            for target in LINK.findall(line):
                if not leads_somewhere(name, target):
                    yield f"{name}:{number}: the link {target!r} leads nowhere"


def lines(name: Path) -> list[str]:
    """Lines of a file; of a notebook, those of its cells."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return text.splitlines()


def leads_somewhere(name: Path, target: str) -> bool:
    """Whether a relative link names a file, or a page made from one. Anchors are the book build's to check."""
    path = urllib.parse.unquote(urllib.parse.urlparse(target).path)
    if urllib.parse.urlparse(target).scheme or not path or path.startswith("/") or GENERATED.search(path):
        return True
    file = (ROOT / name.parent / path).resolve()
    return any(file.with_suffix(suffix).exists() for suffix in (file.suffix, ".md", ".ipynb"))


if __name__ == "__main__":
    sys.exit(main())
