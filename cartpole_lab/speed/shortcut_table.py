"""The table of shortcuts: what each does and saves, and which insides of which packages it relies on.

A piece that meets another version than it was written for, or misses a name that it touches, stays off and says so.
After an upgrade of a package: run the tests, then add the version to :data:`KNOWN`.
"""

from __future__ import annotations

from dataclasses import dataclass

KNOWN = {
    "python": ("3.12",),
    "torch": ("2.11.0",),
    "warp-lang": ("1.17.0",),
    "newton": ("1.6.1",),
    "mujoco-warp": ("3.12.0",),
    "isaaclab": ("3.0.0",),
    "rl-games": ("1.6.5",),
}
"""Versions of each host package with which the pieces have been tested."""


@dataclass(frozen=True)
class Piece:
    """One shortcut.

    Attributes:
        does: What it does, in a line.
        saves: What that saved when it was measured.
        hosts: Packages whose insides it relies on.
        touches: Names of theirs that it changes, or that are not public: ``module`` or ``module:name.name``.
        needs: Other pieces without which it does nothing.
    """

    does: str
    saves: str = "not measured alone"
    hosts: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def _of(owner: str, names: str) -> tuple[str, ...]:
    """Names with spaces between them, of one owner."""
    return tuple(f"{owner}.{name}" for name in names.split())


PIECES: dict[str, Piece] = {
    "paused_collector": Piece(
        "no garbage collection during imports, and none of what they leave behind",
        saves="a quarter of the processor time from a cold start to the first step",
    ),
    "unseen_modules": Piece(
        "modules that a cart-pole never uses are imported when somebody does",
        saves="a thirtieth of that start",
        hosts=("newton",),
        touches=("newton.controllers", "newton.viewer"),
    ),
    "torch_rules": Piece(
        "PyTorch leaves its rules for tensors without numbers until something needs them",
        saves="a twelfth of that start",
        hosts=("python", "torch"),
        touches=("inspect:getmodule", "torch._meta_registrations"),
    ),
    "unread_kernels": Piece(
        "Warp parses a kernel when it is first launched, and keeps no syntax tree",
        saves="a fifth of that start",
        hosts=("warp-lang",),
        touches=(
            *_of("warp._src.codegen:Adjoint", "extract_function_source _try_extract_function_source tree"),
            "warp._src.codegen:Adjoint.reference_nodes",
            "warp._src.codegen:Adjoint._shared_source",
            "warp._src.codegen:get_full_arg_spec",
            "warp._src.codegen:get_closure_vars",
            "warp._src.context:Module._find_references",
        ),
    ),
    "forward_kernels": Piece(
        "the simulator's kernels are compiled without their backward half",
        saves="a third of the compilation at the very first run",
        hosts=("warp-lang",),
        touches=("warp:config.enable_backward",),
    ),
    "gpu_ahead": Piece(
        "the GPU's context is made, and PyTorch mapped and its kernels loaded, while Python imports and builds",
        saves="three tenths of a second of a start on an H100 with the context alone",
        hosts=("torch",),
    ),
    "no_torch_compiler": Piece(
        "rl-games is imported without PyTorch's compiler, unless a network is compiled",
        saves="a tenth of the processor time of a training of 512 environments until solved",
        hosts=("torch", "rl-games"),
        touches=("torch._dynamo", "torch:compile"),
    ),
    "one_torch_thread": Piece(
        "PyTorch works on one thread while small networks act, unless OMP_NUM_THREADS says more",
        saves="a twentieth of that training",
    ),
    "kernels_ahead": Piece(
        "the first run on a machine compiles kernels on every core, while Python still builds",
        saves="two fifths of that run's start",
        hosts=("warp-lang", "newton", "mujoco-warp", "isaaclab"),
        touches=("warp._src.context:Module.load", "newton._src.geometry.inertia:validate_and_correct_inertia_kernel"),
    ),
    "quick_launches": Piece(
        "a repeated kernel launch from Python writes only the arguments that changed",
        saves="a fifteenth of a step of 64 environments, a quarter of one without `known_terms`",
        hosts=("warp-lang", "torch"),
        touches=(
            "warp:launch",
            "warp:array.__ctype__",
            "warp._src.context:pack_arg",
            "warp._src.context:_build_kernel_launch_bounds",
            "warp._src.context:runtime",
            "warp._src.context:Device",
            "warp._src.context:Kernel._invoke_cache",
            "warp._src.context:Module.execs",
            "warp._src.context:Module.hashers",
            *_of("warp._src.context:Runtime", "_apic_capture tape"),
            "warp._src.types:array_t",
        ),
    ),
    "step_replay": Piece(
        "a CPU records the physics step once and replays it, as Isaac Lab does on CUDA",
        saves="nine tenths of a step of 64 environments",
        hosts=("warp-lang", "newton", "mujoco-warp", "isaaclab"),
        touches=(
            "warp:launch",
            "warp:launch_tiled",
            "warp._src.context:Module.execs",
            *_of(
                "isaaclab_newton.physics:NewtonMJWarpManager",
                "_active_extended_state_attributes _adapter _create_solver _decimation _deterministic_mode "
                "_invalidate_graph _needs_collision_pipeline _newton_contact_sensors "
                "_newton_frame_transform_sensors _newton_imu_sensors "
                "_num_substeps _post_actuator_callbacks _post_step_callbacks _report_contacts _simulate_full "
                "_simulate_physics_only _solver _solver_dt _solver_specific_clear _staged_body_f "
                "_state_force_callbacks _update_sensors",
            ),
            "isaaclab.physics:PhysicsManager._cfg",
            "isaaclab.physics:PhysicsManager._device",
            "newton.solvers:SolverMuJoCo._step",
        ),
    ),
    "world_threads": Piece(
        "each core replays a share of the worlds, while each share has 128 or more",
        saves="a seventh of the processor time of a step of 512, and more of its time where the cores are free",
        hosts=("newton", "mujoco-warp"),
        needs=("step_replay",),
    ),
    "idle_solver": Piece(
        "no constraint iterations in a step in which no world has an active constraint (up to rounding)",
        saves="a sixth of a step of 64 environments, more than half of one of 512 on one core",
        hosts=("newton", "mujoco-warp"),
        touches=(
            "mujoco_warp._src.solver:solve",
            "mujoco_warp._src.solver:_solve",
            "mujoco_warp._src.solver:_create_solver_context",
            "newton.solvers:SolverMuJoCo._mujoco_warp_step",
        ),
    ),
    "unreachable_contacts": Piece(
        "no search for contacts while no two shapes can meet",
        saves="a tenth of a step of 64 environments, and the compilation of the largest kernel",
        hosts=("newton", "mujoco-warp"),
        touches=(
            "mujoco_warp._src.types:DisableBit.CONTACT",
            "mujoco_warp._src.types:GeomType",
            "mujoco_warp._src.types:JointType",
            "newton.solvers:SolverMuJoCo._mujoco_warp_step",
        ),
    ),
    "idle_kernels": Piece(
        "no launch of kernels that look in every world for what the model does without",
        saves="a sixteenth of a step of 64 environments, a tenth of one of 512",
        hosts=("newton", "mujoco-warp"),
        touches=(
            "mujoco_warp._src.derivative:_qderiv_tendon_damping",
            "mujoco_warp._src.forward:_next_activation",
            "mujoco_warp._src.passive:_gravity_force",
            "mujoco_warp._src.smooth:_geom_local_to_global",
            "mujoco_warp._src.types:DisableBit.FRICTIONLOSS",
            "newton.solvers:SolverMuJoCo._mujoco_warp_step",
        ),
    ),
    "recorded_step": Piece(
        "a GPU records Isaac Lab's whole step once, terms as they are written, and replays it",
        "on an H200, with the idle solver, 4.5, 6.7 and 3.2 times the steps as shipped at 64, 4096 and 65536",
        hosts=("isaaclab", "torch", "warp-lang", "newton"),
        touches=(
            *_of("isaaclab.envs:ManagerBasedRLEnv", "step _reset_idx _sim_step_counter _physics_handles_decimation"),
            "isaaclab.utils.warp.utils:wp",
            "isaaclab.sim:SimulationContext._physics_step_count",
            "isaaclab.sim:SimulationContext._visualizers",
            "isaaclab.physics:PhysicsManager._sim_time",
            "isaaclab.managers:ActionManager._terms",
            *_of(
                "isaaclab.managers:EventManager",
                "_interval_term_time_left _mode_term_cfgs _mode_term_names _reset_term_last_triggered_once "
                "_reset_term_last_triggered_step_id",
            ),
            *_of(
                "isaaclab.managers:ObservationManager",
                "_group_obs_class_instances _group_obs_term_cfgs _group_obs_term_delay_buffer "
                "_group_obs_term_history_buffer _group_obs_term_names _obs_buffer",
            ),
            *_of("isaaclab.managers:RewardManager", "_episode_sum_buf _term_cfgs _term_names"),
            "isaaclab.managers:TerminationManager._last_episode_dones",
            "isaaclab.actuators.actuator_collection:ActuatorCollection._groups",
            "isaaclab_newton.assets.articulation.articulation_data:ArticulationData._body_state_dirty",
            "isaaclab_newton.assets.articulation.articulation_data:ArticulationData._sim_timestamp",
            *_of(
                "isaaclab_newton.physics:NewtonManager",
                "_graph _is_all_graphable _mark_transforms_changed _model_changes kinematics_dirty",
            ),
            "torch._ops:OpOverload._schema",
            "torch.utils._python_dispatch:TorchDispatchMode",
        ),
    ),
    "known_terms": Piece(
        "a CPU replays Isaac Lab's step too: its own terms as kernels, other terms as they are written",
        saves="more than half of a step of 64 environments, a fifth of one of 1024",
        hosts=("isaaclab", "torch", "warp-lang", "newton"),
        touches=(
            *_of("isaaclab.envs:ManagerBasedRLEnv", "step _reset_idx"),
            *_of(
                "isaaclab.actuators.actuator_collection:ActuatorCollection", "_execution_actuators _implicit_executor"
            ),
            *_of(
                "isaaclab.envs.mdp.actions.joint_actions:JointAction", "_offset _processed_actions _raw_actions _scale"
            ),
            *_of("isaaclab.managers:ActionManager", "_action _prev_action"),
            "isaaclab.managers:ObservationManager._term_output_specs",
            *_of("isaaclab.managers:RewardManager", "_reward_buf _step_reward"),
            *_of("isaaclab.managers:TerminationManager", "_terminated_buf _truncated_buf"),
            "isaaclab.utils.wrench_composer:WrenchComposer._active",
            *_of(
                "isaaclab_newton.assets:Articulation",
                "_fixed_tendon_target_dirty _instantaneous_wrench_composer _permanent_wrench_composer",
            ),
            *_of(
                "isaaclab_newton.assets.articulation.articulation_data:ArticulationData",
                "_body_com_acc_w _joint_acc _joint_coord_map _previous_joint_vel _reset_pose _sim_bind_joint_pos "
                "_sim_bind_joint_vel",
            ),
            *_of("isaaclab_newton.physics:NewtonManager", "_simulate_physics_only forward kinematics_dirty"),
        ),
        needs=("step_replay",),
    ),
    "recorded_training": Piece(
        "a GPU records the policy's part of a step and PPO's minibatches, and replays them (up to rounding)",
        "on an H200, with the recorded step, 7 times as many training steps a second at 4096 environments",
        hosts=("rl-games", "torch"),
        touches=(
            "isaaclab_rl.rl_games:RlGamesVecEnvWrapper._clip_actions",
            "isaaclab_rl.rl_games:RlGamesVecEnvWrapper._clip_obs",
            "isaaclab_rl.rl_games:RlGamesVecEnvWrapper._process_obs",
            "rl_games.algos_torch.a2c_continuous:A2CAgent.play_steps",
            "rl_games.algos_torch.a2c_continuous:A2CAgent.train_epoch",
        ),
        needs=("written_out_update",),
    ),
    "written_out_update": Piece(
        "the derivative of PPO's loss is written out (up to rounding)",
        saves="nearly half of an update of PPO",
        hosts=("rl-games", "torch"),
        touches=(
            "rl_games.algos_torch.a2c_continuous:A2CAgent.calc_gradients",
            "rl_games.algos_torch.a2c_continuous:A2CAgent._preproc_obs",
            "torch.autograd.graph:_engine_run_backward",
        ),
    ),
    "forked_rounds": Piece(
        "an evaluation's rounds are played at once, in forks", saves="two fifths of one of two rounds"
    ),
}

PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "imports": (
        "startup:quick_imports",
        ("paused_collector", "unseen_modules", "torch_rules", "unread_kernels", "forward_kernels"),
    ),
    "gpu": ("startup:wake_gpu", ("gpu_ahead",)),
    "rl_games_imports": ("startup:import_rl_games", ("no_torch_compiler",)),
    "simulator_imports": ("startup:import_simulator", ("paused_collector", "unseen_modules")),
    "compiling": ("kernel_compilation:compiling", ("kernels_ahead",)),
    "launches": ("launch_shortcuts:shortcuts", ("quick_launches",)),
    "torch_threads": ("startup:one_torch_thread", ("one_torch_thread",)),
    "newton_manager": (
        "step_replay:NewtonReplayManager",
        ("step_replay", "idle_solver", "unreachable_contacts", "idle_kernels"),
    ),
    "step": ("startup:ready_to_step", ("recorded_step", "gpu_ahead")),
    "cpu_step": ("known_step:install", ("known_terms",)),
    "ppo_agent": ("recorded_training:RecordedA2CAgent", ("written_out_update", "recorded_training")),
    "rounds_at_once": ("forked_process:rounds_at_once", ("forked_rounds",)),
    "play_rounds": ("forked_process:play_rounds", ("forked_rounds",)),
}
"""For each function of :mod:`cartpole_lab.shortcuts` what stands there, and the pieces of which one has to be on."""
