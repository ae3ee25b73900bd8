"""Registration, seen from fresh processes that import nothing of ours. Needs `pip install -e .`."""

import importlib.util
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import gymnasium
import pytest

from envs import plugin
from envs.registration import OBSERVATIONS, REWARDS, TASK_NAMES, env_id, register_all
from envs.tasks import task_class

ALL_IDS = {env_id(t, r, o) for t in TASK_NAMES for r in REWARDS for o in OBSERVATIONS}


def run_fresh(code, cwd, *options):
    """What a fresh Python prints when it runs `code` in the folder `cwd`; it must succeed and complain of nothing."""
    command = [sys.executable, *options, "-c", textwrap.dedent(code)]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.split()


def test_importing_gymnasium_is_enough(tmp_path):
    code = """
        import gymnasium
        print(*(name for name in gymnasium.registry if name.startswith("duet/")))
    """
    assert set(run_fresh(code, tmp_path, "-W", "error::UserWarning")) == ALL_IDS


def test_an_environment_can_be_made_without_importing_us(tmp_path):
    code = """
        import gymnasium
        one = gymnasium.make("duet/PickPlace-v0")
        many = gymnasium.make_vec("duet/PickPlace-v0", num_envs=256)
        print(type(one.unwrapped).__name__, type(many).__name__, many.num_envs)
    """
    assert run_fresh(code, tmp_path) == ["DuetEnv", "DuetVectorEnv", "256"]


@pytest.mark.parametrize("statement", ["import gymnasium as gym", "from gymnasium.envs.registration import spec"])
def test_importing_gymnasium_loads_none_of_our_packages(tmp_path, statement):
    code = f"""
        import sys
        {statement}
        print(*({{name.partition(".")[0] for name in sys.modules}} & {{"envs", "policies", "mujoco", "torch"}}))
        print(*(type(finder).__name__ for finder in sys.meta_path if "Gymnasium" in type(finder).__name__))
    """
    assert run_fresh(code, tmp_path) == []


def test_python_starts_without_loading_anything(tmp_path):
    code = """
        import sys
        print(*({name.partition(".")[0] for name in sys.modules} & {"envs", "gymnasium", "numpy", "mujoco", "torch"}))
    """
    assert run_fresh(code, tmp_path) == []


def test_the_installed_hook_is_this_one():
    installed = importlib.util.find_spec("_duet_plugin")
    assert installed is not None, "run `pip install -e .`"
    assert Path(str(installed.origin)).read_text() == Path(plugin.__file__).read_text(), "run `pip install -e .` again"


def test_looking_for_gymnasium_does_not_use_up_the_hook(tmp_path):
    code = """
        import importlib.util, sys
        import gymnasium.envs
        for name in [name for name in sys.modules if name.startswith("gymnasium")]:
            del sys.modules[name]
        import _duet_plugin
        _duet_plugin.install()
        _duet_plugin.install()
        finder = sys.meta_path[0]
        assert finder.find_spec("gymnasium.envs", importlib.util.find_spec("gymnasium").submodule_search_locations)
        import gymnasium
        print("duet/PickPlace-v0" in gymnasium.registry, finder in sys.meta_path)
    """
    assert run_fresh(code, tmp_path) == ["True", "False"]


def test_a_stranger_may_have_a_package_called_envs(tmp_path):
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "__init__.py").write_text("print('stranger')\n")
    (folder / "registration.py").write_text("raise RuntimeError('not ours to run')\n")
    code = """
        import gymnasium
        print(*(name for name in gymnasium.registry if name.startswith("duet/")))
        import envs
    """
    assert run_fresh(code, tmp_path) == ["stranger"]


def test_a_broken_registration_is_a_warning(tmp_path, monkeypatch):
    folder = tmp_path / "envs"
    folder.mkdir()
    for name in ("__init__.py", "robots", "tasks", "vector.py"):
        (folder / name).touch()
    (folder / "registration.py").write_text("raise RuntimeError('half-written file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "envs")
    with pytest.warns(UserWarning, match="not registered.*half-written file"):
        plugin.install()  # Gymnasium is imported, so this registers at once.


def test_every_task_is_registered_once_in_every_form():
    register_all()
    before = {name: gymnasium.spec(name) for name in ALL_IDS}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_all()
    assert {name for name in gymnasium.registry if name.startswith("duet/")} == ALL_IDS
    assert all(gymnasium.spec(name) is before[name] for name in ALL_IDS)


def test_a_spec_says_what_to_make():
    spec = gymnasium.spec("duet/PickPlaceSparseGoal-v0")
    assert spec.kwargs == {"task": "PickPlace", "reward": "sparse", "observation": "goal"}
    assert spec.max_episode_steps is None  # the environment truncates by itself
    assert spec.vector_entry_point == "envs.vector:DuetVectorEnv"


def test_every_file_of_the_tasks_folder_is_a_task():
    assert {
        "Reach", "Lift", "PickPlace", "Stack", "Tidy", "Handover", "HandoverPlace", "Relay"
    } <= set(TASK_NAMES)  # fmt: skip
    assert [task_class(name).__name__ for name in TASK_NAMES] == list(TASK_NAMES)


def test_an_id_takes_the_number_of_objects():
    one = gymnasium.make("duet/Tidy-v0", num_objects=2)
    many = gymnasium.make_vec("duet/Relay-v0", num_envs=2, num_objects=4)
    assert len(one.unwrapped.scene.objects) == 2  # type: ignore[attr-defined]
    assert len(many.unwrapped.scene.objects) == 4  # type: ignore[attr-defined]
    one.close()
    many.close()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("Reach",), "duet/Reach-v0"),
        (("Lift", "sparse"), "duet/LiftSparse-v0"),
        (("PickPlace", "dense", "goal"), "duet/PickPlaceGoal-v0"),
        (("PickPlace", "sparse", "pixels"), "duet/PickPlaceSparsePixels-v0"),
    ],
)
def test_ids(arguments, expected):
    assert env_id(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("PikPlace",), "no task 'PikPlace'; did you mean 'PickPlace'\\? known: .*Lift"),
        (("Reach", "spares"), "no reward 'spares'; did you mean 'sparse'\\? known: dense, sparse"),
        (("Reach", "dense", "vision"), "no observation 'vision'; known: state, goal, pixels"),
    ],
)
def test_unknown_names_are_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        env_id(*arguments)
