"""Gives the product's own `worker.py`, with its `workflows/` and `activities/`, whatever else bears these names.

A user's folder may well have a `worker.py` too, and PYTHONPATH or `python -m` may put that folder before ours. So the
three are read from beside this package and registered before anything asks for them by name.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).resolve().parent.parent  # the clone, or the site-packages that a wheel was installed to
BESIDE = ("workflows", "activities", "worker")  # each imports those before it
PYTHON = (sys.executable, "-P", "-m", "sojourn")  # begins a command of ours; -P leaves the current folder out of the path


def load_worker() -> ModuleType:
    """Return the composition root, read from beside this package."""
    return [_load(name) for name in BESIDE][-1]


def _load(name: str) -> ModuleType:
    folder = HOME / name
    path = folder / "__init__.py" if folder.is_dir() else HOME / f"{name}.py"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) and Path(str(known.__file__)).resolve() == path:
        return known
    spec = spec_from_file_location(name, path, submodule_search_locations=[str(folder)] if folder.is_dir() else None)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
