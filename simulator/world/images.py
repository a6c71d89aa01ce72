"""The images that run as real processes: folders, and an ``images.yaml`` that says which other images they replace."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL: Final = "local/"
FILE: Final = "images.yaml"


def is_local(uri: str) -> bool:
    """Whether an image is one of this machine's own."""
    return uri.startswith(LOCAL)


class ImagesError(ValueError):
    """``images.yaml`` is invalid; the message names each invalid field."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ImageEntry(_Document):
    stands_for: tuple[str, ...] = ()
    python: str | None = None
    environment: dict[str, str] = {}


class _ImagesDocument(_Document):
    python_path: str | None = None
    images: dict[str, _ImageEntry] = {}


@dataclass(frozen=True)
class Image:
    """A folder with what an image runs, the Python that runs it, and variables for its process."""

    folder: Path
    python: Path
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Images:
    """The images in ``folder``: each ``local/<name>`` is the folder ``<name>``, and each may stand for others."""

    folder: Path | None
    document: _ImagesDocument

    @staticmethod
    def read(folder: Path | None) -> Images:
        """Read the images in a folder.

        Raises
        ------
        ImagesError
            If its ``images.yaml`` is invalid.
        """
        if folder is None or not (folder / FILE).is_file():
            return Images(folder, _ImagesDocument())
        try:
            content = yaml.safe_load((folder / FILE).read_text("utf-8"))
            document = _ImagesDocument.model_validate({} if content is None else content)
        except yaml.YAMLError as error:
            raise ImagesError(f"{folder / FILE} is not YAML: {error}") from error
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise ImagesError(f"{folder / FILE}:\n" + "\n".join(faults)) from error
        return Images(folder, document)

    def runs(self, uri: str) -> bool:
        """Whether an image runs as a real process; any other is simulated."""
        return is_local(uri) or self._name_of(uri) is not None

    def find(self, uri: str) -> Image:
        """Return an image that runs as a real process.

        Raises
        ------
        LookupError
            If there is no such image.
        ValueError
            If its Python is missing.
        """
        name = self._name_of(uri)
        if self.folder is None or name is None or name in ("", ".", "..") or not (self.folder / name).is_dir():
            raise LookupError(f"Requested image {uri} not found.")
        folder = self.folder.resolve()
        entry = self.document.images.get(name, _ImageEntry())
        # Not resolved: a virtual environment's Python is a link, and finds its packages by the link's own place.
        python = Path(sys.executable) if entry.python is None else Path(os.path.normpath(folder / entry.python))
        if not python.is_file():
            raise ValueError(f"The image {uri} runs with {python}, which does not exist.")
        shared = self.document.python_path
        path = {} if shared is None else {"PYTHONPATH": os.path.normpath(folder / shared)}
        return Image(folder / name, python, {**path, **entry.environment})

    def _name_of(self, uri: str) -> str | None:
        if is_local(uri):
            name = uri.removeprefix(LOCAL).partition(":")[0]
            return None if "/" in name else name
        named = self.document.images.items()
        return next((name for name, entry in named if any(fnmatchcase(uri, each) for each in entry.stands_for)), None)
