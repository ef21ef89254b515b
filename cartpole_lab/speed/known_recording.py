"""What a step on a CPU replays where Isaac Lab's own terms are known, and what that has baked in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import warp as wp
from isaaclab.actuators.actuator_pd import ImplicitActuator
from isaaclab.envs.mdp.actions.joint_actions import JointEffortAction, JointPositionAction, JointVelocityAction
from isaaclab.managers import ActionManager, EventManager, ObservationManager, RewardManager, TerminationManager
from isaaclab_newton.physics import NewtonManager

from cartpole_lab.replaced import replaced

from .known_terms import KnownTerms, NotKnown
from .launch_recorder import NoTorch, record
from .step_replay import NewtonReplayManager
from .watched_values import WatchedValues

_ACTIONS = (JointEffortAction, JointPositionAction, JointVelocityAction)
_MANAGERS: dict[str, tuple[type, tuple[str, ...]]] = {
    "action": (ActionManager, ("process_action", "apply_action", "reset")),
    "termination": (TerminationManager, ("compute", "reset")),
    "reward": (RewardManager, ("compute", "reset")),
    "event": (EventManager, ("apply", "reset")),
    "observation": (ObservationManager, ("compute", "compute_group", "reset")),
}
_WORK_OF = {
    "process": ("action",),
    "judge": ("termination", "reward"),
    "restart": ("event", "observation", "action", "reward", "termination"),
    "observe": ("observation",),
}
"""For each piece, whose work its kernels do."""
_TERMS = ("_terms", "_term_cfgs", "_term_names", "_mode_term_cfgs", "_group_obs_term_cfgs")
_RESETS = ("observation", "action", "reward", "curriculum", "command", "event", "termination", "recorder")
"""Kinds of managers in the order in which Isaac Lab resets them."""
_ACTION_STATE = ("_asset", "_joint_ids", "_offset", "_raw_actions", "_scale", "cfg")
_DATA_STATE = ("_sim_bind_joint_pos", "_sim_bind_joint_vel", "_default_joint", "_soft_joint", "_previous", "_joint_acc")
_ROBOT_STATE = (
    "actuators",
    "_fixed_tendon_target_dirty",
    "_instantaneous_wrench_composer",
    "_permanent_wrench_composer",
)


class Recording:
    """What a step of ``env`` replays, and what that has baked in.

    Args:
        env: The environment.
        as_one: Record physics along with the rest, where one thread has all of it. That takes a multiple of the time.

    Raises:
        NotKnown: The step has to be Isaac Lab's as a whole.
    """

    def __init__(self, env: Any, as_one: bool = False) -> None:
        self.env, self.manager = env, env.sim.physics_manager
        self.refused: dict[str, str] = {}
        """Pieces that run as Isaac Lab runs them, and why."""
        self.robot = only_robot(env)
        self.data = self.robot.data
        self.action = torch.zeros_like(env.action_manager._action)
        self.acts = [(term, term._processed_actions.clone()) for term in env.action_manager._terms.values()]
        for term, processed in self.acts:  # Isaac Lab binds it anew at every step; recorded is this one
            term._processed_actions = processed
        known = KnownTerms(env, self.robot)
        self.over, self.envs, self.restarting = known.over, known.envs, known.ended[0]
        self.count, self.now = known.count.numpy(), known.now.numpy()
        pieces = {
            "process": lambda: known.process(self.action, [processed for _, processed in self.acts]),
            "judge": known.judge,
            "restart": known.restart,
            "observe": known.observe,
        }
        process, judge, restart, observe = (self._known(name, make) for name, make in pieces.items())
        if "_reset_idx" in vars(env):
            self.refused["restart"] = "env._reset_idx is not Isaac Lab's"
        if env.curriculum_manager.active_terms:
            self.refused["restart"] = f"curriculum {env.curriculum_manager.active_terms[0]}: decides in Python"
        self.ongoing = [f"command {name}" for name in env.command_manager.active_terms]
        self.ongoing += [f"event {name}" for name in env.event_manager.active_terms.get("interval", ())]
        if self.ongoing:
            self.refused["ongoing"] = f"{self.ongoing[0]}: works by index"
        self.processes, self.judges = process is not None, judge is not None
        self.seen: dict[str, torch.Tensor] = observe[1] if observe else {}
        self.clears = bool(judge and observe) and not env.command_manager.active_terms
        """Whether kernels forget what managers know of environments that restart."""
        self.reward_names = [f"Episode_Reward/{name}" for name in env.reward_manager._term_names]
        kinds = ("event", "termination") if self.clears else _RESETS
        self.resets = [getattr(env, f"{kind}_manager") for kind in kinds]
        """Those that are asked to forget environments that restart."""
        see, decimation = observe and observe[0], env.cfg.decimation
        begin, between, end = [process, self._act], [self._settle, self._act], [self._settle, judge, judge and see]
        if as_one and len(self.manager._groups) == 1 and self.manager._epilogue is None:
            steps = [*[self._simulate, *between] * (decimation - 1), self._simulate, *end]
            self.begin, self.rest = self._recorded(*begin, *steps), []
        else:
            self.begin, between, end = (self._recorded(*part) for part in (begin, between, end))
            self.rest = [between] * (decimation - 1) + [end]
        """A step as one recording, or what precedes its first physics step and what follows each."""
        self.observe = see and self._recorded(see)
        self.forward = self._recorded(self._forward)
        self.chance: torch.Tensor | None = None
        """Where the random numbers of restarts belong, if kernels restart environments."""
        if "restart" not in self.refused:
            launch, self.chance = restart
            self.restart = self._recorded(launch, known.clear if self.clears else None, see)
        self.physics_dt, self.step_dt = env.physics_dt, env.step_dt
        self.watched = self._watch()
        self.groups = self.manager._groups

    def _known(self, piece: str, make: Callable[[], Any]) -> Any:
        try:
            for kind in _WORK_OF[piece]:
                _as_written(getattr(self.env, f"{kind}_manager"), *_MANAGERS[kind])
            return make()
        except NotKnown as error:
            self.refused[piece] = str(error)
            return None

    def _act(self) -> None:
        self.env.action_manager.apply_action()
        self.env.scene.write_data_to_sim()

    def _settle(self) -> None:
        """``scene.update``, whose clocks go on as if nothing had happened."""
        data = self.data
        clocks = data._sim_timestamp, data._joint_acc.timestamp, data._body_com_acc_w.timestamp
        data._joint_acc.timestamp = data._body_com_acc_w.timestamp = data._sim_timestamp
        try:
            self.env.scene.update(dt=self.env.physics_dt)
        finally:
            data._sim_timestamp, data._joint_acc.timestamp, data._body_com_acc_w.timestamp = clocks

    def _simulate(self) -> None:
        super(NewtonReplayManager, self.manager)._simulate_physics_only()

    def _forward(self) -> None:
        """Kinematics of environments that have restarted."""
        dirty, NewtonManager.kinematics_dirty = NewtonManager.kinematics_dirty, True
        self.manager.forward()
        NewtonManager.kinematics_dirty = dirty

    def _recorded(self, *launches: Callable[[], None] | None) -> wp.Graph:
        """What ``launches`` launch one after the other, recorded without running it."""
        original, kept = wp.launch, []

        def launch(kernel: Any, dim: Any, inputs: Any = (), outputs: Any = (), **more: Any) -> None:
            """Warp records its own arrays only."""
            given = [[wp.from_torch(v) if isinstance(v, torch.Tensor) else v for v in vs] for vs in (inputs, outputs)]
            kept.append(given)
            original(kernel, dim, *given, **more)

        def launch_all() -> None:
            for one in filter(None, launches):
                one()

        with replaced(wp, launch=launch), NoTorch():
            graph = record(launch_all, self.manager._solver.mjw_data, 0, self.manager._copies)
        graph.kept = kept  # their memory is PyTorch's
        return graph

    def tick(self) -> None:
        """Move the clocks of lazily computed data on by one physics step."""
        data = self.data
        data._sim_timestamp += self.physics_dt
        data._joint_acc.timestamp = data._body_com_acc_w.timestamp = data._sim_timestamp

    def changed(self) -> str | None:
        """What is no longer as it was recorded, or None."""
        for term, processed in self.acts:
            term._processed_actions = processed
        if self.manager._groups is not self.groups:
            return "the recorded physics"
        return self.watched.changed()

    def _watch(self) -> WatchedValues:
        env, watched = self.env, WatchedValues()
        own = [f"{kind}_manager" for kind in (*_MANAGERS, "command", "curriculum", "recorder")]
        for holder in (env, env.scene, env.sim, self.robot):
            watched.size(vars(holder))
        watched.picks("env", vars(env), [*own, "cfg", "scene", "sim", "episode_length_buf"])
        watched.picks("env.cfg", vars(env.cfg), ["decimation", "episode_length_s", "sim"])
        watched.picks("env.cfg.sim", vars(env.cfg.sim), ["dt"])
        for kind, (cls, methods) in _MANAGERS.items():
            manager = getattr(env, f"{kind}_manager")
            watched.picks(f"{cls.__name__}", vars(cls), methods)
            state = vars(manager)
            changing = ("_obs_buffer",)
            watched.picks(f"{kind}_manager", state, [key for key in state if key not in changing])
            watched.size(state)
            for key in _TERMS:
                if key in state:
                    watched.contents(f"{kind}_manager.{key}", state[key])
        for name, cfg in self._term_cfgs():
            watched.contents(name, vars(cfg))
            for value in cfg.params.values():
                if hasattr(value, "joint_ids"):
                    watched.picks(name, vars(value), ["name", "joint_ids"])
                    watched.tensor(value.joint_ids)
        for term, _ in self.acts:
            watched.picks("an action", vars(term), _ACTION_STATE)
            watched.contents("an action", vars(term.cfg))
        self._watch_robot(watched)
        return watched

    def _term_cfgs(self) -> list[tuple[str, Any]]:
        env = self.env
        pairs = [
            (f"termination {n}", env.termination_manager.get_term_cfg(n)) for n in env.termination_manager._term_names
        ]
        pairs += [(f"reward {n}", env.reward_manager.get_term_cfg(n)) for n in env.reward_manager._term_names]
        events, observations = env.event_manager, env.observation_manager
        for names, cfgs in (
            (events._mode_term_names, events._mode_term_cfgs),
            (observations._group_obs_term_names, observations._group_obs_term_cfgs),
        ):
            pairs += [pair for key in cfgs for pair in zip(names[key], cfgs[key], strict=True)]
        return pairs

    def _watch_robot(self, watched: WatchedValues) -> None:
        robot, data, actuators = self.robot, self.data, self.robot.actuators
        watched.picks("robot", vars(robot), _ROBOT_STATE)
        for composer in (robot._instantaneous_wrench_composer, robot._permanent_wrench_composer):
            watched.picks("an external force", vars(composer), ["_active"])
        watched.picks("robot.data", vars(data), [key for key in vars(data) if key.startswith(_DATA_STATE)])
        watched.picks("robot.data", vars(data._joint_acc), ["data"])
        watched.picks("robot.data", vars(data._body_com_acc_w), ["data"])
        watched.picks("robot.actuators", vars(actuators), ["_execution_actuators", "_implicit_executor"])
        executor = actuators._implicit_executor  # all its arrays are bound anew together
        watched.picks("robot.actuators", executor.kernel_outputs, [0])


def only_robot(env: Any) -> Any:
    """The articulation of a scene that has nothing else that moves.

    Raises:
        NotKnown: The step of such an environment is not covered.
    """
    scene, manager = env.scene, env.sim.physics_manager
    assets = [
        n
        for kind in (
            "rigid_objects",
            "deformable_objects",
            "rigid_object_collections",
            "cable_objects",
            "surface_grippers",
        )
        for n in getattr(scene, f"_{kind}", None) or ()
    ]
    if len(scene.articulations) != 1 or assets:
        raise NotKnown(f"scene: there is more than one thing that moves: {', '.join([*scene.articulations, *assets])}")
    robot = next(iter(scene.articulations.values()))
    if robot._instantaneous_wrench_composer._active or robot._permanent_wrench_composer._active:
        raise NotKnown("scene: an external force acts on the robot")
    if robot._fixed_tendon_target_dirty:
        raise NotKnown("scene: a tendon has a new target")
    for name, actuator in robot.actuators._groups.items():
        if type(actuator) is not ImplicitActuator:
            raise NotKnown(f"actuator {name}: {type(actuator).__name__} computes its efforts in PyTorch")
    if robot.actuators._implicit_executor is None or robot.actuators._execution_actuators:
        raise NotKnown("actuators: they are not computed by one kernel")
    for name, term in env.action_manager._terms.items():
        if type(term) not in _ACTIONS:
            raise NotKnown(f"action {name}: there is no kernel for {type(term).__name__}")
    _as_written(env.action_manager, *_MANAGERS["action"])
    for owner, methods in ((scene, ("write_data_to_sim", "update")), (robot, ("write_data_to_sim", "update"))):
        _as_written(owner, type(owner), methods)
    _as_written(env.sim, type(env.sim), ("step", "consume_reset_request"))
    if manager._adapter is not None or manager._post_actuator_callbacks or env._physics_handles_decimation:
        raise NotKnown("physics: Newton's own actuators run inside it")
    if manager._epilogue is not None or not scene.cfg.lazy_sensor_update:
        raise NotKnown("sensors: they are computed in the midst of a step")
    return robot


def _as_written(owner: Any, cls: type, methods: tuple[str, ...]) -> None:
    """Make sure that methods are those of Isaac Lab's class.

    Raises:
        NotKnown: One of them has been replaced, on the object or on its class.
    """
    for name in methods:
        method = getattr(owner, name)
        function = getattr(method, "__func__", None)
        if function is not vars(cls).get(name) or function.__module__ != cls.__module__:
            raise NotKnown(f"{cls.__name__}: its {name} is not Isaac Lab's")
