"""Isaac Lab's own terms of a cart-pole as kernels: number by number what PyTorch computes, so the bits are the same."""

from __future__ import annotations

import math

import warp as wp

TIME_OUT, OUT_OF_BOUNDS = wp.constant(0), wp.constant(1)
ALIVE, TERMINATED, POSITION_L2, VELOCITY_L1 = wp.constant(0), wp.constant(1), wp.constant(2), wp.constant(3)
PI, TWO_PI = wp.constant(wp.float32(math.pi)), wp.constant(wp.float32(2 * math.pi))

wp.set_module_options({"enable_backward": False})


@wp.kernel
def process(
    given: wp.array2d[float],
    first: int,
    scale: float,
    offset: float,
    before: wp.array2d[float],
    action: wp.array2d[float],
    raw: wp.array2d[float],
    processed: wp.array2d[float],
):
    """An action term that scales and shifts the actions, from column ``first`` on."""
    env, column = wp.tid()
    value = given[env, first + column]
    before[env, first + column] = action[env, first + column]
    action[env, first + column] = value
    raw[env, column] = value
    scaled = value * scale
    processed[env, column] = scaled + offset


@wp.kernel
def clear(
    envs: wp.array[wp.int64],
    count: wp.array[int],
    before: wp.array2d[float],
    action: wp.array2d[float],
    raw: wp.array2d[float],
    sums: wp.array2d[float],
    length: wp.array[wp.int64],
):
    """What managers forget of the environments that restart, the first so many of ``envs``; one thread does it."""
    for entry in range(count[0]):
        env = int(envs[entry])
        for column in range(action.shape[1]):
            before[env, column] = 0.0
            action[env, column] = 0.0
        for column in range(raw.shape[1]):
            raw[env, column] = 0.0
        for column in range(sums.shape[1]):
            sums[env, column] = 0.0
        length[env] = wp.int64(0)


@wp.kernel
def end(
    longest: wp.int64,
    kinds: wp.array[int],
    is_time_out: wp.array[wp.bool],
    lows: wp.array[float],
    highs: wp.array[float],
    joints: wp.array2d[int],
    position: wp.array2d[float],
    length: wp.array[wp.int64],
    truncated: wp.array[wp.bool],
    terminated: wp.array[wp.bool],
    term_dones: wp.array2d[wp.bool],
    last_dones: wp.array2d[wp.bool],
    over: wp.array[wp.bool],
    envs: wp.array[wp.int64],
    count: wp.array[int],
):
    """Termination terms, each an entry of ``kinds``; a row of ``joints`` ends with -1.

    Environments that are over are marked, numbered and counted. A CPU takes them in their order.
    """
    env = wp.tid()
    steps = length[env] + wp.int64(1)
    length[env] = steps
    late = wp.bool(False)
    failed = wp.bool(False)
    for term in range(kinds.shape[0]):
        fired = wp.bool(False)
        if kinds[term] == TIME_OUT:
            fired = steps >= longest
        else:
            for entry in range(joints.shape[1]):
                joint = joints[term, entry]
                if joint >= 0:
                    where = position[env, joint]
                    if where > highs[term] or where < lows[term]:
                        fired = True
        if fired and is_time_out[term]:
            late = True
        if fired and not is_time_out[term]:
            failed = True
        term_dones[env, term] = fired
    truncated[env] = late
    terminated[env] = failed
    over[env] = late or failed
    if late or failed:
        envs[wp.atomic_add(count, 0, 1)] = wp.int64(env)
        for term in range(kinds.shape[0]):
            last_dones[env, term] = term_dones[env, term]


@wp.func
def from_target(angle: float, target: float) -> float:
    """Distance of an angle, wrapped to half a turn each way, from another one."""
    turned = wp.mod(angle + PI, TWO_PI)
    if turned < 0.0:
        turned = turned + TWO_PI
    away = turned - PI
    if turned == 0.0 and angle > 0.0:
        away = PI
    return away - target


@wp.kernel
def reward(
    kinds: wp.array[int],
    weights: wp.array[float],
    targets: wp.array[float],
    joints: wp.array2d[int],
    position: wp.array2d[float],
    velocity: wp.array2d[float],
    terminated: wp.array[wp.bool],
    step_reward: wp.array2d[float],
):
    """Reward terms, each an entry of ``kinds``, with their weights; a row of ``joints`` ends with -1."""
    env = wp.tid()
    failed = terminated[env]
    for term in range(kinds.shape[0]):
        value = wp.float32(0.0)
        if kinds[term] == ALIVE:
            if not failed:
                value = 1.0
        elif kinds[term] == TERMINATED:
            if failed:
                value = 1.0
        else:
            for entry in range(joints.shape[1]):
                joint = joints[term, entry]
                if joint >= 0:
                    if kinds[term] == POSITION_L2:
                        off = from_target(position[env, joint], targets[term])
                        value = value + off * off
                    else:
                        value = value + wp.abs(velocity[env, joint])
        step_reward[env, term] = value * weights[term]
        if weights[term] == 0.0:
            step_reward[env, term] = 0.0


@wp.kernel
def observe(
    joints: wp.array[int],
    is_velocity: wp.array[wp.bool],
    position: wp.array2d[float],
    velocity: wp.array2d[float],
    default_position: wp.array2d[float],
    default_velocity: wp.array2d[float],
    seen: wp.array2d[float],
):
    """Joint positions and velocities from their defaults, a column each."""
    env = wp.tid()
    for column in range(joints.shape[0]):
        joint = joints[column]
        if is_velocity[column]:
            seen[env, column] = velocity[env, joint] - default_velocity[env, joint]
        else:
            seen[env, column] = position[env, joint] - default_position[env, joint]


@wp.kernel
def restart_joint(
    envs: wp.array[wp.int64],
    count: wp.array[int],
    chance: wp.array[float],
    event: int,
    joint: int,
    position_span: float,
    position_low: float,
    velocity_span: float,
    velocity_low: float,
    default_position: wp.array2d[float],
    default_velocity: wp.array2d[float],
    position_limits: wp.array2d[wp.vec2f],
    velocity_limits: wp.array2d[float],
    now: wp.array[int],
    last: wp.array[int],
    once: wp.array[wp.bool],
    position: wp.array2d[float],
    velocity: wp.array2d[float],
    previous_velocity: wp.array2d[float],
    acceleration: wp.array2d[float],
):
    """``reset_joints_by_offset`` of one joint, for the first so many of ``envs``; one thread does it.

    The numbers in ``chance`` come in the order in which Isaac Lab draws them: event by event, positions first.
    """
    positions = 2 * event * count[0]
    velocities = positions + count[0]
    for entry in range(count[0]):
        env = int(envs[entry])
        last[env] = now[0]
        once[env] = True
        shift = chance[positions + entry] * position_span
        shift = shift + position_low
        limits = position_limits[env, joint]
        position[env, joint] = wp.min(wp.max(default_position[env, joint] + shift, limits[0]), limits[1])
        shift = chance[velocities + entry] * velocity_span
        shift = shift + velocity_low
        limit = velocity_limits[env, joint]
        start = wp.min(wp.max(default_velocity[env, joint] + shift, -limit), limit)
        velocity[env, joint] = start
        previous_velocity[env, joint] = start
        acceleration[env, joint] = 0.0
