"""Makes `gym.make("duet/...")` work in a process that has imported nothing but Gymnasium.

Gymnasium 1.0 dropped the entry points through which packages once announced their environments. So
`plugin.pth` has Python install a finder when it starts. The finder waits for the import of
`gymnasium.envs`, registers Duet's environments right after it, and retires. A process that never imports
Gymnasium pays for one small import and nothing else.

The build puts this file into site-packages as `_duet_plugin` (see `pyproject.toml`). Under that name it
loads without importing `envs`: a stranger's project that shares the Python installation may well have a
folder called `envs` too, and ours must not take its place.
"""

from __future__ import annotations

import sys


def install() -> None:
    """Register Duet's environments once `gymnasium.envs` is imported, or now if it is already. Never raises."""
    try:
        if "gymnasium.envs" in sys.modules:
            _register()
        elif not any(type(finder).__name__ == _GymnasiumFinder.__name__ for finder in sys.meta_path):
            sys.meta_path.insert(0, _GymnasiumFinder())
    except Exception as error:
        print(f"duet: its environments will not be registered in Gymnasium: {error!r}", file=sys.stderr)


class _GymnasiumFinder:
    """Leaves finding to the other finders, and adds a step to the loading of `gymnasium.envs`."""

    def find_spec(self, name, path=None, target=None):
        """The spec of `gymnasium.envs` that the other finders give; None for any other module."""
        if name != "gymnasium.envs":
            return None
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_register(module):
                load(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                _register()

            # The loader object serves this module alone.
            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


def _register() -> None:
    """Run our `registration.py`. Warns instead of raising: a defect of ours must not break Gymnasium for others."""
    # Slow imports, and the process is importing Gymnasium anyway.
    import importlib.util
    import os
    import warnings

    try:
        package = importlib.util.find_spec("envs")  # finds a top-level package without running it
        if package is None or not package.submodule_search_locations:
            return
        folder = next(iter(package.submodule_search_locations))
        ours = ("registration.py", "robots", "tasks", "vector.py")
        if not all(os.path.exists(os.path.join(folder, name)) for name in ours):
            return  # Someone else's `envs` comes first on sys.path: ours cannot be imported here.
        # By path, because importing `envs` would run more than is needed in the middle of Gymnasium's import.
        spec = importlib.util.spec_from_file_location("_duet_registration", os.path.join(folder, "registration.py"))
        if spec is not None and spec.loader is not None:
            registration = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(registration)
            registration.register_all()
    except Exception as error:
        warnings.warn(f"Duet's environments are not registered in Gymnasium: {error!r}", stacklevel=2)
