#!/usr/bin/env bash
# Makes the virtual environment that the lock file describes, or mends it. Usage: .ci/setup.sh VENV
#
# A stamp in the environment says what it was made for: its folder, its Python, the platform, the pins. While all four
# are true this script ends at once. A copied or moved folder is mended in place, and nothing is downloaded for that.
set -euo pipefail
cd -P "$(dirname "$0")/.."
name=$1
case $name in /*) venv=$name ;; *) venv=$PWD/$name ;; esac
stamp=$venv/.installed

# What belongs to another Python, or would send packages elsewhere, stays outside.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONPLATLIBDIR VIRTUAL_ENV CONDA_PREFIX
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_REQUIRE_VIRTUALENV PIP_PYTHON
unset UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET UV_PREFIX UV_PROJECT_ENVIRONMENT
# Constraints of a machine with packages of its own (NVIDIA's containers, Colab, clusters): every version is pinned here.
unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_NO_BINARY PIP_ONLY_BINARY PIP_REQUIREMENT
unset UV_CONSTRAINT UV_BUILD_CONSTRAINT UV_OVERRIDE UV_EXCLUDE UV_EXCLUDE_NEWER UV_TORCH_BACKEND UV_REQUIREMENT
unset UV_NO_BUILD UV_NO_BUILD_PACKAGE UV_NO_BINARY UV_NO_BINARY_PACKAGE UV_NO_SOURCES UV_RESOLUTION UV_PRERELEASE
export PYTHONNOUSERSITE=1 PIP_USER=0

fail() {  # the last line says what to do; exit code 2, as from every command here
  echo "set-up: error: $*" >&2
  exit 2
}

python_of_venv() {  # version and origin of the environment's Python; empty where it does not run
  "$venv/bin/python" -I -S -c 'import sys; print(sys.version.split()[0], sys._base_executable)' 2>/dev/null || true
}

facts() {
  printf 'folder %s\npython %s\nplatform %s\npins %s\n' \
    "$venv" "$(python_of_venv)" "$(uname -sm)" "$(cat requirements.lock pyproject.toml | cksum)"
}

stamped() {  # what the stamp says of one of the four; empty without a stamp
  sed -n "s|^$1 ||p" "$stamp" 2>/dev/null || true
}

up_to_date() {
  [ -f "$stamp" ] && [ "$(facts)" = "$(cat "$stamp")" ]
}

find_python() {  # the first Python 3.12 of this machine; empty where there is none
  local candidate
  for candidate in python3.12 "${HOME:-}/.pyenv/versions/"3.12.*/bin/python python3 python; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -I -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
      "$candidate" -I -c 'import sys; print(sys.executable)'
      return
    fi
  done
}

check_system() {  # .ci/platforms.py asked the package index; book/setup.md shows the answers
  local have
  case $(uname -s) in
    Darwin) fail "Isaac Lab 3.0.0 cannot be installed on macOS: its omniverseclient and usd-exchange have no wheel there." \
      "Use a Linux machine, or read the book as it is built" ;;
    Linux)
      command -v getconf >/dev/null 2>&1 || return 0
      have=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
      have=${have##* }
      [ -n "$have" ] || fail "this Linux has no glibc (Alpine?), for which Isaac Lab 3.0.0 has no wheel: use Ubuntu 22.04 or newer"
      if [ "$(printf '2.35\n%s\n' "$have" | sort -V | head -n 1)" != 2.35 ]; then
        fail "glibc $have is too old: Isaac Lab 3.0.0 needs 2.35 (Ubuntu 22.04, Debian 12, RHEL 10 or newer)"
      fi
      ;;
  esac
}

make_environment() {
  local python
  python=$(find_python)
  rm -f "$venv"/bin/python*  # a link that leads nowhere would be kept
  if [ -n "$python" ]; then
    echo "· making $name with $("$python" --version)"
    "$python" -m venv --without-pip "$venv" ||
      fail "$python cannot make an environment (see above): apt install python3.12-venv, then make setup"
  elif command -v uv >/dev/null 2>&1; then
    echo "· making $name with uv"
    uv venv --quiet --allow-existing --python 3.12 "$venv" ||
      fail "uv found no Python 3.12: uv python install 3.12, then make setup"
  else
    fail "Isaac Lab 3.0 needs Python 3.12, and none was found here: 'pyenv install 3.12', 'uv python install 3.12'," \
      "'apt install python3.12-venv' or python.org, then make setup"
  fi
}

fetch_uv() {  # uv installs the same files as pip, several times faster; version and hashes stand in the lock file too
  local python wanted=$venv/uv.lock log=$venv/uv.log options=(--quiet --disable-pip-version-check --require-hashes)
  rm -f "$wanted"
  awk '/^uv==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock >"$wanted"
  if command -v uv >/dev/null 2>&1; then
    uv pip install --quiet --python "$venv/bin/python" --require-hashes -r "$wanted" 2>"$log" && return
  fi
  python=$(find_python)
  if [ -n "$python" ] && "$python" -I -m pip --version >/dev/null 2>&1; then
    "$python" -I -m pip --python "$venv/bin/python" install "${options[@]}" -r "$wanted" 2>"$log" && return
  elif "$venv/bin/python" -I -m ensurepip >/dev/null 2>&1; then
    "$venv/bin/python" -I -m pip install "${options[@]}" -r "$wanted" 2>"$log" && return
  elif [ ! -s "$log" ]; then  # some systems hold both back: Debian without python3-venv and python3-pip
    echo "there is no pip here: apt install python3-pip, or python3.12-venv" >"$log"
  fi
  fail "uv could not be fetched ($(tail -n 1 "$log")): with a network, or with uv on the PATH, try again: make setup"
}

up_to_date && exit 0
check_system
mkdir -p "$venv" 2>/dev/null || fail "$venv cannot be made: this folder is not yours to write in"
if command -v flock >/dev/null 2>&1; then  # a second set-up of the same folder waits, and then finds all done
  exec 9>"$venv/.setting-up"
  flock --nonblock 9 || { echo "· another set-up of this folder is at work: waiting for it"; flock 9; }
  up_to_date && exit 0
fi
if [ ! -w "${HOME:-/nonexistent}" ] && [ -z "${UV_CACHE_DIR:-}" ]; then
  echo "· ${HOME:-the home folder} cannot be written: downloads are kept in _build/cache/uv"
  export UV_CACHE_DIR=$PWD/_build/cache/uv PIP_NO_CACHE_DIR=1
fi

made_on=$(stamped platform)
if [ -n "$made_on" ] && [ "$made_on" != "$(uname -sm)" ]; then
  echo "· $name was made on $made_on, this is $(uname -sm): making it anew"
  find "$venv/" -mindepth 1 -maxdepth 1 ! -name .setting-up -exec rm -rf {} +
fi
case $(python_of_venv) in "3.12."*) ;; *) make_environment ;; esac

# In a copied or moved folder the scripts and the editable install still name the old one.
"$venv/bin/python" -I -S .ci/relocate.py "$venv" "$PWD" "$(stamped folder)"

if [ "$(stamped pins)" != "$(facts | sed -n 's|^pins ||p')" ] || [ ! -x "$venv/bin/uv" ]; then
  [ -x "$venv/bin/uv" ] || fetch_uv
  echo "· installing $(grep -c '==' requirements.lock) pinned packages (the first time 4.6 GB to fetch, 10 GB on disk)"
  "$venv/bin/uv" pip sync --quiet --python "$venv/bin/python" --compile-bytecode --require-hashes requirements.lock ||
    fail "not all packages could be installed (see above); what arrived is kept, so make setup goes on from there"
  "$venv/bin/uv" pip install --quiet --offline --python "$venv/bin/python" --no-deps --no-build-isolation --editable . ||
    fail "this folder could not be installed into $name (see above)"
fi
facts >"$stamp.new"
mv -f "$stamp.new" "$stamp"
echo "· ready: $name"
