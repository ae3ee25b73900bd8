"""The batched environment: many worlds of one task behind Gymnasium's `VectorEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.control import CONTROLLERS, checked
from envs.layout import Draw, Layout, StartStates, streams_from, training_seeds
from envs.lens import Lens
from envs.names import check_name
from envs.physics import Physics
from envs.pictures import VIDEO_SIZE, Pictures
from envs.progress import Progress
from envs.registration import OBSERVATIONS, REWARDS
from envs.rewards import Rewards
from envs.robots import ROBOTS
from envs.scene import TICK, compose
from envs.senses import Senses, overwrite, row
from envs.task import HOLD_TICKS
from envs.tasks import task_class
from envs.world import World


class DuetVectorEnv(VectorEnv):
    """`num_envs` worlds of one task, stepped together in one process.

    Actions are (num_envs, A) in [-1, 1]; `action_names` says what each element does. Out-of-range elements are
    clipped, and counted in `clipped_actions`.

    Observations, by the `observation` argument:
        `state`: (num_envs, S) float32; `parts` declares its elements.
        `goal`: dict of `observation` (the state without what depends on the goal), `achieved_goal` and
            `desired_goal`; the reward is `compute_reward` of the last two.
        `pixels`: dict of `front` and `wrist` uint8 images and `proprioception` (arms and goal, not objects).

    Rewards, by the `reward` argument: `sparse` is 0 on success and -1 at every other tick. `dense` fills the
    step between: the progress through the task's stages, as a share of all of them, minus 1. With `goal`
    observations `sparse` is 0 where the goals agree, and `dense` the negative distance between them (m).
    An episode terminates on success, so that both rewards say the same: sooner is better.

    Args:
        num_envs: number of worlds.
        task: name of a task, see `envs.registration.TASK_NAMES`.
        robot: name of a robot, see `envs.robots.ROBOTS`.
        reward: `dense` or `sparse`.
        observation: `state`, `goal` or `pixels`.
        control: `cartesian` (tool displacement, yaw and opening) or `joints` (joint displacements and opening).
        num_objects: how many objects, in tasks that leave a choice; None means the usual number.
        randomize: draw sizes, masses and frictions of objects in every episode; else all are average.
        threads: physics threads; 0 means one for every CPU. The numbers do not depend on it.
        autoreset: begin a new episode in the step that ends one, else the caller resets. The observation and the
            infos are then those of the new episode (but for the reward terms, which add up to the reward), and
            what the old one ended with is in `infos["final_obs"]` and `infos["final_info"]`.
        render_mode: `rgb_array` or `human` (a window on the first world).
        distractors: things on the table that no observation, plan or goal holds; they wait at its edge.

    Attributes:
        lens: what everybody who acts looks through; None, as after a reset of all worlds, for a clear view.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "human"], "render_fps": round(1 / TICK)}

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: str = "PickPlace",
        robot: str = "panda",
        reward: str = "dense",
        observation: str = "state",
        control: str = "cartesian",
        num_objects: int | None = None,
        randomize: bool = True,
        threads: int = 0,
        autoreset: bool = True,
        render_mode: str | None = None,
        distractors: int = 0,
    ) -> None:
        self.make_kwargs: dict[str, Any] = {
            "num_envs": num_envs, "task": task, "robot": robot, "reward": reward, "observation": observation,
            "control": control, "num_objects": num_objects, "randomize": randomize, "threads": threads,
            "autoreset": autoreset, "render_mode": render_mode, "distractors": distractors,
        }  # fmt: skip
        check_name("robot", robot, ROBOTS)
        check_name("reward", reward, REWARDS)
        check_name("observation mode", observation, OBSERVATIONS)
        check_name("control mode", control, CONTROLLERS)
        if render_mode is not None:
            check_name("render mode", render_mode, self.metadata["render_modes"])
        self.task_name, self.reward_mode, self.observation_mode = task, reward, observation
        self.task = task_class(task)(ROBOTS[robot], num_objects)
        self.render_mode = render_mode
        self.num_envs = num_envs
        self.metadata = self.metadata | {
            "autoreset_mode": AutoresetMode.SAME_STEP if autoreset else AutoresetMode.DISABLED
        }
        self._autoreset = autoreset
        self._randomize = randomize
        self.scene = compose(ROBOTS[robot], self.task.num_arms, self.task.objects, distractors)
        self.physics = Physics(self.scene, num_envs, threads)
        self.controller = CONTROLLERS[control](self.physics)
        goal = np.zeros((num_envs, self.task.goal_size))
        self._arrays = self.physics.arrays | self.controller.arrays | {"goal": goal}
        self.max_ticks = round(self.task.time_limit / TICK)
        self._counters: dict[str, np.ndarray] = {
            name: np.zeros(num_envs, dtype=np.int64)
            for name in ("stream", "episode", "layout_seed", "tick", "settled", "best_stage", "clipped", "aided")
        }
        self._needs_reset = True
        self._streams_set = False
        self._starts: StartStates | None = None
        self.lens: Lens | None = None
        self._rewards = Rewards(reward, observation, self.task)
        self.pictures = Pictures(self.physics, self.task, goal)
        goal_size = self.task.desired_goal(self.world()).shape[-1]
        self._senses = Senses(observation, control, self.scene, self.task, self.pictures, goal_size)
        self.parts = self._senses.parts
        self.single_observation_space = self._senses.space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_names = self.controller.action_names
        self.single_action_space = spaces.Box(-1, 1, (len(self.action_names),), np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)

    # Episodes

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes in all worlds, or in those of `options["reset_mask"]` (bool, (num_envs,)).

        World i draws its layouts from the stream `seed + i` (or `seed[i]`), one after the other; without a seed
        it goes on in its stream. `options["layout_seeds"]` (one integer for each world that is reset) names the
        layouts instead.
        """
        options = options or {}
        mask = np.asarray(options.get("reset_mask", np.ones(self.num_envs, dtype=bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(f"reset_mask must be ({self.num_envs},) bool, not {mask.shape} {mask.dtype}")
        if not mask.any():
            raise ValueError("reset_mask names no world to reset")
        if self._needs_reset and not mask.all():
            raise gym.error.ResetNeeded("reset all worlds before some of them")
        if mask.all():
            self.lens = None
        worlds = np.flatnonzero(mask)
        self._set_streams(seed, worlds)
        layout_seeds = options.get("layout_seeds")
        if layout_seeds is not None:
            layout_seeds = np.atleast_1d(np.asarray(layout_seeds, dtype=np.int64))
            if layout_seeds.shape != worlds.shape or (layout_seeds < 0).any():
                raise ValueError(f"layout_seeds must be {len(worlds)} integers of at least 0, one for each world reset")
        infos = self._begin(worlds, layout_seeds)
        self._needs_reset = False
        return self.observe(), infos

    def _set_streams(self, seed: int | Sequence[int | None] | None, worlds: np.ndarray) -> None:
        if seed is None:
            if self._streams_set:
                return
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        streams = streams_from(seed, self.num_envs)
        for i in worlds:
            if streams[i] is not None:
                self._counters["stream"][i] = streams[i]
                self._counters["episode"][i] = 0
        self._streams_set = True

    def layout(self, layout_seeds: Sequence[int] | np.ndarray) -> Layout:
        """The layouts of these seeds."""
        return self.task.layout(Draw(self.task_name, layout_seeds), self._randomize)

    def _begin(self, worlds: np.ndarray, layout_seeds: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """New episodes in some worlds. Returns the infos of all."""
        count = self._counters
        unnamed = layout_seeds is None
        if layout_seeds is None:
            layout_seeds = training_seeds(count["stream"][worlds], count["episode"][worlds])
        layout = self.layout(layout_seeds)
        self.physics.reset(worlds, layout)
        self._arrays["goal"][worlds] = layout.goal
        self.controller.reset(worlds, self.world().take(worlds))
        count["layout_seed"][worlds] = layout_seeds
        count["episode"][worlds] += 1
        for name in ("tick", "settled", "best_stage", "clipped", "aided"):
            count[name][worlds] = 0
        if self._starts is not None and unnamed:
            self._start_later(worlds, self._starts)
        progress = self.task.progress(self.world(), np.zeros(self.num_envs, dtype=bool))
        count["best_stage"][worlds] = progress.reached[worlds]
        return self._infos(progress)

    def _start_later(self, worlds: np.ndarray, starts: StartStates) -> None:
        """Move some of the worlds that begin to a state from the bank; which ones follows from their layout seeds."""
        chosen, rows = starts.choose(self._counters["layout_seed"][worlds])
        worlds = worlds[chosen]
        if len(worlds):
            self._load({name: values[rows] for name, values in starts.states.items()}, worlds)
            self._counters["aided"][worlds] = 1

    def step(self, actions: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance one tick. Rewards are float64, terminations and truncations bool, all (num_envs,)."""
        if self._needs_reset:
            raise gym.error.ResetNeeded("call reset before step")
        count = self._counters
        within, clipped = checked(actions, self.action_space.shape or ())
        count["clipped"] += clipped
        self.controller.apply(within)
        diverged = self.physics.step()
        count["tick"] += 1
        if diverged.any():
            # the state is not a number there; end on a fresh start of the same layout, which every reader can take
            lost = np.flatnonzero(diverged)
            self.physics.reset(lost, self.layout(count["layout_seed"][lost]))
            self.controller.reset(lost, self.world().take(lost))
        world = self.world()
        count["settled"] = (count["settled"] + 1) * (self.task.settled(world) & ~diverged)
        success = count["settled"] >= HOLD_TICKS
        progress = self.task.progress(world, success)
        np.maximum(count["best_stage"], progress.reached, out=count["best_stage"])
        truncated = ((count["tick"] >= self.max_ticks) | diverged) & ~success
        observation = self._senses.read(self.seen(world), range(self.num_envs), self.lens)
        reward, terms = self._rewards.at(progress, success, observation)
        infos: dict[str, Any] = self._infos(progress, success, diverged) | terms
        done = success | truncated
        if self._autoreset and done.any():
            infos = self._start_over(np.flatnonzero(done), observation, infos)
        if self.render_mode == "human":
            self.render()
        return observation, reward, success, truncated, infos

    def compute_reward(self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any) -> np.ndarray:
        """(...) rewards of (..., G) goals, for hindsight experience replay (Andrychowicz et al. 2017)."""
        return self._rewards.of_goals(achieved_goal, desired_goal)

    def _infos(
        self, progress: Progress, success: np.ndarray | None = None, diverged: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        count = self._counters
        return {
            "is_success": np.zeros(self.num_envs, dtype=bool) if success is None else success.copy(),
            "stage": progress.reached,
            "best_stage": count["best_stage"].copy(),
            "tick": count["tick"].copy(),
            "layout_seed": count["layout_seed"].copy(),
            "clipped_actions": count["clipped"].copy(),
            "aided": count["aided"].astype(bool),
            "diverged": np.zeros(self.num_envs, dtype=bool) if diverged is None else diverged,
        }

    def _start_over(self, ended: np.ndarray, observation: Any, infos: dict[str, Any]) -> dict[str, Any]:
        """New episodes in the ended worlds, whose rows of `observation` are overwritten. Returns the new infos."""
        mask = np.zeros(self.num_envs, dtype=bool)
        mask[ended] = True
        final = np.full(self.num_envs, None, dtype=object)
        for i in ended:
            final[i] = row(observation, i)
        begun = self._begin(ended)
        overwrite(observation, ended, self._senses.read(self.seen().take(ended), ended, self.lens))
        terms = {name: values.copy() for name, values in infos.items() if name.startswith("reward/")}
        kept = {"final_obs": final, "_final_obs": mask, "final_info": infos, "_final_info": mask.copy()}
        return begun | terms | kept

    @property
    def layout_seeds(self) -> np.ndarray:
        """(num_envs,) of the episodes that are going on."""
        return self._counters["layout_seed"].copy()

    @property
    def ticks(self) -> np.ndarray:
        """(num_envs,) since the episodes began."""
        return self._counters["tick"].copy()

    def world(self) -> World:
        """Measurements of all worlds as they are now."""
        return World(self.scene, self._arrays)

    def seen(self, world: World | None = None) -> World:
        """The same (or `world`, which measures all worlds) as everybody sees it who acts: through the lens."""
        world = world or self.world()
        return world if self.lens is None else self.lens.world(world)

    def observe(self) -> Any:
        """Observations of all worlds as they are now."""
        return self._senses.read(self.seen(), range(self.num_envs), self.lens)

    # State

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that the future of the worlds depends on, as copies by name, one row a world."""
        counters = {f"count/{name}": values.copy() for name, values in self._counters.items()}
        return self.get_scene_state() | counters

    def get_scene_state(self) -> dict[str, np.ndarray]:
        """The part of `get_state` that tells nothing of when and where in a stream of episodes a world is."""
        saved = {f"physics/{name}": values for name, values in self.physics.save().items()}
        saved |= {f"controller/{name}": values.copy() for name, values in self.controller.arrays.items()}
        return saved | {"goal": self._arrays["goal"].copy()}

    def set_state(self, saved: dict[str, np.ndarray]) -> Any:
        """Continue from what `get_state` returned. Returns the observations.

        Raises:
            ValueError: the state is of another number of worlds.
        """
        if len(saved["goal"]) != self.num_envs:
            raise ValueError(f"the state holds {len(saved['goal'])} worlds; this environment has {self.num_envs}")
        self._load(saved, np.arange(self.num_envs))
        self._needs_reset, self._streams_set = False, True
        return self.observe()

    def _load(self, saved: dict[str, np.ndarray], worlds: np.ndarray) -> None:
        def part(prefix: str) -> dict[str, np.ndarray]:
            return {name.removeprefix(prefix): values for name, values in saved.items() if name.startswith(prefix)}

        self.physics.restore(part("physics/"), worlds)
        for kind, arrays in (("controller/", self.controller.arrays), ("count/", self._counters)):
            for name, values in part(kind).items():
                arrays[name][worlds] = values
        self._arrays["goal"][worlds] = saved["goal"]

    def start_from(self, starts: StartStates | None) -> None:
        """From now on, begin a share of the episodes whose layout nobody names at later states: an aid to learning."""
        self._starts = starts

    # Pictures

    def render_world(self, world: int = 0, camera: str = "front", size: tuple[int, int] = VIDEO_SIZE) -> np.ndarray:
        """(height, width, 3) uint8 picture of one world; `size` is (height, width)."""
        return self.pictures.frame(world, camera, size)

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture for each world (`rgb_array`), or the window on the first one (`human`)."""
        if self.render_mode == "rgb_array":
            return tuple(self.render_world(world) for world in range(self.num_envs))
        if self.render_mode == "human":
            self.pictures.show(0)
        else:
            gym.logger.warn("nothing is drawn without a render_mode; make the environment with 'rgb_array' or 'human'")
        return None

    def close_extras(self, **kwargs: Any) -> None:
        self.pictures.close()
