"""Isaac Lab's PhysX manager without Isaac Sim, ready for a machine that has no CUDA driver.

Isaac Lab asks Warp for page-locked CPU memory, which only a CUDA driver hands out. Where there is none, nothing
is copied to a GPU and ordinary memory does as well, so Warp's CPU device is told to use it. The manager itself is
upstream's class: importing it by this name is what applies the change.
"""

from __future__ import annotations

import warp as wp
from isaaclab_ov.physics import OvPhysxManager

__all__ = ["OvPhysxManager"]

if not wp.is_cuda_available():
    _cpu = wp.get_device("cpu")
    _cpu.pinned_allocator = _cpu.default_allocator
