"""Whether the layer of third-party packages was built for what the function runs on.

Compiled packages work on one version of Python and one processor only. Without this check, a function with the wrong
layer would fail with an import error that names a part of pydantic or msgspec. ``layers/layers.mk`` writes the file
that is read here. Where there is none, as outside Lambda, there is nothing to check.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

BUILT_FOR: Final = "built-for.txt"
# Linux's names of processors, as Lambda and the template call them.
_ARCHITECTURES: Final = {"aarch64": "arm64"}


class LayerMismatchError(ImportError):
    """The layer of third-party packages was built for another runtime or another architecture."""


def check_layer(path: Iterable[str], running: str) -> None:
    """Log one line and raise `LayerMismatchError` if the layer on ``path`` was not built for what is running."""
    built_for = _read(path)
    if built_for in {None, running}:
        return
    runtime, architecture = running.split()
    message = (
        f"The function runs {runtime} on {architecture}, but its layer of packages was built for "
        f"{' on '.join(built_for.split())}. Run `sam build` and then `sam deploy`, both with "
        f"PythonRuntime={runtime} and Architecture={architecture}."
    )
    print(json.dumps({"level": "ERROR", "message": message, "service": "spot-relay"}), flush=True)  # noqa: T201
    raise LayerMismatchError(message)


def describe_running() -> str:
    """Return the runtime and architecture of this process, such as ``python3.13 arm64``."""
    machine = os.uname().machine
    return f"python{sys.version_info.major}.{sys.version_info.minor} {_ARCHITECTURES.get(machine, machine)}"


def _read(path: Iterable[str]) -> str | None:
    for folder in path:
        try:
            with open(f"{folder}/{BUILT_FOR}", encoding="utf-8") as file:  # noqa: PTH123 (pathlib takes longer to import)
                return file.read().strip()
        except OSError:
            continue
    return None
