"""The batched environment on bad input, and its options."""

import gymnasium as gym
import numpy as np
import pytest

from envs.single import DuetEnv
from envs.vector import DuetVectorEnv


@pytest.fixture(scope="module")
def env():
    return DuetVectorEnv(3, task="Reach", autoreset=False)


@pytest.fixture
def begun(env):
    env.reset(seed=0)
    return env


# Actions


@pytest.mark.parametrize("shape", [(5,), (2, 5), (3, 4), (3, 5, 1)])
def test_an_action_of_the_wrong_shape_is_refused(begun, shape):
    with pytest.raises(ValueError, match=r"must have the shape \(3, 5\), not \(" + str(shape[0])):
        begun.step(np.zeros(shape))


def test_one_world_refuses_a_batch_of_actions():
    one = DuetEnv(task="Reach")
    one.reset(seed=0)
    with pytest.raises(ValueError, match=r"must have the shape \(5,\), not \(1, 5\)"):
        one.step(np.zeros((1, 5)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_action_that_is_no_number_names_its_world_and_changes_nothing(begun, bad):
    before = begun.get_state()
    actions = np.zeros((3, 5))
    actions[1, 3] = bad
    with pytest.raises(ValueError, match="action of world 1 is not finite"):
        begun.step(actions)
    for name, values in begun.get_state().items():
        np.testing.assert_array_equal(values, before[name])


def test_actions_out_of_range_are_clipped_and_counted(begun):
    saved = begun.get_state()
    actions = np.zeros((3, 5))
    actions[0, :2] = 1.0, -1.0
    actions[2, 0] = 1.0
    expected = begun.step(actions)
    begun.set_state(saved)
    actions[0, :2] = 4.0, -1.5
    seen, *_, infos = begun.step(actions)
    np.testing.assert_array_equal(seen, expected[0])
    np.testing.assert_array_equal(infos["clipped_actions"], [2, 0, 0])
    np.testing.assert_array_equal(begun.step(actions)[-1]["clipped_actions"], [4, 0, 0])
    np.testing.assert_array_equal(begun.reset()[1]["clipped_actions"], 0)


# Names


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": "PikPlace"}, "no task 'PikPlace'; did you mean 'PickPlace'\\?"),
        ({"robot": "pando"}, "no robot 'pando'; did you mean 'panda'\\?"),
        ({"reward": "spare"}, "no reward 'spare'; did you mean 'sparse'\\?"),
        ({"observation": "goals"}, "no observation mode 'goals'; did you mean 'goal'\\?"),
        ({"control": "cartesan"}, "no control mode 'cartesan'; did you mean 'cartesian'\\?"),
        ({"render_mode": "rgb"}, "no render mode 'rgb'; .*known: rgb_array, human"),
        ({"task": "Tidy", "num_objects": 9}, "num_objects is 9; Tidy comes with 1, 2, 3, 4, 5, 6, 7, 8$"),
        ({"task": "Tidy", "num_objects": 0}, "num_objects is 0; Tidy comes with 1, 2, 3, 4, 5, 6, 7, 8$"),
        ({"task": "Relay", "num_objects": 1}, "num_objects is 1; Relay comes with 2, 3, 4$"),
        ({"task": "Handover", "num_objects": 2}, "num_objects is 2; the number of Handover's objects is fixed$"),
        ({"num_envs": 0}, "num_worlds must be at least 1, not 0"),
        ({"threads": -1}, "threads must be 0 .* or more, not -1"),
    ],
)
def test_unknown_arguments_are_explained(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DuetVectorEnv(**({"num_envs": 1} | kwargs))


# Objects and arms


@pytest.mark.parametrize(
    ("task", "count", "objects"),
    [("Tidy", None, 3), ("Tidy", 8, 8), ("Relay", None, 3), ("Relay", 2, 2), ("Lift", None, 1)],
)
def test_a_task_comes_with_as_many_objects_as_asked_for(task, count, objects):
    env = DuetVectorEnv(2, task=task, num_objects=count)
    assert len(env.scene.objects) == objects
    assert env.make_kwargs["num_objects"] == count
    again = DuetVectorEnv(**env.make_kwargs)
    np.testing.assert_array_equal(env.reset(seed=0)[0], again.reset(seed=0)[0])
    assert env.max_ticks == again.max_ticks
    names = {part.name for part in env.parts}
    assert all(any(thing.spec.name in name for name in names) for thing in env.scene.objects)


def test_two_arms_have_a_set_of_actions_each():
    env = DuetVectorEnv(2, task="Handover")
    one = DuetVectorEnv(2, task="Lift").action_names
    assert env.action_names == tuple(f"arm{arm}_{name}" for arm in (0, 1) for name in one)
    env.reset(seed=0)
    before = [env.world().tool_base_position(arm).copy() for arm in (0, 1)]
    actions = np.zeros((2, 10))
    actions[:, 5 + 2] = 1.0
    for _ in range(5):
        env.step(actions)
    assert (env.world().tool_base_position(1)[:, 2] > before[1][:, 2] + 0.03).all()
    np.testing.assert_allclose(env.world().tool_base_position(0), before[0], atol=0.01)


# Reset


def test_reset_comes_before_step():
    with pytest.raises(gym.error.ResetNeeded):
        DuetVectorEnv(2, task="Reach").step(np.zeros((2, 5)))


def test_the_first_reset_is_of_all_worlds():
    with pytest.raises(gym.error.ResetNeeded):
        DuetVectorEnv(2, task="Reach").reset(options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize(
    "mask",
    [np.ones(2, dtype=bool), np.array([0, 1, 2]), np.zeros(3, dtype=bool)],
    ids=["short", "indices", "nothing"],
)
def test_a_bad_reset_mask_is_refused(begun, mask):
    with pytest.raises(ValueError, match="reset_mask"):
        begun.reset(options={"reset_mask": mask})


@pytest.mark.parametrize("layout_seeds", [[1, 2], [1, 2, 3, 4], [1, -2, 3], 7])
def test_bad_layout_seeds_are_refused(begun, layout_seeds):
    with pytest.raises(ValueError, match="layout_seeds must be 3 integers of at least 0"):
        begun.reset(options={"layout_seeds": layout_seeds})


def test_a_list_of_seeds_has_one_for_each_world(begun):
    with pytest.raises(ValueError, match="one integer or 3, one for each world, not 2"):
        begun.reset(seed=[1, 2])
    drawn = begun.reset(seed=[5, 9, 5])[1]["layout_seed"]
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_masked_reset_leaves_the_others_alone(begun):
    actions = np.random.default_rng(0).uniform(-1, 1, (3, 5))
    begun.step(actions)
    before = begun.get_state()
    mask = np.array([False, True, False])
    _, infos = begun.reset(options={"reset_mask": mask, "layout_seeds": [99]})
    after = begun.get_state()
    np.testing.assert_array_equal(infos["layout_seed"] == 99, mask)
    np.testing.assert_array_equal(infos["tick"], [1, 0, 1])
    for name in before:
        np.testing.assert_array_equal(after[name][~mask], before[name][~mask], err_msg=name)
    assert not np.array_equal(after["physics/state"][1], before["physics/state"][1])


def test_one_world_knows_its_reset_options():
    one = DuetEnv(task="Reach")
    assert one.reset(options={"layout_seed": 7})[1]["layout_seed"] == 7
    with pytest.raises(ValueError, match="no reset option 'layout'; known: layout_seed"):
        one.reset(options={"layout": 7})


def test_evaluations_can_name_no_layout_of_training(begun):
    drawn = [seed for _ in range(50) for seed in begun.reset()[1]["layout_seed"]]
    assert min(drawn) >= 1 << 32
    assert len(set(drawn)) == 150


# State


def test_a_state_of_another_number_of_worlds_is_refused(begun):
    other = DuetVectorEnv(2, task="Reach")
    with pytest.raises(ValueError, match="the state holds 3 worlds; this environment has 2"):
        other.set_state(begun.get_state())


def test_attributes_of_the_batch_are_lent_to_the_single_world():
    one = DuetEnv(task="Reach")
    assert one.task_name == "Reach"
    assert one.action_names[-1] == "opening"
    assert not hasattr(one, "compute_reward")
    assert hasattr(DuetEnv(task="Reach", observation="goal"), "compute_reward")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = one.nonsense


def test_a_window_without_a_display_says_so(monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    one = DuetEnv(task="Reach", render_mode="human")
    one.reset(seed=0)
    with pytest.raises(RuntimeError, match="needs a display"):
        one.step(np.zeros(5))
