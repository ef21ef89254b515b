"""Events for some environments without an index: every environment draws, and a mask decides where it counts.

Isaac Lab calls an event with the numbers of the environments that it is for. How many these are is known only on the
device, so such a call cannot be recorded. Here an event is called for all environments, while the methods by which it
writes joints and roots are exchanged for their twins that take a mask. Whatever else an event writes would reach every
environment, so it is found and refused: a method without a mask, a kernel of its own, an in-place operation on a
tensor that the event has not made itself. What is refused runs as Isaac Lab runs it.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import warp as wp
from isaaclab_newton.physics import NewtonManager
from torch.utils._python_dispatch import TorchDispatchMode

from cartpole_lab.replaced import replaced

MASKED_WRITERS = (
    "write_joint_position_to_sim_index",
    "write_joint_velocity_to_sim_index",
    "write_root_pose_to_sim_index",
    "write_root_link_pose_to_sim_index",
    "write_root_com_pose_to_sim_index",
    "write_root_velocity_to_sim_index",
    "write_root_com_velocity_to_sim_index",
    "write_root_link_velocity_to_sim_index",
)
"""Methods of assets whose twin ``..._mask`` takes full data and changes nothing but device arrays."""

WRITES = ("write_", "set_", "reset", "update", "randomize", "assign")
"""How the names of methods begin that change an asset."""
HARMLESS = ("set_debug_vis",)
LAZY_MODULES = ("isaaclab_newton.assets.", "isaaclab.assets.", "isaaclab_newton.physics.", "isaaclab.utils.warp.")
"""Modules whose launches fill buffers that are derived from the state (or are the masked writers themselves)."""


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stands for a method that has nothing left to do."""


class NotRecordable(RuntimeError):
    """Something in a step can only run as Isaac Lab runs it; the message says what and why."""


def writers_of(asset: Any) -> list[str]:
    """Names of all methods by which ``asset`` can be changed from outside."""
    names = (name for name in dir(type(asset)) if name.startswith(WRITES) and name not in HARMLESS)
    return sorted(name for name in names if callable(inspect.getattr_static(type(asset), name, None)))


class MaskedEvents:
    """Calls events for all environments, so that they write in those of a mask only."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.all_ids = torch.arange(env.num_envs, dtype=torch.int32, device=env.device)
        self._all_ids_64 = self.all_ids.long()
        self._joint_masks: dict[Any, tuple[Any, wp.array]] = {}
        self._writing = 0
        self._marked = False
        self._assets = [
            asset
            for kind in ("articulations", "rigid_objects", "deformable_objects", "rigid_object_collections")
            for asset in getattr(env.scene, kind, {}).values()
        ]

    def begin(self) -> None:
        """Calls for another mask follow, or for another step."""
        self._marked = False

    def call(self, cfg: Any, mask: torch.Tensor, *, watched: bool, wide: bool = False) -> None:
        """Call an event term.

        Args:
            cfg: Its :class:`EventTermCfg`.
            mask: Environments that it is for, shape ``(num_envs,)``.
            watched: Look at every operation of it, and refuse those that would reach other environments.
            wide: Whether Isaac Lab calls it with 64-bit numbers (interval events), not 32-bit ones (resets).

        Raises:
            NotRecordable: It writes in a way that knows no mask.
        """
        function = cfg.func if inspect.isfunction(cfg.func) else type(cfg.func)
        ours = function.__module__.startswith("isaaclab.envs.mdp")  # takes a slice, which saves a gather
        ids = slice(None) if ours and not wide else self._all_ids_64 if wide else self.all_ids
        with self._masked_writers(ids, wp.from_torch(mask)), self._watched() if watched else contextlib.nullcontext():
            cfg.func(self.env, ids, **cfg.params)

    # -- writers --------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _masked_writers(self, ids: Any, mask: wp.array) -> Iterator[None]:
        put: list[tuple[Any, str]] = []
        try:
            for asset in self._assets:
                for name in writers_of(asset):
                    masked = name in MASKED_WRITERS and hasattr(asset, name.removesuffix("_index") + "_mask")
                    make = self._masked_writer if masked else self._refused_writer
                    vars(asset)[name] = make(asset, name, ids, mask)
                    put.append((asset, name))
            yield
        finally:
            for asset, name in put:
                del vars(asset)[name]

    @staticmethod
    def _refused_writer(asset: Any, name: str, ids: Any, mask: wp.array) -> Callable:
        if not name.endswith("_index") and hasattr(type(asset), name + "_index"):  # the old name of another
            return getattr(type(asset), name).__get__(asset)

        def refuse(*args: Any, **kwargs: Any) -> None:
            raise NotRecordable(f"it calls {name}, which knows no mask")

        return refuse

    def _masked_writer(self, asset: Any, name: str, ids: Any, mask: wp.array) -> Callable:
        method = getattr(type(asset), name.removesuffix("_index") + "_mask").__get__(asset)
        joints = "joint" in name
        data = asset.data

        def write(*, env_ids: Any = None, joint_ids: Any = None, **kwargs: Any) -> None:
            same = env_ids == ids if isinstance(ids, slice) and isinstance(env_ids, slice) else env_ids is ids
            if not same:
                raise NotRecordable(f"it calls {name} for environments of its own choice")
            if joints:
                every = joint_ids is None or (isinstance(joint_ids, slice) and joint_ids == slice(None))
                if not every:
                    kwargs["joint_mask"] = self._joint_mask(asset, joint_ids)
                    key, now = ("position", data.joint_pos) if "position" in kwargs else ("velocity", data.joint_vel)
                    full = now.torch.clone()  # the twin takes all joints
                    full[:, joint_ids] = kwargs[key]
                    kwargs[key] = full
            self._writing += 1
            try:
                with self._marked_once():
                    method(env_mask=mask, **kwargs)
            finally:
                self._writing -= 1

        return write

    @contextlib.contextmanager
    def _marked_once(self) -> Iterator[None]:
        """Worlds of a mask are marked for new kinematics by the first write; the others need not say it again."""
        if not (self._marked and NewtonManager.kinematics_dirty):  # or somebody has looked meanwhile
            yield
            self._marked = True
            return
        with replaced(NewtonManager, invalidate_fk=_nothing):
            yield

    def _joint_mask(self, asset: Any, joint_ids: Any) -> wp.array:
        key = joint_ids.data_ptr() if isinstance(joint_ids, torch.Tensor) else str(joint_ids)
        if (id(asset), key) not in self._joint_masks:
            mask = torch.zeros(asset.num_joints, dtype=torch.bool, device=asset.device)
            if isinstance(joint_ids, torch.Tensor):
                mask.index_fill_(0, joint_ids.long(), True)
            else:
                mask[joint_ids] = True
            self._joint_masks[id(asset), key] = (joint_ids, wp.from_torch(mask))
        return self._joint_masks[id(asset), key][1]

    # -- what must not happen ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Refuse in the block whatever changes an array that was there before, unless a masked writer does."""

        def guard(original: Callable, what: str) -> Callable:
            def guarded(*args: Any, **kwargs: Any) -> Any:
                module = sys._getframe(1).f_globals.get("__name__", "")
                if not self._writing and not module.startswith(LAZY_MODULES) and not module.startswith("warp."):
                    raise NotRecordable(f"it {what}, which knows no mask")
                return original(*args, **kwargs)

            return guarded

        guarded = [(wp, name, f"calls warp.{name}") for name in ("launch", "launch_tiled", "copy")]
        guarded += [(wp.array, name, f"writes an array by {name}") for name in ("fill_", "zero_", "assign")]
        kept = [(holder, name, getattr(holder, name)) for holder, name, _ in guarded]
        for (holder, name, what), (_, _, original) in zip(guarded, kept, strict=True):
            setattr(holder, name, guard(original, what))
        try:
            with _NoForeignWrites(self):
                yield
        finally:
            for holder, name, original in kept:
                setattr(holder, name, original)


class _NoForeignWrites(TorchDispatchMode):
    """Refuses in-place operations on tensors that were not made in the block."""

    def __init__(self, events: MaskedEvents) -> None:
        super().__init__()
        self._events = events
        self._own: set[int] = set()
        self._kept: list[Any] = []  # as long as the storage lives, its address is not given out again

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """PyTorch would ask its compiler to leave this alone, and import it for that: five seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema = func._schema
        for position, argument in enumerate(schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            for tensor in value if isinstance(value, list | tuple) else [value]:
                if isinstance(tensor, torch.Tensor) and not self._events._writing and self._foreign(tensor):
                    raise NotRecordable(f"it changes a tensor in place ({schema.name.removeprefix('aten::')})")
        result = func(*args, **kwargs)
        views = any(r.alias_info is not None for r in schema.returns)
        if not views:
            for tensor in result if isinstance(result, list | tuple) else [result]:
                if isinstance(tensor, torch.Tensor):
                    self._own.add(tensor.untyped_storage().data_ptr())
                    self._kept.append(tensor)
        return result

    def _foreign(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() not in self._own
