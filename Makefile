# Everything here sets itself up first; doing so twice is instant.
#   make train   train the cart-pole until it is solved, measure and film it
#   make test    run the tests
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
RUN := $(VENV)/bin
# on two cores the quickest to a solved policy; a GPU takes thousands: make train NUM_ENVS=4096
NUM_ENVS ?= 512
# nothing of another Python gets in: robotics people have a PYTHONPATH for ROS, others a user site or a conda base
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP
export PYTHONNOUSERSITE := 1

.PHONY: help setup train test test-fast check lab progress book claims bench soak lock notices platforms clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install everything into .venv
	@$(if $(PYTHONPATH),echo "· PYTHONPATH is left out here: $(PYTHONPATH)")
	@bash .ci/setup.sh $(VENV)

train: setup  ## train until solved, evaluate, film: the main job
	@$(RUN)/cartpole-lab train --agent rl_games_with_symmetry_cfg_entry_point --num_envs $(NUM_ENVS) --stop_when_solved --film $(ARGS)

test: setup  ## run all tests, the book in a browser included; ARGS=tests/unit for some
	@$(RUN)/python -m pytest $(ARGS)

test-fast: setup  ## run the tests that need a minute together
	@$(RUN)/python -m pytest -m fast $(ARGS)

check: setup  ## look at the code without running it: style, types, spelling, links
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/codespell
	@$(RUN)/python .ci/check_text.py
	@$(RUN)/python .ci/notices.py --check

lab: setup  ## open JupyterLab on your copies of the lessons (work/); RESET=03 for a fresh one
	@$(RUN)/python book/lab.py $(if $(RESET),--reset "$(RESET)") $(ARGS)

progress: setup  ## say which exercises pass in your copies
	@$(RUN)/python book/progress.py

book: setup  ## run the lessons and render the book to _build/html
	@$(RUN)/python book/build.py $(ARGS)

claims: setup  ## run the lessons with other seeds and threads, and see which statements hold
	@$(RUN)/python book/run_claims.py $(ARGS)

bench: setup  ## measure speed and memory, to _build/bench
	@$(RUN)/python -m tests.benchmarks $(ARGS)

soak: setup  ## break things for half an hour: kills, malformed inputs, rebuilds, to _build/soak
	@$(RUN)/python tests/trust/soak.py $(ARGS)

lock: setup  ## pin the newest versions that pyproject.toml allows
	@$(RUN)/uv pip compile --quiet pyproject.toml --all-extras --universal --python-version 3.12 \
		--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements.lock
	@$(RUN)/python .ci/platforms.py

notices: setup  ## write THIRD_PARTY_NOTICES.md from what is installed
	@$(RUN)/python .ci/notices.py

platforms: setup  ## ask the package index what can be installed where, to book/measured/platforms.json
	@$(RUN)/python .ci/platforms.py

clean:  ## remove what was built; keeps .venv and logs
	rm -rf _build build dist .pytest_cache .ruff_cache
