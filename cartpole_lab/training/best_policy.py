"""Which policy of a training is the best: rl-games' callback, which evaluates between epochs and decides when to stop.

The other libraries' is ``other_libraries_watch.py``; how many epochs lie between evaluations stands in ``options.py``.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cartpole_lab.evaluation import live_criterion, run_episodes
from cartpole_lab.evaluation_result import Evaluation
from cartpole_lab.files import write_whole
from cartpole_lab.policies.loading import build_policy
from cartpole_lab.policies.network import NetworkPolicy
from cartpole_lab.replaced import replaced
from cartpole_lab.session.nan_guard import NotFinite, check_update, what_is_not_finite
from cartpole_lab.session.saved_state import undisturbed
from cartpole_lab.tasks.success import PROMISING_FAILURES, PROMISING_SHARE, stop_failures
from cartpole_lab.training import signals
from cartpole_lab.training.checkpoints import Keeper
from cartpole_lab.training.options import CHOOSING_SEED, TrainOptions
from cartpole_lab.training.progress import Curve, EpochInfo, ProgressLine
from cartpole_lab.training.tensorboard_writer import outlive_the_disk


class Watch:
    """Looks in on rl-games after every epoch: progress, evaluations, the best model, and when to stop."""

    def __init__(
        self,
        env: Any,
        params: dict[str, Any],
        keeper: Keeper,
        line: ProgressLine,
        on_epoch: Callable[[EpochInfo], bool | None] | None,
        stop_when_solved: bool,
        eval_interval: int,
        episodes: int,
    ) -> None:
        self.env, self.params, self.keeper, self.line, self.on_epoch = env, params, keeper, line, on_epoch
        self.stop_when_solved, self.eval_interval, self.episodes = stop_when_solved, eval_interval, episodes
        self.curve = Curve()
        self.began = time.time()
        self.best: dict[str, Any] | None = None
        """The moment that did best when evaluated: all entries of its checkpoint."""
        self.best_score = -np.inf
        self.best_written = False
        """Whether the best one lies in its file; before the agent's ``save_best_after`` it waits."""
        self.failed = 0
        """Episodes of this epoch that ended before their time limit."""
        self.pay = 0.0
        """What this epoch's steps paid so far, mean over the environments."""
        self.steps = 0
        """Steps of this epoch so far."""
        self.whole_s: float = env.unwrapped.cfg.episode_length_s
        """Length of the task's episodes [s]."""
        self.cut_s: float = min(params.get("env", {}).get("episode_length_s", self.whole_s), self.whole_s)
        """Length at which the agent has them cut while it learns [s]."""
        self.solved_at: float | None = None
        """:func:`time.time` at which an evaluation had found the policy solved, with ``stop_when_solved``."""
        self.check_finite = True
        """Whether an update that leaves numbers which are none ends the training."""
        self.processes = 1
        """Processes that learn together; they stop together too, after an epoch."""
        self.algo: Any = None
        self.done = 0
        """Epochs that are done."""
        space = env.unwrapped.single_observation_space["policy"]
        self.obs_shape = tuple(space.shape)

    def policy(self, moment: dict[str, Any]) -> NetworkPolicy:
        """The deterministic policy of a moment."""
        policy = build_policy(moment["model"], self.keeper.meaning, self.obs_shape)
        return policy.to(self.env.unwrapped.device)

    def step_done(self, ended: int, time_outs: torch.Tensor | None, rewards: torch.Tensor | None = None) -> None:
        """Called by rl-games after every step of the rollout; ``rewards`` ``(num_envs,)``, by default the latest."""
        if self.processes == 1:
            signals.check()
        raw = self.env.unwrapped
        if self.cut_s != raw.cfg.episode_length_s:  # the first step of all
            raw.cfg.episode_length_s = self.cut_s
            torch.randint(raw.max_episode_length, (raw.num_envs,), out=raw.episode_length_buf)  # not all cut at once
        self.failed += ended - (0 if time_outs is None else int(time_outs.sum()))
        self.pay += float(_probe(raw) if rewards is None else rewards.mean())
        self.steps += 1
        if self.check_finite and not math.isfinite(self.pay):  # on a CPU the guard has stopped it before
            self.stop_at(what_is_not_finite(raw))

    def stop_at(self, error: NotFinite) -> None:
        """Keep what was learned before a number that is none, and end the training.

        Raises:
            NotFinite: Always; it says where what was learned lies.
        """
        kept = ""
        if self.done:
            self.interrupt()
            kept = f"; what was learned before lies in {self.algo.nn_dir}"
        epoch = self.done + 1 if self.keeper.writes else self.algo.epoch_num
        raise error.in_training(f"training stopped in epoch {epoch}: ", kept) from error

    def epoch_done(self, frame: int, epoch: int) -> None:
        """Called by rl-games, before it decides whether to go on.

        Raises:
            NotFinite: The update has left losses or weights that are no numbers.
        """
        algo = self.algo
        if self.check_finite:
            losses = dict(zip(("actor", "critic"), algo.train_result[:2], strict=False))
            try:
                check_update(losses, algo.model.named_parameters(), epoch=epoch, step=int(algo.frame))
            except NotFinite as error:
                lower = f", as with agent.params.config.learning_rate={algo.last_lr / 10:g}"
                raise error.in_training(f"training stopped in epoch {epoch}: ", lower) from error
        algo.last_mean_rewards = np.inf  # "best" is ours to say: rl-games would go by its running mean
        began = bool(algo.game_rewards.current_size)
        wall_s = time.time() - self.began
        info = EpochInfo(
            epoch=epoch,
            max_epochs=algo.max_epochs,
            env_steps=int(algo.frame),
            wall_s=wall_s,
            mean_return=float(algo.game_rewards.get_mean()[0]) if began else float("nan"),
            mean_length=float(algo.game_lengths.get_mean()) if began else float("nan"),
            steps_per_s=self.processes * algo.curr_frames / max(wall_s - self.curve.wall_s, 1e-9),
            evaluation=self._evaluate(epoch),
            episode_s=self.cut_s,
            whole_episode_s=self.whole_s,
        )
        self.done = epoch
        self.failed, self.pay, self.steps = 0, 0.0, 0
        self.curve.note(info)
        self.line.show(info.line())
        stop = self.on_epoch is not None and self.on_epoch(info) is False
        solved = self._solved(info.evaluation)
        if solved:
            self.solved_at = time.time()
        won = began and epoch >= algo.save_best_after and self._won(float(algo.game_rewards.get_mean()[0]))
        if stop or solved or won or (self.processes > 1 and signals.asked()):
            algo.max_epochs = epoch  # rl-games saves and returns

    def _evaluate(self, epoch: int) -> Evaluation | None:
        """Evaluate every few epochs, and remember the weights that did best."""
        if self.eval_interval <= 0 or epoch % self.eval_interval or not self._promising():
            return None
        moment = self.keeper.moment(self.algo)
        give_up = stop_failures(self.episodes) if self.stop_when_solved else None
        with undisturbed(self.env), self.whole_episodes():  # building a network draws random numbers too
            policy = self.policy(moment)
            result = run_episodes(
                self.env,
                policy,
                episodes=self.episodes,
                seed=CHOOSING_SEED + epoch,
                give_up_after=give_up,
                side_by_side=True,
            )
        if result.complete:
            self.curve.note_evaluation(epoch, result)
            self._keep_if_best(moment, result.mean_return)
        return result

    def _keep_if_best(self, moment: dict[str, Any], score: float) -> None:
        """Remember a moment that did better than all before; the file of the best begins at ``save_best_after``."""
        if score > self.best_score:
            self.best, self.best_score, self.best_written = moment, score, False
        if self.best is not None and not self.best_written and moment["epoch"] >= self.algo.save_best_after:
            self.keep_best()
            self.best_written = True

    def keep_best(self) -> Path:
        """Write the best moment where Isaac Lab looks for the best checkpoint, and record why it is that."""
        if self.best is None:
            return self.keeper.write_best(self.keeper.moment(self.algo), "the last epoch: none was evaluated", None)
        evaluated = len(self.curve["eval_epoch"])
        why = f"highest mean return of {evaluated} evaluation{'s' if evaluated > 1 else ''}"
        return self.keeper.write_best(self.best, why, self.best_score)

    def whole_episodes(self) -> contextlib.AbstractContextManager[None]:
        """Play the task's episodes in the block, not those that the agent has cut."""
        return replaced(self.env.unwrapped.cfg, episode_length_s=self.whole_s)

    def _promising(self) -> bool:
        """With stop-when-solved, a policy that falls while it explores isn't worth an evaluation yet.

        Looks at the rollout of this epoch: finished episodes tell of a good policy a whole episode later.
        """
        if not self.stop_when_solved:
            return True
        raw = self.env.unwrapped
        if self.failed > PROMISING_FAILURES * raw.num_envs:
            return False
        ceiling = live_criterion(raw).ceiling
        return ceiling is None or self.pay / self.steps / raw.step_dt > PROMISING_SHARE * ceiling

    def _won(self, mean_return: float) -> bool:
        """Whether rl-games' running mean has passed the agent's ``score_to_win``, which ends a training."""
        score = self.params["config"].get("score_to_win")
        if score is None or mean_return <= float(score):
            return False
        self.line.show(f"running mean {mean_return:.2f} has passed score_to_win {float(score):g}: done", keep=True)
        return True

    def _solved(self, evaluation: Evaluation | None) -> bool:
        return self.stop_when_solved and evaluation is not None and evaluation.solved_with_margin()

    def close(self) -> None:
        """Write TensorBoard's last numbers and end its threads, which would stay for as long as the process."""
        writer = getattr(self.algo, "writer", None)
        if writer is not None:
            writer.close()

    def stop(self, error: KeyboardInterrupt) -> str:
        """Keep what was learned when the user stops the run, and mark the run before it is evaluated.

        Returns:
            What stopped it, ``"SIGINT"`` or ``"SIGTERM"``.

        Raises:
            Stopped: No epoch was done, so there is nothing to keep.
        """
        name = signals.reason(error)
        signals.answered()
        marks = {"stopped": name, "epochs": self.done, "evaluated": False}
        with contextlib.suppress(OSError):  # a full disk must not come before what was learned
            write_whole(self.keeper.log_dir / "summary.json", json.dumps(marks, indent=2) + "\n")
        if not self.done:
            raise signals.Stopped(signal.Signals[name]) from error
        self.interrupt()
        self.line.show(f"stopped by {name} after {self.done} epochs, saved; evaluating (again to leave now)", keep=True)
        return name

    def interrupt(self) -> None:
        """Keep what was learned so far: the epochs that were done, not the one that was begun."""
        moment = {**self.keeper.moment(self.algo), "epoch": self.done}
        self.keeper.write(Path(self.algo.nn_dir) / f"last_{self.params['config']['name']}_ep_{self.done}.pth", moment)


def _probe(raw: Any) -> torch.Tensor:
    """Mean reward of a step; NaN if any number that the policy sees is none."""
    mean, obs = raw.reward_buf.mean(), raw.obs_buf.get("policy")
    return mean + 0.0 * obs.sum() if isinstance(obs, torch.Tensor) and obs.ndim == 2 else mean


def make_observer(watch: Watch, agent_cfg: dict[str, Any], options: TrainOptions) -> Any:
    """rl-games' observers: Isaac Lab's, ours, and population-based training's if the agent asks for it."""
    from isaaclab_rl.rl_games import MultiObserver, PbtAlgoObserver
    from rl_games.common.algo_observer import AlgoObserver, IsaacAlgoObserver

    class Watcher(AlgoObserver):
        def after_init(self, algo: Any) -> None:
            watch.algo = algo
            outlive_the_disk(algo.writer)

        def after_clear_stats(self) -> None:
            pass

        def process_infos(self, infos: dict[str, Any], done_indices: torch.Tensor) -> None:
            watch.step_done(len(done_indices), infos.get("time_outs"), infos.get("step_rewards"))

        def after_print_stats(self, frame: int, epoch_num: int, total_time: float) -> None:
            watch.epoch_done(frame, epoch_num)

    observers = [Watcher()]
    if watch.keeper.writes:  # the other processes never print, and it would keep what it hears until they do
        observers.insert(0, IsaacAlgoObserver())
    if agent_cfg.get("pbt", {}).get("enabled", False):
        observers.append(PbtAlgoObserver(agent_cfg, options))  # the fields have the names of Isaac Lab's flags
    return MultiObserver(observers)
