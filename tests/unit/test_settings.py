"""Overrides and tasks by name: what is wrong is said in one line before anything is made; what is right is applied."""

from __future__ import annotations

import importlib.metadata
import sys
import time
from pathlib import Path

import pytest
import yaml

from cartpole_lab.errors import UserError
from cartpole_lab.session import agent_keys, task_lookup
from cartpole_lab.session.configs import configure, load_cfg
from cartpole_lab.session.env import close_env, make_env

RSL, SKRL, SB3 = "rsl_rl_cfg_entry_point", "skrl_cfg_entry_point", "sb3_cfg_entry_point"
CFG = "cartpole_lab.tasks.cartpole_env_cfg:CartpoleEnvCfg"

# a word, and what the one line says: the setting, the value or the nearest right name
WRONG: list[tuple[str, tuple[str, ...]]] = [
    ("env.actions.joint_effort.scale={'slider':50.0}", ("names the joint 'slider'", "slider_to_cart")),
    ("env.actions.joint_effort.scale={'slider_to_cart':'x'}", ("a number or a dictionary of words to numbers",)),
    ("env.success.timeout_share=2", ("env.success.timeout_share is '2'", "from 0 to 1")),
    ("env.success.standing.joint=pole", ("names the joint 'pole'", "slider_to_cart or cart_to_pole")),
    ("env.scene.robot=null", ("'robot', which is not in the scene",)),
    # types
    ("env.rewards.alive.weight=abc", ("env.rewards.alive.weight", "'abc'", "a number")),
    ("env.rewards.alive.weight=[1,2", ("'[1,2'", "a number")),
    ("env.rewards.alive.weight=true", ("a number",)),
    ("env.rewards.alive.weight=nan", ("a number",)),
    ("env.rewards.alive.weight=1e999", ("a finite number",)),
    ("env.decimation=2.5", ("an integer", "now 2")),
    ("env.sim.dt=1/120", ("'1/120'", "a number")),
    ("env.sim.gravity=(0,0)", ("3 values",)),
    ("env.rewards.alive=5", ("env.rewards.alive", "group")),
    ("env.rewards=null", ("env.rewards", "group of settings")),
    ("env.scene=null", ("env.scene",)),
    ("env.rewards.alive.func=nope", ("package.module:name",)),
    ("env.actions.joint_effort.joint_names=slider_to_cart", ("a list such as",)),
    ("env.events.reset_cart_position.params.position_range=1", ("two values",)),
    ("env.observations.policy.enable_corruption=maybe", ("true or false",)),
    # ranges
    ("env.decimation=0", ("env.decimation", "'0'", "positive integer")),
    ("env.decimation=-1", ("positive integer",)),
    ("env.sim.dt=0", ("env.sim.dt", "positive number")),
    ("env.sim.dt=-0.01", ("positive number",)),
    ("env.episode_length_s=0", ("env.episode_length_s", "positive")),
    ("env.episode_length_s=0.001", ("at least one step", "env.decimation")),
    ("env.scene.num_envs=0", ("env.scene.num_envs",)),
    ("env.scene.num_envs=99999999999", ("an integer from 1 to",)),
    ("env.scene.env_spacing=-1", ("env.scene.env_spacing",)),
    ("env.sim.physics.solver_cfg.njmax=0", ("positive integer",)),
    ("env.sim.physics.solver_cfg.cone=round", ("pyramidal, elliptic",)),
    ("env.events.reset_cart_position.mode=rest", ("'rest'", "reset")),
    ("env.events.reset_cart_position.params.position_range=(1,-1)", ("smaller number first",)),
    ("env.scene.robot.actuators.cart_actuator.stiffness=-5", ("zero or a positive",)),
    # misspelt
    ("env.rewards.alive.wieght=-2", ("did you mean env.rewards.alive.weight?",)),
    ("env.episode_lenght_s=10", ("did you mean env.episode_length_s?",)),
    ("env.rewards.pole_posh.weight=1", ("did you mean env.rewards.pole_pos?",)),
    ("env.rewards.pole_pos.params.targt=1", ("params.target",)),
    ("+env.rewards.pole_pos.params.targt=1", ("joint_pos_target_l2 takes target",)),
    ("env.decimation.x=1", ("has no settings",)),
    ("env.=5", ("env.",)),
    ("envs.decimation=3", ("did you mean env.decimation?",)),
    ("foo=1", ("'foo'", "env.<name>=")),
    # joints, bodies, entities
    ('env.actions.joint_effort.joint_names=["slider"]', ("'slider'", "did you mean slider_to_cart?")),
    ('env.rewards.pole_pos.params.asset_cfg.joint_names=["cart_to_pol"]', ("did you mean cart_to_pole?",)),
    ('env.rewards.pole_pos.params.asset_cfg.body_names=["pol"]', ("slider or cart or pole",)),
    ("env.rewards.pole_pos.params.asset_cfg.name=robo", ("'robo'", "robot")),
    ('env.scene.robot.actuators.cart_actuator.joint_names_expr=["(bad"]', ("regular expression",)),
    # presets
    ("physics=bullet", ("'bullet'", "newton_mjwarp", "ovphysx")),
    ("physics=", ("has no value",)),
    ("physics=newton_mjwarp,ovphysx", ("newton_mjwarp",)),
    ("renderer=isaacsim_rtx", ("renderer=isaacsim_rtx",)),
    ("presets=foo", ("'foo'",)),
    ("env.sim.physics=foo", ("'foo'", "newton_mjwarp")),
    # the agent's
    ("agent.nope=1", ("agent.nope", "+agent.nope=")),
    ("agent.params.torch_compile=False", ("did you mean agent.params.config.torch_compile?",)),
    ("agent.params.config.gama=0.9", ("did you mean agent.params.config.gamma?",)),
    ("agent.params.config.gamma=5", ("'5'", "from 0 to 1")),
    ("agent.params.config.gamma=abc", ("'abc'",)),
    ("agent.params.config.learning_rate=-1", ("positive number",)),
    ("agent.params.config.max_epochs=0", ("positive integer",)),
    ("agent.params.config.normalize_input=1", ("true or false",)),
    ("agent.params.config.name=a/b", ("'a/b'", "plain name")),
    ("agent.params.config.name=../../x", ("plain name",)),
    ("agent.params.config.full_experiment_name=/tmp/x", ("plain name",)),
    ("agent.params.network.mlp.units=[32,0]", ("positive integers",)),
    ("agent.params.network.mlp.activation=elo", ("'elo'", "elu")),
    ("agent.params.config=5", ("group",)),
    ("agent.params.seed=-3", ("'-3'",)),
    # what a flag decides
    ("env.sim.device=cpu", ("--device",)),
    ("env.seed=3", ("--seed",)),
    ("agent.params.config.num_actors=4", ("--num_envs",)),
    # Hydra's grammar, which would make an outputs/ folder
    ("~env.rewards.alive", ("name=value",)),
    ("++env.decimation=4", ("name=value",)),
    ("+env.decimation=4", ("begins with +",)),
    ("hydra.run.dir=/tmp/x", ("'hydra.run.dir'",)),
    ("env.decimation", ("name=value",)),
    ("=5", ("name=value",)),
    ("--multirun", ("--help",)),
]
WRONG_ELSEWHERE: list[tuple[str, str, tuple[str, ...]]] = [
    (RSL, "agent.max_iterations=0", ("positive integer",)),
    (RSL, "agent.algorithm.gama=0.9", ("did you mean agent.algorithm.gamma?",)),
    (RSL, "agent.algorithm.gamma=2", ("from 0 to 1",)),
    (RSL, "agent.actor.activation=x", ("elu",)),
    (SKRL, "agent.agent.rollout=3", ("did you mean agent.agent.rollouts?",)),
    (SKRL, "agent.agent.discount_factor=3", ("from 0 to 1",)),
    (SKRL, "agent.gamma=0.9", ("agent.gamma",)),
    (SB3, "agent.gama=0.9", ("did you mean agent.gamma?",)),
    (SB3, "agent.gamma=3", ("from 0 to 1",)),
    (SB3, "agent.learning_rate=lin_x", ("lin_<number>",)),
    (SB3, "agent.policy_kwargs.net_arc=[32]", ("net_arch",)),
]


def refusal(word: str, agent: str = "rl_games_cfg_entry_point", **kwargs: object) -> str:
    with pytest.raises(UserError) as caught:
        configure(agent=agent, device="cpu", overrides=[word], **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(("word", "says"), WRONG)
def test_a_wrong_setting_is_one_line(word: str, says: tuple[str, ...], tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    line = refusal(word)
    assert "\n" not in line and len(line) < 400
    for part in says:
        assert part in line
    assert list(tmp_path.iterdir()) == []
    assert "HYDRA_FULL_ERROR" not in capfd.readouterr().err


# flags, and what the one line says
WRONG_FLAGS: list[tuple[str, str]] = [
    ("train --num_envs 0", "num_envs is 0"),
    ("train --num_envs many", "invalid int value"),
    ("train --max_iterations -1", "max_iterations is -1"),
    ("train --eval_interval -2", "eval_interval is -2"),
    ("train --video_length -5", "video_length is -5"),
    ("train --video_interval 0", "video_interval is 0"),
    ("train --seed -7", "seed is -7"),
    ("train --video_length 60", "add --video"),
    ("train --eval_episodes 99999999999", "expected at most 1000000"),
    ("train --sigma 40", "logarithm"),
    ("train --device gpu", "'gpu'"),
    ("train --agent ppo", "'ppo'"),
    ("train --agent skrl_cfg_entry_point", "--rl_library skrl"),
    ("train --rl_library keras", "'keras'"),
    ("train --rl_library skrl --distributed", "rl_games only"),
    ("train --rl_library rsl_rl agent.algorithm.num_mini_batches=9999999", "more than an update of 1024"),
    ("train --rl_library skrl agent.agent.mini_batches=9999999", "more than an update of 1024"),
    ("train --rl_library sb3 --checkpoint gone.zip", "gone.zip"),
    ("train --rl_library rsl_rl --checkpoint best", "no best checkpoint"),
    ("train --checkpoint gone.pth", "gone.pth"),
    ("train --log_root /dev/null/x", "is a file, not a folder"),
    ("train --track", "--wandb-entity"),
    ("train --wandb-name x", "add --track"),
    ("train --viz kit", "Isaac Sim"),
    ("train --livestream 2", "Isaac Sim"),
    ("train --frobnicate", "--frobnicate"),
    ("train --num-envs 8", "did you mean --num_envs?"),
    ("sweep --seed 3", "did you mean --seeds?"),
    ("train --max_iter 3", "did you mean --max_iterations?"),
    ("train 8", "expected name=value (see cartpole-lab train --help)"),
    ("evaluate best", "did you mean --checkpoint best?"),
    ("sweep --num_gpus 2", "--num_gpus"),
    ("sweep Isaac-Cartpole-v0 --task Isaac-Cartpole-v0", "said twice"),
    ("train --task Isaac-Cartpol-v0", "did you mean Isaac-Cartpole-v0"),
    ("train --task gone.py:X", "gone.py"),
    ("train --task nowhere:X", "'nowhere'"),
    ("train physics=isaacsim_physx", "Isaac Sim"),
    ("evaluate --episodes 0", "error: episodes is 0, expected a positive"),
    ("evaluate --checkpoint gone.pth", "gone.pth"),
    ("play --checkpoint gone.pth", "gone.pth"),
    ("export --checkpoint gone.pth", "gone.pth"),
    ("new Bad-Name", "'Bad-Name'"),
    ("doctor --wrong", "--wrong"),
    ("nothing", "invalid choice"),
]


def test_wrong_command_lines_are_one_line_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of them through the command itself: exit code 2, one line, no folder."""
    from cartpole_lab.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    lines = [(["train", "--device", "cpu", word], says) for word, says in WRONG]
    lines += [([*text.split()], (says,)) for text, says in WRONG_FLAGS]
    lines += [
        (["train", "--device", "cpu", "--rl_library", agent.partition("_cfg")[0], word], says)
        for agent, word, says in WRONG_ELSEWHERE
    ]
    assert len(lines) >= 110
    wrong = []
    for argv, says in lines:
        try:
            code = main(argv)
        except SystemExit as leaving:
            code = leaving.code
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
        said = [line for line in capfd.readouterr().err.splitlines() if "Warning" not in line and line.strip()]
        left = [path.name for path in tmp_path.iterdir()]
        if code != 2 or len(said) != 1 or not all(part in said[0] for part in says) or left:
            wrong.append((" ".join(argv), code, said[-3:], left))
    assert wrong == []


@pytest.mark.parametrize(("agent", "word", "says"), WRONG_ELSEWHERE)
def test_a_wrong_setting_of_another_library(agent: str, word: str, says: tuple[str, ...]) -> None:
    pytest.importorskip({"sb3": "stable_baselines3"}.get(agent.split("_cfg")[0], agent.split("_cfg")[0]))
    line = refusal(word, agent)
    for part in says:
        assert part in line


def test_right_settings_are_applied_as_isaac_lab_applies_them() -> None:
    from isaaclab.utils import to_dict
    from isaaclab_tasks.utils import resolve_task_config

    words = [
        "physics=ovphysx",
        "env.rewards.pole_pos.weight=-2",
        "env.rewards.pole_pos.params.target=0.1",
        "env.rewards.alive=null",
        "env.decimation=4",
        "env.events.reset_cart_position.params.position_range=(-0.5,0.5)",
        "env.actions.joint_effort.scale=50",
        "agent.params.config.learning_rate=1e-3",
        "agent.params.config.gamma=0.98",
        "agent.params.network.mlp.units=[16,16]",
        "agent.params.config.torch_compile=False",
        "agent.params.config.weight_decay=0.01",
    ]
    ours = load_cfg(overrides=words)
    theirs = resolve_task_config("Isaac-Cartpole-v0", "rl_games_cfg_entry_point", overrides=words)
    assert to_dict(ours[0]) == to_dict(theirs[0])
    assert ours[1] == theirs[1]


def test_settings_that_were_recorded_come_back_and_are_said_as_words_that_can_be_given_again() -> None:
    from cartpole_lab.session.env_settings import describe, plain, rebuild, record

    words = [
        "env.success.ceilings={'alive':2.0}",  # a key that the registered task lacks
        "env.observations.policy.joint_vel_rel=null",  # a term less
        "env.scene.robot.init_state.joint_pos={'cart_to_pole':0.5}",
        "env.actions.joint_effort.scale={'slider_to_cart':50.0}",
    ]
    cfg = load_cfg(overrides=words, agent=None)[0]
    settings = record("Isaac-Cartpole-v0", cfg, words)
    assert cfg.success.ceilings == {"alive": 2.0} and cfg.observations.policy.joint_vel_rel is None
    assert plain(rebuild(settings)) == plain(cfg)
    assert plain(load_cfg(overrides=describe(settings), agent=None)[0]) == plain(cfg), describe(settings)


def test_a_preset_of_one_part_is_chosen_by_its_name() -> None:
    assert type(load_cfg(overrides=["env.sim.physics=ovphysx"])[0].sim.physics).__name__ == "OvPhysxCfg"


def test_an_unknown_agent_key_can_be_set_on_purpose() -> None:
    cfg = load_cfg(overrides=["+agent.params.config.mine=1", "+agent.params.own.deep=two"])[1]
    assert cfg["params"]["config"]["mine"] == 1
    assert cfg["params"]["own"] == {"deep": "two"}


def test_a_setting_given_twice_or_against_a_flag_is_refused() -> None:
    with pytest.raises(UserError, match=r"given twice, as env\.decimation=2 and env\.decimation=4"):
        configure(device="cpu", overrides=["env.decimation=2", "env.decimation=4"])
    assert "env.scene.num_envs=8 says otherwise" in refusal("env.scene.num_envs=8", num_envs=4)


def test_known_keys_are_those_that_rl_games_reads() -> None:
    import ast
    import importlib.util

    root = Path(importlib.util.find_spec("rl_games").origin).parent
    read: set[str] = set()
    for name in ("torch_runner.py", "common/a2c_common.py", "algos_torch/a2c_continuous.py"):
        for node in ast.walk(ast.parse((root / name).read_text(encoding="utf-8"))):
            call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
            owner = node.func.value if call else node.value if isinstance(node, ast.Subscript) else None
            key = node.args[0] if call and node.args else getattr(node, "slice", None)
            if owner is not None and ast.unparse(owner) in ("config", "self.config") and isinstance(key, ast.Constant):
                read.add(key.value)
    known = agent_keys.known("rl_games", "agent.params.config")
    assert read - known - {"params"} == set(), "rl-games reads keys that we would refuse"
    everything = "\n".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    ours = {"torch_compile", "env_name", "player"}
    assert {key for key in known if f"'{key}'" not in everything and f'"{key}"' not in everything} - ours == set(), (
        "keys that rl-games does not read"
    )


def test_agent_files_of_isaac_lab_are_not_refused() -> None:
    root = Path(importlib.util.find_spec("isaaclab_tasks").origin).parent
    files = [path for path in root.rglob("agents/*.yaml") if agent_keys.library_of(path.stem)]
    assert len(files) > 100
    for path in files:
        agent_keys.check(path.stem, yaml.load(path.read_text(encoding="utf-8"), yaml.FullLoader))


##
# Tasks
##

TASK_FILE = """
import gymnasium as gym
from isaaclab.utils import configclass
from cartpole_lab.tasks.cartpole_env_cfg import CartpoleEnvCfg

@configclass
class MineCfg(CartpoleEnvCfg):
    def __post_init__(self):
        super().__post_init__()
        self.rewards.pole_pos.weight = {weight}

gym.register(
    id="{id}",
    entry_point="isaaclab.envs:ManagerBasedRLEnv",
    disable_env_checker=True,
    kwargs={{
        "env_cfg_entry_point": f"{{__name__}}:MineCfg",
        "rl_games_cfg_entry_point": "cartpole_lab.tasks.agents:rl_games_ppo_cfg",
    }},
)
"""


def test_a_task_from_a_file_and_the_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "my_task_file.py"
    file.write_text(TASK_FILE.format(weight=-3, id="Mine-File-v0"))
    cfg, agent = load_cfg(f"{file}:Mine-File-v0")
    assert cfg.rewards.pole_pos.weight == -3 and agent["params"]["config"]["name"] == "cartpole"
    file.write_text(TASK_FILE.format(weight=-4, id="Mine-File-v0"))
    import os

    os.utime(file, (time.time() + 5, time.time() + 5))
    assert load_cfg(f"{file}:Mine-File-v0", agent=None)[0].rewards.pole_pos.weight == -4
    assert load_cfg(f"{file}:MineCfg", agent=None)[0].rewards.pole_pos.weight == -4
    assert load_cfg(f"{file}:MineCfg", agent=None, overrides=["env.decimation=4"])[0].decimation == 4


def test_a_task_from_a_module_and_from_a_config_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_task_module.py").write_text(TASK_FILE.format(weight=-5, id="Mine-Module-v0"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_cfg("my_task_module:Mine-Module-v0")[0].rewards.pole_pos.weight == -5
    assert load_cfg("Mine-Module-v0")[0].rewards.pole_pos.weight == -5
    env = make_env(CFG, num_envs=2, device="cpu", overrides=["env.rewards.pole_pos.weight=-6"])
    assert env.unwrapped.reward_manager.get_term_cfg("pole_pos").weight == -6


def test_installed_packages_are_loaded_and_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "their_tasks.py").write_text(TASK_FILE.format(weight=-7, id="Theirs-v0"))
    (tmp_path / "broken_tasks.py").write_text("import no_such_thing_at_all\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [
        importlib.metadata.EntryPoint(name, f"{name}_tasks", task_lookup.ENTRY_POINTS) for name in ("broken", "their")
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found if group == "isaaclab.tasks" else [])
    assert load_cfg("Theirs-v0")[0].rewards.pole_pos.weight == -7
    with pytest.raises(
        UserError, match=r"'Theirs-v1' is not registered: did you mean Theirs-v0.*broken.*no_such_thing"
    ):
        load_cfg("Theirs-v1")
    task_lookup._broken.clear()


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("Isaac-Cartpol-v0", "did you mean Isaac-Cartpole-v0"),
        ("no_such_module:X-v0", "there is no module 'no_such_module'"),
        ("gone.py:X-v0", "there is no file 'gone.py'"),
        ("fails.py:X-v0", "fails.py line 2: ZeroDivisionError"),
        ("syntax.py:X-v0", "line 1: SyntaxError"),
        ("empty.py:X-v0", "registers no 'X-v0'"),
        ("empty.py", "expected empty.py:<id>"),
        ("CartPole-v1", "Gymnasium's own"),
        ("", "expected an id"),
        (3, "expected an id or a ManagerBasedRLEnvCfg"),
        (dict, "task is a dict"),
    ],
)
def test_a_task_that_is_not_there(task: object, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fails.py").write_text("x = 1\ny = x / 0\n")
    Path("syntax.py").write_text("def (:\n")
    Path("empty.py").write_text("")
    with pytest.raises(UserError) as caught:
        load_cfg(task, agent=None)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_second_environment_beside_a_live_one_says_what_to_do() -> None:
    import gymnasium as gym

    make_env(num_envs=2, device="cpu")
    _, cfg, _ = configure(num_envs=2, device="cpu")
    with pytest.raises(UserError, match=r"still open.*close_env\(\)"):
        gym.make("Isaac-Cartpole-v0", cfg=cfg)
    assert make_env(num_envs=3, device="cpu").unwrapped.num_envs == 3
    close_env()
    assert "isaaclab.envs" in sys.modules


def test_an_override_passes_six_modules_downwards_under_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the shell to the config: which modules call each other, and what they call what they hand on."""
    from cartpole_lab.cli import main
    from cartpole_lab.session import overrides

    text, way = "env.rewards.pole_pos.weight=-2", []

    class Arrived(Exception):
        pass

    def arrive(*args: object, **kwargs: object) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            module, values = frame.f_globals["__name__"], frame.f_locals
            names = [name for name in ("overrides", "options") if text in str(values.get(name, ""))]
            if module.startswith("cartpole_lab.") and names:
                way.insert(0, (module.removeprefix("cartpole_lab."), names[0]))
            frame = frame.f_back
        raise Arrived

    monkeypatch.setattr(overrides, "_set", arrive)
    with pytest.raises(Arrived):
        main(["train", "--device", "cpu", text])
    modules = [module for module, _ in way]
    assert list(dict.fromkeys(modules)) == [
        "cli", "cli.train", "training.rl_games_train", "training.rl_games_settings", "session.configs",
        "session.overrides",
    ]  # fmt: skip
    assert modules == sorted(modules, key=list(dict.fromkeys(modules)).index), "it climbs back up"
    assert {name for _, name in way} == {"overrides", "options"}
