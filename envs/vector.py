"""The environments: many worlds behind Gymnasium's `VectorEnv`, and one of them behind its `Env`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from envs.control import CONTROLLERS
from envs.layout import Draw, Layout, StartStates, training_seeds
from envs.names import check_name
from envs.registration import OBSERVATIONS, REWARDS
from envs.observation import Observer, arm_parts, object_parts
from envs.physics import Physics
from envs.rendering import Marker, SceneRenderer
from envs.robots import ROBOTS
from envs.scene import TICK, compose
from envs.task import HOLD_TICKS
from envs.tasks import task_class
from envs.world import World



PIXEL_CAMERAS = ("front", "wrist")
PIXEL_SIZE = 84  # (px) height and width of camera observations
_VIDEO_SIZE = (720, 1280)  # (px) height and width of rendered frames


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
        randomize: draw sizes, masses and frictions of objects in every episode; else all are average.
        threads: physics threads; 0 means one for every CPU. The numbers do not depend on it.
        autoreset: begin a new episode in the step that ends one (the last observation is in
            `infos["final_obs"]`); else the caller resets.
        render_mode: `rgb_array` or `human` (a window on the first world).
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "human"], "render_fps": round(1 / TICK)}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        *,
        task: str = "PickPlace",
        robot: str = "panda",
        reward: str = "dense",
        observation: str = "state",
        control: str = "cartesian",
        randomize: bool = True,
        threads: int = 0,
        autoreset: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.make_kwargs = {
            "num_envs": num_envs, "task": task, "robot": robot, "reward": reward, "observation": observation,
            "control": control, "randomize": randomize, "threads": threads, "autoreset": autoreset,
            "render_mode": render_mode,
        }  # fmt: skip
        check_name("robot", robot, ROBOTS)
        check_name("reward", reward, REWARDS)
        check_name("observation mode", observation, OBSERVATIONS)
        check_name("control mode", control, CONTROLLERS)
        if render_mode is not None:
            check_name("render mode", render_mode, self.metadata["render_modes"])
        self.task_name, self.reward_mode, self.observation_mode = task, reward, observation
        self.task = task_class(task)(ROBOTS[robot])
        self.render_mode = render_mode
        self.num_envs = num_envs
        self.metadata = self.metadata | {
            "autoreset_mode": AutoresetMode.SAME_STEP if autoreset else AutoresetMode.DISABLED
        }
        self._autoreset = autoreset
        self._randomize = randomize
        self.scene = compose(ROBOTS[robot], self.task.num_arms, self.task.objects)
        self.physics = Physics(self.scene, num_envs, threads)
        self.controller = CONTROLLERS[control](self.physics)
        goal = np.zeros((num_envs, self.task.goal_size))
        self._arrays = self.physics.arrays | self.controller.arrays | {"goal": goal}
        self.max_ticks = round(self.task.time_limit / TICK)
        self._counters = {
            name: np.zeros(num_envs, dtype=np.int64)
            for name in ("stream", "episode", "layout_seed", "tick", "settled", "best_stage", "clipped", "aided")
        }
        self._needs_reset = True
        self._streams_set = False
        self._starts: StartStates | None = None
        self._renderer: SceneRenderer | None = None
        self._pixels: SceneRenderer | None = None
        self._viewer: Any = None
        self._make_spaces(control)

    def _make_spaces(self, control: str) -> None:
        arms, things = range(len(self.scene.arms)), range(len(self.scene.objects))
        own = [part for arm in arms for part in arm_parts(arm, self.scene, control)]
        seen = [part for arm in arms for thing in things for part in object_parts(arm, thing, self.scene)]
        asked = list(self.task.parts())
        if self.observation_mode == "goal":
            self.parts = tuple(part for part in own + seen + asked if not part.goal)
        elif self.observation_mode == "pixels":
            self.parts = tuple(own + [part for part in asked if part.goal])
        else:
            self.parts = tuple(own + seen + asked)
        self._observer = Observer(self.parts)
        vector = self._observer.space()
        space: spaces.Space = vector
        if self.observation_mode == "goal":
            goal = spaces.Box(-np.inf, np.inf, (self._goal_width(),), np.float32)
            space = spaces.Dict({"observation": vector, "achieved_goal": goal, "desired_goal": goal})
        elif self.observation_mode == "pixels":
            image = spaces.Box(0, 255, (PIXEL_SIZE, PIXEL_SIZE, 3), np.uint8)
            space = spaces.Dict({**dict.fromkeys(PIXEL_CAMERAS, image), "proprioception": vector})
        self.single_observation_space = space
        self.observation_space = batch_space(space, self.num_envs)
        many = len(self.scene.arms) > 1
        self.action_names = tuple(
            f"arm{arm}_{name}" if many else name for arm in arms for name in self.controller.arm_action
        )
        self.single_action_space = spaces.Box(-1, 1, (self.controller.action_size,), np.float32)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    def _goal_width(self) -> int:
        return self.task.desired_goal(self.world()).shape[-1]

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
        everything = np.ones(self.num_envs, dtype=bool)
        mask = np.asarray(options.get("reset_mask", everything), dtype=bool)
        if mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must have the shape ({self.num_envs},), not {mask.shape}")
        worlds = np.flatnonzero(mask)
        self._set_streams(seed)
        layout_seeds = options.get("layout_seeds")
        if layout_seeds is not None:
            layout_seeds = np.atleast_1d(np.asarray(layout_seeds, dtype=np.int64))
            if layout_seeds.shape != worlds.shape or (layout_seeds < 0).any():
                raise ValueError(f"layout_seeds must be {len(worlds)} integers of at least 0, one for each world reset")
        self._begin(worlds, layout_seeds)
        self._needs_reset = False
        world = self.world()
        progress = self.task.progress(world, np.zeros(self.num_envs, dtype=bool))
        self._counters["best_stage"][worlds] = progress.reached[worlds]
        infos = self._infos(progress, np.zeros(self.num_envs, dtype=bool), {})
        return self._observe(world), infos

    def _set_streams(self, seed: int | Sequence[int | None] | None) -> None:
        if seed is None:
            if self._streams_set:
                return
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        first = int(seed) if isinstance(seed, int | np.integer) else None
        given = [first + i for i in range(self.num_envs)] if first is not None else list(seed)  # type: ignore[arg-type]
        for i, one in enumerate(given):
            if one is not None:
                self._counters["stream"][i] = one
                self._counters["episode"][i] = 0
        self._streams_set = True

    def layout(self, layout_seeds: Sequence[int] | np.ndarray) -> Layout:
        """The layouts of these seeds."""
        return self.task.layout(Draw(self.task_name, layout_seeds), self._randomize)

    def _begin(self, worlds: np.ndarray, layout_seeds: np.ndarray | None = None) -> None:
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
        self.controller.apply(self._checked(actions))
        diverged = self.physics.step()
        count = self._counters
        count["tick"] += 1
        if diverged.any():
            # the state is not a number there; end on a fresh start of the same layout, which every reader can take
            lost = np.flatnonzero(diverged)
            self.physics.reset(lost, self.layout(count["layout_seed"][lost]))
        world = self.world()
        count["settled"] = (count["settled"] + 1) * (self.task.settled(world) & ~diverged)
        success = count["settled"] >= HOLD_TICKS
        progress = self.task.progress(world, success)
        np.maximum(count["best_stage"], progress.reached, out=count["best_stage"])
        truncated = ((count["tick"] >= self.max_ticks) | diverged) & ~success
        observation = self._observe(world)
        reward, terms = self._reward(progress, success, observation)
        infos = self._infos(progress, success, terms, diverged)
        done = success | truncated
        if self._autoreset and done.any():
            observation = self._start_over(np.flatnonzero(done), observation, infos)
        if self.render_mode == "human":
            self.render()
        return observation, reward, success, truncated, infos

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        actions = np.asarray(actions, dtype=np.float64)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"actions must have the shape {self.action_space.shape}, not {actions.shape}")
        # one pass for the usual case: NaN and infinity fail the comparison with 1 too
        outside = ~(np.abs(actions) <= 1.0)
        if not outside.any():
            return actions
        bad = ~np.isfinite(actions).all(axis=1)
        if bad.any():
            world = int(np.flatnonzero(bad)[0])
            raise ValueError(f"action of world {world} is not finite: {actions[world].tolist()}")
        self._counters["clipped"] += outside.sum(axis=1)
        return np.clip(actions, -1.0, 1.0)

    def _reward(self, progress: Any, success: np.ndarray, observation: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        if self.observation_mode == "goal":
            reward = self.compute_reward(observation["achieved_goal"], observation["desired_goal"], {})
            terms = {"sparse" if self.reward_mode == "sparse" else "distance": reward}
        elif self.reward_mode == "sparse":
            reward = success - 1.0
            terms = {"sparse": reward}
        else:
            share = 1.0 / len(self.task.stages)
            terms = {name: share * term for name, term in progress.terms.items()}
            terms["time"] = np.full(self.num_envs, -1.0)
            reward = sum(terms.values())
        return reward, {f"reward/{name}": term for name, term in terms.items()}

    def compute_reward(self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any) -> np.ndarray:
        """(...) rewards of (..., G) goals, for hindsight experience replay (Andrychowicz et al. 2017)."""
        if self.reward_mode == "sparse":
            return np.where(self.task.goal_reached(achieved_goal, desired_goal), 0.0, -1.0)
        return -np.asarray(self.task.goal_distance(achieved_goal, desired_goal), dtype=np.float64)

    def _infos(
        self, progress: Any, success: np.ndarray, terms: dict[str, np.ndarray], diverged: np.ndarray | None = None
    ) -> dict[str, Any]:
        count = self._counters
        return {
            "is_success": success,
            "stage": progress.reached,
            "best_stage": count["best_stage"].copy(),
            "tick": count["tick"].copy(),
            "layout_seed": count["layout_seed"].copy(),
            "clipped_actions": count["clipped"].copy(),
            "aided": count["aided"].astype(bool),
            "diverged": np.zeros(self.num_envs, dtype=bool) if diverged is None else diverged,
            **terms,
        }

    def _start_over(self, ended: np.ndarray, observation: Any, infos: dict[str, Any]) -> Any:
        """New episodes in the ended worlds; what they ended with goes into `infos` as Gymnasium prescribes."""
        mask = np.zeros(self.num_envs, dtype=bool)
        mask[ended] = True
        final = np.full(self.num_envs, None, dtype=object)
        for i in ended:
            final[i] = {k: v[i] for k, v in observation.items()} if isinstance(observation, dict) else observation[i].copy()
        infos |= {"final_obs": final, "_final_obs": mask, "final_info": dict(infos), "_final_info": mask}
        self._begin(ended)
        fresh = self._observe(self.world().take(ended), ended)
        if not isinstance(observation, dict):
            observation[ended] = fresh
            return observation
        # the final observations are views of these arrays
        merged = {key: values.copy() for key, values in observation.items()}
        for key, values in fresh.items():
            merged[key][ended] = values
        return merged

    def _observe(self, world: World, worlds: np.ndarray | None = None) -> Any:
        """Observations of all worlds, or of `worlds`, which `world` then measures alone."""
        vector = self._observer.read(world)
        if self.observation_mode == "goal":
            return {
                "observation": vector,
                "achieved_goal": np.asarray(self.task.achieved_goal(world), dtype=np.float32),
                "desired_goal": np.asarray(self.task.desired_goal(world), dtype=np.float32),
            }
        if self.observation_mode == "pixels":
            if self._pixels is None:
                self._pixels = SceneRenderer(self.scene.model, PIXEL_SIZE, PIXEL_SIZE, quality="pixels")
            images: dict[str, list[np.ndarray]] = {camera: [] for camera in PIXEL_CAMERAS}
            for i in range(self.num_envs) if worlds is None else worlds:
                model, data = self.physics.view(int(i))
                for camera, frames in images.items():
                    frames.append(self._pixels.render(model, data, camera, self.markers(int(i))))
            return {camera: np.stack(frames) for camera, frames in images.items()} | {"proprioception": vector}
        return vector

    def world(self) -> World:
        """Measurements of all worlds as they are now."""
        return World(self.scene, self._arrays)

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
        return self._observe(self.world())

    def _load(self, saved: dict[str, np.ndarray], worlds: np.ndarray) -> None:
        def part(prefix: str) -> dict[str, np.ndarray]:
            return {name.removeprefix(prefix): values for name, values in saved.items() if name.startswith(prefix)}

        self.physics.restore(part("physics/"), worlds)
        for kind, arrays in (("controller/", self.controller.arrays), ("count/", self._counters)):
            for name, values in part(kind).items():
                arrays[name][worlds] = values
        self._arrays["goal"][worlds] = saved["goal"]

    def start_from(self, starts: StartStates | None) -> None:
        """From the next episodes on, begin a share of those whose layout nobody named at later states: an aid to learning."""
        self._starts = starts

    # Pictures

    def markers(self, world: int) -> list[Marker]:
        """What shows the goal of one world in a picture."""
        goal = self.task.goal_to_draw(self._arrays["goal"][world])
        return [Marker("sphere", tuple(goal.position), (goal.half_size,) * 3, (0.1, 0.8, 0.4, 0.45))]

    def render_world(self, world: int = 0, camera: str = "front", size: tuple[int, int] = _VIDEO_SIZE) -> np.ndarray:
        """(height, width, 3) uint8 picture of one world."""
        if self._renderer is None or (self._renderer.height, self._renderer.width) != size:
            self._close_renderer()
            self._renderer = SceneRenderer(self.scene.model, *size)
        model, data = self.physics.view(world)
        return self._renderer.render(model, data, camera, self.markers(world))

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture for each world (`rgb_array`), or the window on the first one (`human`)."""
        if self.render_mode == "rgb_array":
            return tuple(self.render_world(world) for world in range(self.num_envs))
        if self.render_mode == "human":
            from envs.viewer import Window  # opens a display: only where it is asked for

            model, data = self.physics.view(0)
            if self._viewer is None:
                self._viewer = Window(model, data)
            self._viewer.show(model, data, self.markers(0))
            return None
        gym.logger.warn("render needs a render_mode: pass render_mode='rgb_array' or 'human' when making the environment")
        return None

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def close_extras(self, **kwargs: Any) -> None:
        self._close_renderer()
        if self._pixels is not None:
            self._pixels.close()
            self._pixels = None
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None
