#!/usr/bin/env bash
# Makes the virtual environment that the lock file describes. Usage: .ci/setup.sh VENV
set -euo pipefail
venv=$1
python=""
for candidate in python3.12 "$HOME/.pyenv/versions/"3.12.*/bin/python python3 python; do
  if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ ! -x "$venv/bin/python" ]; then
  if [ -n "$python" ]; then
    echo "· making $venv with $("$python" --version)"
    "$python" -m venv "$venv"
  elif command -v uv >/dev/null 2>&1; then
    echo "· making $venv with uv"
    uv venv --quiet --seed --python 3.12 "$venv"
  else
    echo "Isaac Lab 3.0 needs Python 3.12, and none was found here." >&2
    echo "Get one with 'pyenv install 3.12', 'uv python install 3.12', 'apt install python3.12-venv' or from python.org, then try again." >&2
    exit 2
  fi
fi
if [ ! -x "$venv/bin/uv" ]; then
  # uv installs the same files as pip, several times faster; its version and hashes stand in the lock file too
  awk '/^uv==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock > "$venv/uv.lock"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/uv.lock"
fi
echo "· installing $(grep -c '==' requirements.lock) pinned packages (about 8 GB, a minute or two the first time)"
VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip sync --quiet --compile-bytecode --require-hashes requirements.lock
VIRTUAL_ENV=$PWD/$venv "$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
echo "· ready: $venv"
