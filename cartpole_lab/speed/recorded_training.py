"""rl-games' training on a GPU that is kept busy: rollout and minibatches recorded once and replayed.

rl-games waits for the device at every step of a rollout, to know which episodes are over, and after every minibatch, to
adapt the learning rate. Here a rollout notes on the device what happens, and the host asks once, at its end: running
means and observers then hear of the steps one after the other, as ever. What the agent does around a step of the
environment, and a minibatch with its adaptation of the learning rate, are CUDA graphs. Losses, schedules, checkpoints
and curves are rl-games' own up to rounding: the learning rate reaches the optimizer as a 32-bit number.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from rl_games.common.a2c_common import A2CBase, swap_and_flatten01
from rl_games.common.schedulers import AdaptiveScheduler

from .function_graphs import FunctionGraphs
from .ppo_update import LeanA2CAgent
from .rollout_notes import RolloutNotes
from .switch import on

_DATA = ("obs", "actions", "mu", "sigma", "old_logp_actions", "advantages", "returns", "old_values")


class RecordedA2CAgent(LeanA2CAgent):
    """rl-games' continuous PPO agent whose rollout and update are CUDA graphs, where the settings allow that."""

    everywhere = False
    """Whether to go this way on a CPU too, with functions in place of graphs (for tests)."""

    def __init__(self, base_name: str, params: dict[str, Any]) -> None:
        config = params["config"]
        self._adaptive = config["lr_schedule"] == "adaptive"
        self._kl_threshold = config.get("kl_threshold")
        super().__init__(base_name, params)
        self._rollout: FunctionGraphs | None = None
        self._update: FunctionGraphs | None = None
        self._began = False

    # -- what is covered ------------------------------------------------------------------------------------------

    def covers(self) -> bool:
        """Whether the closed form of the loss is taken."""
        return on("written_out_update") and super().covers()

    def why_not(self) -> str | None:
        """What keeps this training from being recorded, or None."""
        wrapper = getattr(self.vec_env, "env", None)
        reasons = {
            "not on a GPU": not (self.everywhere or str(self.ppo_device).startswith("cuda")),
            "the shortcut is off": not on("recorded_training"),
            "the loss or the network is of another kind": not self.covers(),
            "recurrent networks": self.is_rnn,
            "mixed precision": self.mixed_precision,
            "a central value function": self.has_central_value,
            "action masks": self.use_action_masks,
            "several agents an environment": self.num_agents != 1 or self.value_size != 1,
            "observations of several parts": not isinstance(self.obs_shape, tuple),
            "pictures": isinstance(self.obs_shape, tuple) and len(self.obs_shape) != 1,
            "observations that are not PyTorch's": not self.is_tensor_obses,
            "a moving scale of advantages": self.normalize_advantage and self.normalize_rms_advantage,
            "a schedule of the entropy": getattr(self.scheduler, "apply_to_entropy", False),
            "forced resets": self.epochs_between_resets > 0,
            "Isaac Lab's wrapper is missing": not hasattr(wrapper, "_process_obs"),
            "another device simulates": getattr(wrapper, "_sim_device", None) != getattr(wrapper, "_rl_device", None),
        }
        return next((reason for reason, holds in reasons.items() if holds), None)

    def train(self) -> tuple[float, int]:
        """The whole training, as rl-games' ``train``."""
        try:
            return super().train()
        finally:
            for graphs in (self._rollout, self._update):
                if graphs is not None:
                    graphs.release()

    # -- rollout ----------------------------------------------------------------------------------------------------

    def play_steps(self) -> dict[str, Any]:
        """One rollout, as rl-games' ``play_steps``."""
        if not self._began or self.why_not():  # the first one as ever: observers may set the environment up
            self._began = True
            return super().play_steps()
        key = self._rollout_key()
        if self._rollout is None or self._rollout.key != key:
            self.notes = RolloutNotes(self)
            self._rollout = FunctionGraphs(
                key, self.ppo_device, act=self.notes.act, note=self.notes.note, close=self.notes.close
            )
        notes, graphs, wrapper = self.notes, self._rollout, self.vec_env.env
        notes.open()
        step_time = 0.0
        for _ in range(self.horizon_length):
            graphs.replay("act")
            started = time.perf_counter()
            obs, reward, terminated, truncated, extras = wrapper.env.step(notes.env_actions)
            step_time += time.perf_counter() - started
            notes.take(obs, reward, terminated, truncated, extras)
            graphs.replay("note")
        graphs.replay("close")
        notes.tell()
        batch = self.experience_buffer.get_transformed_list(swap_and_flatten01, self.tensor_list)
        batch["returns"] = swap_and_flatten01(notes.returns)
        batch["played_frames"], batch["step_time"] = self.batch_size, step_time
        return batch

    def _rollout_key(self) -> tuple:
        """What the graphs of a rollout have baked in."""
        shaper = tuple(v for v in vars(self.rewards_shaper).values() if isinstance(v, (int, float)))
        buffers = (*self.experience_buffer.tensor_dict.values(), self.current_rewards, self.current_shaped_rewards)
        addresses = tuple(t.data_ptr() for t in (*buffers, self.current_lengths, *self.model.parameters()))
        numbers = (self.gamma, self.tau, self.value_bootstrap, self.clip_actions, self.horizon_length)
        finite = self.vec_env.env.unwrapped.cfg.is_finite_horizon
        return (numbers, shaper, finite, addresses, self.vec_env.env._clip_obs, self.vec_env.env._clip_actions)

    # -- update -----------------------------------------------------------------------------------------------------

    def train_epoch(self) -> tuple:
        """One epoch, as rl-games' ``train_epoch``."""
        if self.epoch_num <= 1 or self.why_not():
            return super().train_epoch()
        A2CBase.train_epoch(self)
        self.set_eval()
        began = time.perf_counter()
        with torch.no_grad():
            batch = self.play_steps()
        played = time.perf_counter()
        self.set_train()
        self.curr_frames = batch.pop("played_frames")
        self.prepare_dataset(batch)
        self.algo_observer.after_steps()
        losses = self._run_update()
        ended = time.perf_counter()
        a_losses, c_losses, b_losses, entropies, kls = losses
        times = (batch["step_time"], played - began, ended - played, ended - began)
        return *times, a_losses, c_losses, b_losses, entropies, kls, self.last_lr, 1.0

    def _run_update(self) -> tuple[list[torch.Tensor], ...]:
        key = self._update_key()
        if self._update is None or self._update.key != key:
            self._make_update(key)
        values = self.dataset.values_dict
        for name, static in self._data.items():
            static.copy_(values[name])
        if self.normalize_input:
            for static, now in zip(self._obs_stats, self._stats_of(self.model.running_mean_std), strict=True):
                static.copy_(now)
        self._lr64.fill_(self.last_lr)
        self._lr.fill_(self.last_lr)
        self._row.zero_()
        group = self.optimizer.param_groups[0]
        number, minibatches = 0, self.num_minibatches
        for mini_epoch in range(self.mini_epochs_num):
            for i in range(minibatches):
                self._update.replay(f"{'first' if self.normalize_input and mini_epoch == 0 else 'minibatch'}{i}")
                number += 1
            if self.schedule_type == "standard" and self._adaptive:
                self._adapt(self._rows[number - minibatches : number, 3].mean())
            self.diagnostics.mini_epoch(self, mini_epoch)
        if self.normalize_input:
            for static, now in zip(self._obs_stats, self._stats_of(self.model.running_mean_std), strict=True):
                now.copy_(static)
            self.model.running_mean_std.eval()
        rows = self._rows[:number].cpu()  # the only wait of an update
        if self._adaptive:
            self.last_lr = float(self._lr64)
        else:
            self.last_lr, self.entropy_coef = self.scheduler.update(
                self.last_lr, self.entropy_coef, self.epoch_num, 0, float(rows[-1, 3])
            )
        group["lr"], group["capturable"] = self.last_lr, False
        self.aux_loss_dict = {}
        a, c, entropy, kl, b = (list(column) for column in rows.float().unbind(dim=1))
        kls = [torch.stack(kl[i : i + minibatches]).mean() for i in range(0, number, minibatches)]
        return a, c, b, entropy, kls

    def _update_key(self) -> tuple:
        """What the graphs of an update have baked in."""
        values = self.dataset.values_dict
        shapes = tuple(tuple(values[name].shape) for name in _DATA)
        numbers = (
            self.e_clip,
            self.clip_value,
            self.critic_coef,
            self.entropy_coef,
            self.bounds_loss_coef,
            self.truncate_grads,
            self.grad_norm,
            self.weight_decay,
            self.minibatch_size,
            self.mini_epochs_num,
            self.schedule_type,
            self._kl_threshold,
            self.world_size,
        )
        state = self.optimizer.state
        addresses = tuple(p.data_ptr() for p in self.model.parameters())
        moments = tuple(v.data_ptr() for s in state.values() for v in s.values() if isinstance(v, torch.Tensor))
        return numbers, shapes, addresses, moments

    def _make_update(self, key: tuple) -> None:
        """Static copies of everything that a minibatch reads or writes, and its graphs."""
        values, device = self.dataset.values_dict, self.ppo_device
        self._data = {name: torch.empty_like(values[name]) for name in _DATA}
        for name, static in self._data.items():
            static.copy_(values[name])
        self._lr = torch.tensor(float(self.last_lr), device=device)
        self._lr64 = torch.tensor(float(self.last_lr), device=device, dtype=torch.float64)
        self._rows = torch.zeros(self.mini_epochs_num * self.num_minibatches, 5, device=device, dtype=torch.float64)
        self._row = torch.zeros(1, device=device, dtype=torch.long)
        if self.normalize_input:
            self._obs_stats = tuple(t.clone() for t in self._stats_of(self.model.running_mean_std))
        group = self.optimizer.param_groups[0]
        group["lr"], group["capturable"] = self._lr, str(device).startswith("cuda")
        pieces: dict[str, Callable[[], None]] = {}
        for i in range(self.num_minibatches):
            pieces[f"minibatch{i}"] = lambda i=i: self._minibatch(i, learn_stats=False)
            if self.normalize_input:
                pieces[f"first{i}"] = lambda i=i: self._minibatch(i, learn_stats=True)
        self._update = FunctionGraphs(key, device, **pieces)

    @staticmethod
    def _stats_of(module: Any) -> tuple[torch.Tensor, ...]:
        return module.running_mean, module.running_var, module.count

    def _minibatch(self, number: int, learn_stats: bool) -> None:
        """One minibatch, its losses noted in a row, and the learning rate for the next one."""
        part = slice(number * self.minibatch_size, (number + 1) * self.minibatch_size)
        batch = {name: static[part] for name, static in self._data.items()}
        group = self.optimizer.param_groups[0]
        group["lr"], group["capturable"] = self._lr, self._lr.is_cuda
        obs = self._normalized(self._preproc_obs(batch["obs"]), learn_stats)
        *losses, mu, sigma = self.minibatch(obs, batch)
        with torch.no_grad():
            batch["mu"].copy_(mu)
            batch["sigma"].copy_(sigma)
            kl = losses[3]
            self._rows.index_copy_(0, self._row, torch.stack(losses).double().unsqueeze(0))
            self._row += 1
            if self.schedule_type == "legacy" and self._adaptive:
                self._adapt(kl)

    def _adapt(self, kl: torch.Tensor) -> None:
        """rl-games' ``AdaptiveScheduler`` on the device."""
        lr, threshold, limits = self._lr64, self._kl_threshold, AdaptiveScheduler(self._kl_threshold)
        lower, higher = (lr / 1.5).clamp_min(limits.min_lr), (lr * 1.5).clamp_max(limits.max_lr)
        lr.copy_(torch.where(kl > 2.0 * threshold, lower, torch.where(kl < 0.5 * threshold, higher, lr)))
        self._lr.copy_(lr)

    def _normalized(self, obs: torch.Tensor, learn_stats: bool) -> torch.Tensor:
        """rl-games' ``RunningMeanStd``, with its statistics written in place."""
        if not self.normalize_input:
            return obs
        with torch.no_grad():
            mean, var, count = self._obs_stats
            if learn_stats:
                n, batch_mean, batch_var = len(obs), obs.mean(dim=0), obs.var(dim=0, unbiased=False)
                delta, total = batch_mean - mean, count + n
                m2 = var * count + batch_var * n + delta**2 * count * n / total
                mean.copy_(mean + delta * n / total)
                var.copy_(m2 / total)
                count.copy_(total)
            scaled = (obs - mean.float()) / torch.sqrt(var.float() + self.model.running_mean_std.epsilon)
            return torch.clamp(scaled, min=-5.0, max=5.0)
