"""Load files that belong to no package: the handlers of the functions, and the scripts of the layers' build."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def load_script(path: Path, name: str | None = None) -> ModuleType:
    """Return a new module with what the file defines, by its own name unless another is given."""
    found = importlib.util.spec_from_file_location(name or path.stem, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
