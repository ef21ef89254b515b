#!/usr/bin/env bash
# Ray Tune with max_failures=3 and reuse_actors=True: a process dies once in a step of a trial, or once while it is handed the next trial
#
# Guess: either way the trial is repeated, up to three times, as its documentation says of failures.
# Truth: after a death in a step it is; after one at the hand-over (reset_config) the trial ends with an error at once, none of its three repetitions used.
# Why it matters: machines that are taken back or run out of memory kill processes at any moment, and of a long sweep some trials are missing at
#   the end. Look at the errors of the result and run those trials again, or set reuse_actors=False, which starts a process for each.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONNOUSERSITE=1 RAY_USAGE_STATS_ENABLED=0
unset PYTHONPATH
"${PYTHON:-python3.12}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet 'ray[tune]==2.52.1' numpy==2.5.5 pandas==2.3.3 pyarrow==26.0.1 tensorboardX==2.6.5 pydantic==2.14.3
cd "$folder"
cat > hand_over.py <<'PY'
import logging
import os
from importlib.metadata import version

import ray
from ray import tune

FOLDER = os.getcwd()


def say(*packages):
    print("versions:", ", ".join(f"{p} {version(p)}" for p in packages))


def expect(what, holds):
    print(("as found:  " if holds else "CHANGED:   ") + what)
    if not holds:
        raise SystemExit(1)


class Trial(tune.Trainable):
    """One step. The process that first meets trial 1 ends itself, in its step or at its hand-over; the next one does not."""

    def setup(self, config):
        self.config_of_trial = config

    def reset_config(self, config):
        self.config_of_trial = config
        self.die_once("hand-over")
        return True

    def step(self):
        self.die_once("step")
        return {"done": True}

    def die_once(self, moment):
        mark = os.path.join(FOLDER, f"died in {self.config_of_trial['moment']}")
        if self.config_of_trial["number"] == 1 and self.config_of_trial["moment"] == moment and not os.path.exists(mark):
            open(mark, "w").close()
            os._exit(1)

    def save_checkpoint(self, folder):
        return {}

    def load_checkpoint(self, state):
        pass


say("ray")
ray.init(num_cpus=1, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False, _temp_dir=f"{FOLDER}/ray")
errors = {}
for moment in ("step", "hand-over"):
    tuner = tune.Tuner(
        Trial,
        param_space={"number": tune.grid_search([0, 1]), "moment": moment},
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=1),
        run_config=tune.RunConfig(
            storage_path=FOLDER, name=moment, verbose=0, failure_config=tune.FailureConfig(max_failures=3)
        ),
    )
    found = tuner.fit()
    errors[moment] = found.num_errors
    died = os.path.exists(f"died in {moment}")
    print(f"death in the {moment}: {died}; of {len(found)} trials {found.num_terminated} ended well, {found.num_errors} with an error")
ray.shutdown()
expect("a trial whose process died in a step was repeated", errors["step"] == 0)
expect("a trial whose process died at its hand-over was not", errors["hand-over"] == 1)
PY
# what Tune says of each trial is left out
"$folder/venv/bin/python" hand_over.py 2> errors.txt | grep -E "^(versions|death|as found|CHANGED)" || { tail -5 errors.txt; exit 1; }
