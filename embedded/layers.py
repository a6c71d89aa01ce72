"""Layers are unpacked once, for all workers of the functions.

MiniStack unpacks them for each worker: a second for its start, and a minute for deleting the files of a dozen workers
at the end. Functions only read them, as on AWS.
"""

from __future__ import annotations

import tempfile
import zipfile
from io import BytesIO
from os import pathsep
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ministack.core import lambda_runtime  # type: ignore[import-untyped]
from ministack.services import lambda_svc  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

# Where a worker looks for what layers hold.
FOLDERS: Final = "_LAMBDA_LAYERS_DIRS"


def install() -> None:
    """Have workers start with layers that are unpacked already."""
    layers = Layers(lambda_svc._resolve_layer_zip)  # noqa: SLF001 (there is no setting for this)
    lambda_runtime.Worker._spawn = layers.lend(lambda_runtime.Worker._spawn)  # noqa: SLF001


class Layers:
    """The folders of unpacked layers, which are below TMPDIR and end with it."""

    def __init__(self, read: Callable[[Any], bytes | None]) -> None:
        self._read = read
        self._folders: dict[str, str] = {}
        self._lock = Lock()

    def lend(self, spawn: Callable[[Any], None]) -> Callable[[Any], None]:
        """Wrap what starts a worker: it unpacks no layer, and is told where they are."""

        def start(worker: Any) -> None:
            config = worker.config
            folders = [self.unpack(layer["Arn"]) for layer in config.get("Layers", [])]
            variables = {**config.get("Environment", {}).get("Variables", {}), FOLDERS: pathsep.join(folders)}
            worker.config = {**config, "Layers": [], "Environment": {"Variables": variables}}
            try:
                spawn(worker)
            finally:
                worker.config = config

        return start

    def unpack(self, arn: str) -> str:
        """Return the folder of a layer's version, which never changes."""
        with self._lock:
            if arn not in self._folders:
                content = self._read(arn)
                if content is None:
                    raise RuntimeError(f"There is no layer {arn}")
                folder = tempfile.mkdtemp(prefix="layer-")
                with zipfile.ZipFile(BytesIO(content)) as archive:
                    archive.extractall(folder)
                self._folders[arn] = folder
            return self._folders[arn]
