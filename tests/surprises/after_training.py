"""Going on with a run, files of a run, exporting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.surprises.entry import Place, Values, surprise

COMMON = "rl_games/common/a2c_common.py"


def saved(agent: Any, **changes: Any) -> str:
    """Path of a checkpoint of the agent, with changes to its entries."""
    import torch

    path = Path(agent.nn_dir) / "given.pth"
    torch.save({**agent.get_full_state_weights(), **changes}, path)
    return str(path)


def trained(agent: Any) -> Any:
    """The agent after its training, which prints nothing."""
    from cartpole_lab.session import quietly

    with quietly():
        agent.train()
    return agent


@surprise(
    world="plain",
    group="after",
    question="You go on from a checkpoint whose best reward was 1000. A worse policy comes along. Does it overwrite "
    "the best?",
    guess="No: the checkpoint holds `last_mean_rewards`, and it is read back.",
    happens="Yes. After the restore it is {restored:g}; the first epoch saves a policy of {then:.1f} as the new best.",
    why="`train()` sets it to −1e9 before its first epoch.",
    places=(
        Place(COMMON, "self.last_mean_rewards = weights.get('last_mean_rewards'"),
        Place(COMMON, "self.last_mean_rewards = -1000000000", after="class ContinuousA2CBase"),
    ),
    todo="Copy the best file before you go on. `cartpole-lab train` goes by evaluations instead.",
    packages=("rl-games",),
    holds=lambda v: v["restored"] == 1000.0 and v["then"] < 100 and v["overwritten"],
    guessed={"then": 1000.0, "overwritten": False},
    close=0.2,
)
def the_best_is_forgotten() -> Values:
    from tests.surprises import toy

    agent = toy.rl_games_agent(max_epochs=1, save_best_after=0)
    path = saved(agent, last_mean_rewards=1000.0)
    from cartpole_lab.session import quietly

    with quietly():
        agent.restore(path)
    restored = agent.last_mean_rewards
    trained(agent)
    best = Path(agent.nn_dir) / f"{agent.config['name']}.pth"
    return {"restored": restored, "then": float(agent.last_mean_rewards), "overwritten": best.is_file()}


@surprise(
    world="plain",
    group="after",
    question="A run of 3 epochs has ended. You go on with `max_epochs: 3`, as the file says. How many epochs follow?",
    guess="None, it is done. Or 3 more, as with rsl-rl's `num_learning_iterations`.",
    happens="{more}. The count goes to {reached}.",
    why="The epoch is restored, and asked for only after one has been run.",
    places=(
        Place(COMMON, "if epoch_num >= self.max_epochs and self.max_epochs != -1:", after="class ContinuousA2CBase"),
    ),
    todo="rl-games counts all epochs of all runs, rsl-rl only new ones, skrl and sb3 from zero. Say what you mean "
    "when you go on.",
    packages=("rl-games",),
    holds=lambda v: v["more"] == 1 and v["reached"] == 4,
    guessed={"more": 0, "reached": 3},
)
def one_epoch_too_many() -> Values:
    from cartpole_lab.session import quietly
    from tests.surprises import toy

    path = saved(trained(toy.rl_games_agent(max_epochs=3)))
    again = toy.rl_games_agent(max_epochs=3)
    with quietly():
        again.restore(path)
    before = again.epoch_num
    trained(again)
    return {"more": again.epoch_num - before, "reached": again.epoch_num}


@surprise(
    world="plain",
    group="after",
    question="The adaptive schedule had brought the learning rate to 1e-5 when the run was saved. With what does it "
    "go on?",
    guess="1e-5: the optimizer's state is restored.",
    happens="With {first:.0e} for one minibatch, then from {second:.1e}, which is the file's {file:.0e} and a step "
    "of the schedule.",
    why="The schedule has a number of its own, `last_lr`, which comes from the file and is written over the "
    "optimizer's after the first minibatch.",
    places=(
        Place(COMMON, "self.last_lr = self.config['learning_rate']"),
        Place("rl_games/algos_torch/a2c_continuous.py", "param_group['lr'] = self.last_lr"),
    ),
    todo="Give the rate that the log ended with: `agent.params.config.learning_rate=1e-5`.",
    packages=("rl-games",),
    holds=lambda v: abs(v["first"] - 1e-5) < 1e-9 and v["second"] > 1e-4,
    guessed={"second": 1e-5},
)
def the_learning_rate_comes_back() -> Values:
    from cartpole_lab.session import quietly
    from tests.surprises import toy

    agent = toy.rl_games_agent(learning_rate=3e-4)
    agent.optimizer.param_groups[0]["lr"] = 1e-5
    path = saved(agent)
    again = toy.rl_games_agent(learning_rate=3e-4)
    with quietly():
        again.restore(path)
    toy.start(again)
    rates = [again.optimizer.param_groups[0]["lr"]]
    step = again.train_actor_critic

    def watched(part: Any) -> Any:
        rates.append(again.optimizer.param_groups[0]["lr"])
        return step(part)

    again.train_actor_critic = watched
    again.train_epoch()
    return {"first": rates[1], "second": rates[2], "file": 3e-4}


@surprise(
    world="plain",
    group="after",
    question="At which step does rl-games put its first point into TensorBoard?",
    guess="At the number of steps that the first epoch took, 256 here.",
    happens="At {first}. All points stand one epoch too early: the second is at {second}, with {epoch} steps an epoch.",
    why="The number is read before the epoch's steps are added to it.",
    places=(Place(COMMON, "frame = self.frame // self.num_agents", after="class ContinuousA2CBase"),),
    todo="Add one epoch when you compare curves of rl-games with those of other libraries.",
    packages=("rl-games",),
    holds=lambda v: v["first"] == 0 and v["second"] == v["epoch"],
    guessed={"first": 256},
)
def the_first_point_is_at_zero() -> Values:
    from tests.surprises import toy

    agent = toy.rl_games_agent(max_epochs=2)
    steps: list[int] = []
    add = agent.writer.add_scalar

    def watched(name: str, value: Any, step: Any = None, *args: Any, **kwargs: Any) -> Any:
        if name == "losses/a_loss":
            steps.append(int(step))
        return add(name, value, step, *args, **kwargs)

    agent.writer.add_scalar = watched
    trained(agent)
    return {"first": steps[0], "second": steps[1], "epoch": agent.batch_size}


@surprise(
    world="plain",
    group="after",
    question="`torch.load` of a checkpoint that rl-games wrote. Does it load?",
    guess="Yes, it is an ordinary PyTorch file of tensors.",
    happens="Before the first episode has ended {fresh}; after that {later}, naming `{name}`.",
    why="The best reward is stored as a NumPy number, and `torch.load` takes nothing but tensors and plain Python "
    "since PyTorch 2.6. rl-games itself loads with `weights_only=False`, which runs whatever code the file holds.",
    places=(Place("rl_games/algos_torch/torch_ext.py", "torch.load("),),
    todo="Load files of strangers with `cartpole_lab.open_checkpoint`, or allow NumPy's numbers with "
    "`torch.serialization.safe_globals`.",
    packages=("rl-games", "torch"),
    holds=lambda v: v["fresh"] == "it loads" and v["later"] == "it is refused",
    guessed={"later": "it loads"},
)
def checkpoints_are_refused() -> Values:
    import pickle
    import re

    import torch

    from tests.surprises import toy

    agent = toy.rl_games_agent(max_epochs=1, save_best_after=0)

    def load() -> tuple[str, str]:
        try:
            torch.load(saved(agent))
        except pickle.UnpicklingError as error:
            found = re.search(r"numpy[\w.]+", str(error))
            return "it is refused", found[0] if found else "?"
        return "it loads", ""

    fresh = load()[0]
    trained(agent)
    later, name = load()
    return {"fresh": fresh, "later": later, "name": name}


@surprise(
    world="plain",
    group="after",
    question="You export `agent.model.a2c_network` of a policy trained with `normalize_input`. Does it act like the "
    "policy?",
    guess="Yes, it is the network; the loss is the trainer's.",
    happens="No: for one observation it says {network:.2f} where the policy says {policy:.2f}. The file has {inputs} "
    "input and no trace of what is missing.",
    why="Normalising is done one level up, in the model, before the network is called.",
    places=(Place("rl_games/algos_torch/models.py", "input_dict['obs'] = self.norm_obs(input_dict['obs'])"),),
    todo="Export what `cartpole-lab export` does: statistics, clip, network and mean. Then compare both on many "
    "observations.",
    packages=("rl-games", "torch", "onnx", "onnxruntime"),
    holds=lambda v: v["apart"] > 0.1 and v["inputs"] == 1,
    guessed={"apart": 0.0},
    close=0.2,
)
def the_network_is_not_the_policy() -> Values:
    import io

    import onnx
    import onnxruntime
    import torch

    from cartpole_lab.session import quietly
    from tests.surprises import toy

    agent = trained(toy.rl_games_agent(max_epochs=3, normalize_input=True))
    agent.model.eval()
    obs = torch.tensor([[3.0, 0.5]])

    class Network(torch.nn.Module):
        """The network alone, its mean."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = agent.model.a2c_network

        def forward(self, obs: torch.Tensor) -> torch.Tensor:
            return self.inner({"obs": obs})[0]

    file = io.BytesIO()
    with quietly():
        torch.onnx.export(Network().eval(), (obs,), file, dynamo=False, input_names=["obs"], output_names=["mean"])
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        policy = agent.model({"is_train": False, "prev_actions": None, "obs": obs})["mus"]
    network = float(session.run(None, {"obs": obs.numpy()})[0][0, 0])
    return {
        "network": network,
        "policy": policy[0, 0].item(),
        "apart": abs(network - policy[0, 0].item()),
        "inputs": len(onnx.load_from_string(file.getvalue()).graph.input),
    }


@surprise(
    world="plain",
    group="after",
    question="`torch.onnx.export` of a policy, shown one observation. Does the file take 64 of them?",
    guess="Yes: nothing in a network of layers depends on the number of rows.",
    happens="{answer}. Its input has the shape {shape}.",
    why="The shape of the example becomes the shape of the file, unless dimensions are named as free.",
    places=(Place("torch/onnx/__init__.py", "dynamic_shapes: dict[str, Any]"),),
    todo="Name the batch free: `dynamic_shapes={'obs': {0: torch.export.Dim('n')}}`. `cartpole-lab export` does.",
    packages=("torch", "onnx", "onnxruntime"),
    holds=lambda v: v["answer"] == "No, it is refused" and v["shape"] == "(1, 4)",
    guessed={"answer": "Yes"},
)
def the_batch_is_fixed() -> Values:
    import io

    import numpy as np
    import onnxruntime
    import torch

    from cartpole_lab.session import quietly

    policy = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ELU(), torch.nn.Linear(8, 1))
    with quietly():
        program = torch.onnx.export(policy, (torch.zeros(1, 4),), dynamo=True, input_names=["obs"], verbose=False)
    file = io.BytesIO()
    program.save(file)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    try:
        with quietly():
            session.run(None, {"obs": np.zeros((64, 4), np.float32)})
        answer = "Yes"
    except Exception:
        answer = "No, it is refused"
    return {"answer": answer, "shape": str(tuple(session.get_inputs()[0].shape))}
