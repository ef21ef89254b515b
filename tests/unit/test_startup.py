"""What keeps the start short and the cores free: the collector, PyTorch's threads, the first compilation."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from cartpole_lab.session.configs import load_cfg
from cartpole_lab.session.env import close_env, make_env
from cartpole_lab.speed.startup import paused_collector

pytestmark = pytest.mark.usefixtures("speed_on")


def test_the_collector_runs_again_after_the_block_and_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError), paused_collector():
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_pytorch_keeps_to_one_thread_while_an_environment_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        make_env(num_envs=2, device="cpu")
        assert torch.get_num_threads() == 1
        close_env()
        assert torch.get_num_threads() == 2
    finally:
        close_env()
        torch.set_num_threads(before)


def test_training_leaves_the_threads_as_the_session_set_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.training.rl_games_train import train

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen = []

    def look(info: object) -> None:
        seen.append(torch.get_num_threads())

    _, agent = load_cfg()
    del agent["params"]["torch_threads"]  # an agent file that says nothing, as those of other tasks
    small = {"num_envs": 16, "device": "cpu", "max_iterations": 2, "eval_interval": 0, "eval_episodes": 16}
    train(agent_cfg=agent, **small, log_root=tmp_path, progress=False, on_epoch=look)
    assert seen == [1, 1], "rl-games would take every core"


def test_what_is_compiled_ahead_is_what_a_launch_uses(tmp_path: Path) -> None:
    (tmp_path / "tiny_kernels.py").write_text(
        "import warp as wp\n\n@wp.kernel\ndef double(x: wp.array[float]):\n    x[wp.tid()] = 2.0 * x[wp.tid()]\n"
    )
    (tmp_path / "run.py").write_text(
        "import cartpole_lab.speed.kernel_compilation as compile\n"
        "compile.MODULES = ('tiny_kernels',)\n"
        "said = []\n"
        "with compile.compiling(say=said.append) as compile_step: assert compile_step\n"
        "with compile.compiling(say=said.append) as compile_step: assert compile_step is None\n"
        "assert len(said) == 1\n"
        "import tiny_kernels, warp as wp\n"
        "import warp._src.build as build\n"
        "def never(*args, **kwargs): raise AssertionError('compiled a second time')\n"
        "build.build_cpu = never\n"
        "x = wp.ones(4, dtype=float, device='cpu')\n"
        "wp.launch(tiny_kernels.double, dim=4, inputs=[x], device='cpu')\n"
        "assert x.numpy().tolist() == [2.0] * 4\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2])])
    environment = {**os.environ, "WARP_CACHE_PATH": str(tmp_path / "cache"), "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, str(tmp_path / "run.py")], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_module_that_somebody_needs_is_compiled_once_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from warp._src.context import Module

    from cartpole_lab.speed import kernel_compilation

    compiled: list[tuple[str, bool]] = []
    begun, go_on = threading.Event(), threading.Event()

    def load(module: Module, device: object, block_dim: int | None = None) -> None:
        compiled.append((module.name, threading.current_thread() is threading.main_thread()))
        if module.name == "first":
            begun.set()
            assert go_on.wait(300)

    monkeypatch.setattr(Module, "load", load)
    monkeypatch.setattr(kernel_compilation, "cores", lambda: 2)
    first, needed, last = (Module(name, None) for name in ("first", "needed", "last"))
    with kernel_compilation.meanwhile() as add:
        add([first, needed, last])
        assert begun.wait(300)
        Module.load(needed, "cpu", 1)
        assert compiled == [("first", False), ("needed", True)], "nobody had begun it"
        go_on.set()
    assert Module.load is load
    assert "last" in dict(compiled[2:])


def test_an_error_does_not_wait_for_modules_that_nobody_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    from warp._src.context import Module

    from cartpole_lab.speed import kernel_compilation

    compiled: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def load(module: Module, device: object, block_dim: int | None = None) -> None:
        compiled.append(module.name)
        begun.set()
        assert go_on.wait(300)

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            go_on.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr(Module, "load", load)
    monkeypatch.setattr(kernel_compilation, "cores", lambda: 2)
    monkeypatch.setattr(kernel_compilation, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt), kernel_compilation.meanwhile() as add:
        add([Module("first", None), Module("last", None)])
        assert begun.wait(300)
        raise KeyboardInterrupt
    assert compiled == ["first"]


def test_the_modules_of_a_step_are_known_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from warp._src.context import Module

    from cartpole_lab.speed.physics_snapshot import differences, snapshot

    monkeypatch.setenv("CARTPOLE_LAB_SPEED", "-step_replay")
    env = make_env(num_envs=4, device="cpu").unwrapped
    manager = env.sim.physics_manager
    env.sim.step(render=False)  # takes in what was set while the scene was made
    before = snapshot(manager), manager._solver._step
    known = manager.kernel_modules()
    assert differences(before[0]) == [] and manager._solver._step == before[1], "nothing has run"
    loaded: set[Module] = set()
    original = Module.load
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Module, "load", lambda module, *args, **more: loaded.add(module) or original(module, *args, **more)
        )
        env.sim.step(render=False)
    assert len(known) > 20
    assert {module.name for module in loaded - set(known)} == set()


def test_progress_needs_a_running_kernel_not_an_imported_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from cartpole_lab.training.progress import ProgressLine

    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    monkeypatch.delitem(sys.modules, "ipykernel.kernelapp", raising=False)
    assert ProgressLine(enabled=False)._kernel is False


def run_fresh(code: str) -> None:
    """Run code in a process that has imported nothing yet."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_rl_games_trains_without_the_compiler_which_works_afterwards() -> None:
    run_fresh(
        "import sys, torch\n"
        "from cartpole_lab.speed.startup import import_rl_games\n"
        "with import_rl_games():\n"
        "    from rl_games.torch_runner import Runner\n"
        "weight = torch.nn.Parameter(torch.ones(1))\n"
        "optimizer = torch.optim.Adam([weight], lr=0.5, fused=True)\n"
        "(weight**2).sum().backward()\n"
        "optimizer.step()\n"
        "assert abs(weight.item() - 0.5) < 1e-6\n"
        "assert not {'sympy', 'torch._inductor', 'torch._dynamo.utils'} & set(sys.modules)\n"
        "graphs = []\n"
        "def backend(graph, inputs):\n"
        "    graphs.append(graph)\n"
        "    return graph.forward\n"
        "double = torch.compile(lambda x: 2 * x, backend=backend)\n"
        "assert double(torch.ones(2)).tolist() == [2.0, 2.0] and len(graphs) == 1\n"
        "assert torch._dynamo.__file__ and sys.modules['torch._dynamo'] is torch._dynamo\n"
    )


def test_networks_that_are_compiled_get_the_compiler() -> None:
    run_fresh(
        "import sys\n"
        "from cartpole_lab.speed.startup import import_rl_games, quick_imports\n"
        "with quick_imports(), import_rl_games(compiled=True):\n"
        "    from rl_games.torch_runner import Runner\n"
        "assert sys.modules['torch._dynamo'].__file__\n"
        "assert sys.modules['torch._dynamo'].config.cache_size_limit == 64\n"
    )


def test_training_imports_no_symbolic_algebra(tmp_path: Path) -> None:
    run_fresh(
        "import sys\n"
        "from cartpole_lab.training.rl_games_train import train\n"
        "agent = 'rl_games_with_symmetry_cfg_entry_point'\n"
        f"train(agent=agent, num_envs=64, max_iterations=1, device='cpu', progress=False, log_root={str(tmp_path)!r})\n"
        "assert 'sympy' not in sys.modules\n"
    )


def test_mujocos_window_library_is_imported_when_it_is_used() -> None:
    code = (
        "from cartpole_lab.session.env import make_env\n"
        "import sys\n"
        "make_env(num_envs=2, device='cpu')\n"
        "assert 'mujoco.glfw' in sys.modules and 'glfw.library' not in sys.modules\n"
        "import glfw, mujoco.glfw\n"
        "assert glfw.__version__.count('.') and glfw.VISIBLE == mujoco.glfw.glfw.VISIBLE\n"
        "assert 'glfw.library' in sys.modules and sys.modules['glfw'].__file__\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr


def test_warp_reads_and_tracks_kernels_again_after_the_imports() -> None:
    run_fresh(
        "from warp._src.codegen import Adjoint\n"
        "from warp._src.context import Module\n"
        "originals = Module._find_references, Adjoint.extract_function_source\n"
        "from cartpole_lab.speed.startup import import_simulator, quick_imports\n"
        "with quick_imports():\n"
        "    import_simulator(newton=True)\n"
        "assert originals == (Module._find_references, Adjoint.extract_function_source)\n"
    )


def test_a_function_that_ends_in_an_outdented_text_is_read_to_its_end(tmp_path: Path) -> None:
    source = 'def last(x: float):\n    wp.printf("""\nout\n""")\n'
    (tmp_path / "outdented.py").write_text(f"import warp as wp\n\n\n@wp.func\n{source}")
    run_fresh(
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from cartpole_lab.speed.startup import quick_imports\n"
        "with quick_imports(), quick_imports():\n"
        "    import outdented\n"
        "adjoint = outdented.last.adj\n"
        f"assert adjoint.source == {'@wp.func' + chr(10) + source!r}, adjoint.source\n"
        "assert adjoint.tree.body[0].name == 'last'\n"
    )


def test_kernels_that_were_not_read_at_once_are_read_as_warp_reads_them() -> None:
    run_fresh(
        "import ast, re\n"
        "from cartpole_lab.speed.unread_kernels import Unread\n"
        "from cartpole_lab.speed.startup import import_simulator, quick_imports\n"
        "with quick_imports():\n"
        "    import_simulator(newton=True)\n"
        "    from warp._src import codegen\n"
        "    list_arguments = codegen.get_full_arg_spec\n"
        "from warp._src.context import user_modules\n"
        "adjoints = [k.adj for m in user_modules.values() for k in m.kernels.values()]\n"
        "adjoints += [f.adj for m in user_modules.values() for f in m.functions.values() if f.adj is not None]\n"
        "unread = [adjoint for adjoint in adjoints if isinstance(vars(adjoint)['tree'], Unread)]\n"
        "assert len(unread) > 500, len(unread)\n"
        "for adjoint in unread:\n"
        "    source, line, tree = codegen.Adjoint.extract_function_source(adjoint.func)\n"
        "    assert (adjoint.source, adjoint.fun_lineno) == (source, line), adjoint.fun_name\n"
        "    assert ast.dump(adjoint.tree) == ast.dump(tree), adjoint.fun_name\n"
        "assert codegen.get_full_arg_spec is not list_arguments\n"
        "for adjoint in adjoints:\n"
        "    quick, full = list_arguments(adjoint.func), codegen.get_full_arg_spec(adjoint.func)\n"
        "    quick, full = (re.sub('0x[0-9a-f]+', '', str(spec)) for spec in (quick, full))  # arrays don't compare\n"
        "    assert quick == full, adjoint.fun_name\n"
    )


def test_references_are_those_that_warp_finds_and_no_tree_is_kept() -> None:
    run_fresh(
        "import ast\n"
        "from cartpole_lab.session.env import make_env\n"
        "from cartpole_lab.speed.unread_kernels import Unread\n"
        "env = make_env(num_envs=4, device='cpu')\n"
        "env.reset()\n"
        "import torch\n"
        "env.step(torch.zeros(4, 1))\n"
        "from warp._src.codegen import Adjoint, iter_ast_nodes_of_types\n"
        "from warp._src.context import ModuleHasher, user_modules\n"
        "adjoints = [k.adj for m in user_modules.values() for k in m.kernels.values()]\n"
        "adjoints += [f.adj for m in user_modules.values() for f in m.functions.values() if f.adj is not None]\n"
        "unread = [adjoint for adjoint in adjoints if isinstance(vars(adjoint)['tree'], Unread)]\n"
        "looked_at = [adjoint for adjoint in unread if adjoint._assigned_name_ids is not None]\n"
        "assert len(unread) > 500 and len(looked_at) > 200, (len(unread), len(looked_at))\n"
        "for adjoint in unread:\n"
        "    kept = vars(vars(adjoint)['tree'])\n"
        "    assert 'tree' not in kept and 'reference_nodes' not in kept, adjoint.fun_name\n"
        "    assert adjoint._reference_nodes is None and adjoint._shared_source.reference_nodes is None\n"
        "for adjoint in looked_at:\n"
        "    types = ast.Name, ast.Attribute, ast.Call, ast.Assign\n"
        "    theirs = list(iter_ast_nodes_of_types(ast.parse(adjoint.source), *types))\n"
        "    assert [*map(ast.dump, adjoint.reference_nodes())] == [*map(ast.dump, theirs)], adjoint.fun_name\n"
        "    quick = adjoint.get_references()\n"
        "    adjoint._shared_source = None\n"
        "    assert quick == adjoint.get_references() and adjoint._reference_nodes is not None, adjoint.fun_name\n"
    )


def test_what_is_imported_is_set_aside_only_before_an_environment_and_only_where_there_is_some() -> None:
    run_fresh(
        "import gc\n"
        "from cartpole_lab.speed.startup import quick_imports\n"
        "with quick_imports():\n"
        "    import isaaclab.utils\n"
        "frozen = gc.get_freeze_count()\n"
        "assert frozen > 10_000\n"
        "class Node:\n"
        "    pass\n"
        "with quick_imports():\n"
        "    node = Node()\n"
        "    node.itself = node\n"
        "    del node\n"
        "gc.collect()\n"
        "assert not any(isinstance(thing, Node) for thing in gc.get_objects()), 'nothing was imported'\n"
        "from cartpole_lab.session.env import close_env, make_env\n"
        "make_env(num_envs=2, device='cpu')\n"
        "frozen = gc.get_freeze_count()\n"
        "with quick_imports():\n"
        "    import wave, xmlrpc.client\n"
        "assert gc.get_freeze_count() <= frozen, 'an environment is open'\n"
    )


def test_parts_of_pytorch_that_were_only_named_are_there_when_they_are_used() -> None:
    run_fresh(
        "import sys\n"
        "from cartpole_lab.speed.deferred_imports import SELDOM, Later, import_torch\n"
        "assert import_torch()\n"
        "assert all(type(sys.modules[name]) is Later for name in SELDOM)\n"
        "import torch\n"
        "assert torch.nn.quantized.Linear and torch.quantization.QConfig and torch.export.ExportedProgram\n"
        "import torch.export.dynamic_shapes\n"
        "assert torch.export is sys.modules['torch.export'] and torch.export.__file__\n"
    )


def test_pytorch_that_was_mapped_in_advance_is_the_one_that_is_imported() -> None:
    run_fresh(
        "import os, sys\n"
        "os.environ.pop('LD_LIBRARY_PATH', None)\n"
        "from cartpole_lab.speed import startup\n"
        "startup._map_torch()\n"
        "mapped = {line.split()[-1] for line in open('/proc/self/maps') if 'libtorch_c' in line}\n"
        "assert mapped and 'torch' not in sys.modules\n"
        "import torch\n"
        "assert mapped == {line.split()[-1] for line in open('/proc/self/maps') if 'libtorch_c' in line} - {\n"
        "    line.split()[-1] for line in open('/proc/self/maps') if 'linalg' in line}\n"
        "assert torch.ones(2).sum() == 2\n"
    )


def test_modules_that_were_only_named_are_there_when_they_are_used() -> None:
    run_fresh(
        "import sys\n"
        "from cartpole_lab.speed.startup import import_simulator, quick_imports\n"
        "with quick_imports():\n"
        "    import isaaclab_tasks\n"
        "    import_simulator(newton=True)\n"
        "assert not {'newton.viewer', 'newton.controllers'} & set(sys.modules)\n"
        "import newton, newton.controllers\n"
        "assert newton.viewer.ViewerNull.__module__.startswith('newton.')\n"
        "from newton.viewer import ViewerNull\n"
        "assert sys.modules['newton.viewer'].__file__ and newton.viewer.ViewerNull is ViewerNull\n"
        "assert newton.controllers.ControllerBase\n"
    )


@pytest.mark.parametrize(
    "use",
    [
        "program = torch.export.export(model, (x,))\nassert torch.equal(program.module()(x), model(x))",
        "from torch._subclasses.fake_tensor import FakeTensorMode\n"
        "with FakeTensorMode():\n"
        "    assert torch.linalg.svd(torch.ones(3, 3)).S.shape == (3,)",
        "import torch._refs\nassert type(torch._refs.__spec__.loader) is type(torch.__spec__.loader)",
        "import torch._meta_registrations",
    ],
    ids=["export", "fake tensors", "references", "rules"],
)
def test_what_builds_on_pytorchs_rules_for_empty_tensors_has_them(use: str) -> None:
    run_fresh(
        "import sys\n"
        "from cartpole_lab.speed.startup import quick_imports\n"
        "with quick_imports():\n"
        "    import torch\n"
        "assert 'torch._meta_registrations' not in sys.modules\n"
        "model, x = torch.nn.Linear(4, 1), torch.ones(2, 4)\n"
        f"{use}\n"
        "assert sys.modules['torch._meta_registrations'].__file__\n"
        "assert len(torch._decomp.global_decomposition_table['meta']) > 100\n"
        "assert not any(type(finder).__name__ == '_RulesFirst' for finder in sys.meta_path)\n"
    )


def test_the_start_of_the_process_is_known_better_than_to_a_second() -> None:
    code = "import time\nfrom cartpole_lab.cli._common import process_start\nprint(process_start())"
    before = time.time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert before - 0.05 < float(done.stdout) < time.time()


class Driver:
    """Stands for CUDA's driver, and notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def cuInit(self, flags: int) -> int:
        return self.asked.append(("init", flags)) or 0

    def cuDeviceGet(self, gpu: object, index: int) -> int:
        return self.asked.append(("gpu", index)) or 0

    def cuDevicePrimaryCtxRetain(self, context: object, gpu: object) -> int:
        return self.asked.append(("context",)) or 0


@pytest.mark.parametrize(
    ("device", "hidden", "index"), [(None, None, 0), ("cuda:1", None, 1), ("cpu", None, None), (None, "-1", None)]
)
def test_the_gpus_context_is_made_while_python_imports(
    device: str | None, hidden: str | None, index: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cartpole_lab.speed import startup

    driver, before = Driver(), set(threading.enumerate())
    monkeypatch.setattr(startup.ctypes, "CDLL", lambda name: driver)
    monkeypatch.setattr(startup.os.path, "exists", lambda path: path == "/dev/nvidiactl")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden) if hidden else monkeypatch.delenv(
        "CUDA_VISIBLE_DEVICES", raising=False
    )
    startup.wake_gpu(device)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert driver.asked == ([] if index is None else [("init", 0), ("gpu", index), ("context",)])
