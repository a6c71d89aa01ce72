"""What the measured processes import: the layers, built as `sam build` builds them, and the floor's own packages."""

from __future__ import annotations

import compileall
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
LAYERS: Final = {"DependenciesLayer": "dependencies", "SpotRelayLayer": "spot_relay"}
# boto3 and all that it needs, in the layer's versions.
_BOTO3: Final = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")


class BuildError(Exception):
    """A layer could not be built."""


def target() -> str:
    """Return what the layers are built for, so that this machine and its Python can run them."""
    architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
    return f"python{sys.version_info.major}.{sys.version_info.minor}-{architecture}"


def build_layers(folder: Path, built_for: str) -> list[Path]:
    """Build both layers as `sam build` does, and return the folders that Lambda puts on ``sys.path``."""
    makefile = ROOT / "layers" / "targets" / built_for / "Makefile"
    for layer, source in LAYERS.items():
        outcome = subprocess.run(  # noqa: S603
            ["make", "--makefile", str(makefile), f"build-{layer}", f"ARTIFACTS_DIR={folder / layer}"],  # noqa: S607
            cwd=ROOT / "layers" / source,
            env=_make_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if outcome.returncode:
            raise BuildError(f"The layer {layer} can't be built:\n{outcome.stdout[-4000:]}")
    return [folder / layer / "python" for layer in LAYERS]


def zipped_bytes(folder: Path) -> int:
    """Return the size of both layers as `sam deploy` uploads them, together."""
    with tempfile.TemporaryDirectory() as place:
        archives = [shutil.make_archive(f"{place}/{layer}", "zip", folder / layer) for layer in LAYERS]
        return sum(Path(archive).stat().st_size for archive in archives)


def install_boto3(folder: Path) -> list[Path]:
    """Copy boto3 as it is installed here, compile it, and return its folder as a list of one."""
    folder.mkdir()
    for name in _BOTO3:
        for part in {file.parts[0] for file in distribution(name).files or [] if file.parts[0] not in {"..", "bin"}}:
            source = Path(str(distribution(name).locate_file(part)))
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.suffix == ".py":
                shutil.copy(source, folder / part)
    compileall.compile_dir(folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return [folder]


def _make_environment() -> dict[str, str]:
    # The benchmark itself runs under make, whose options must not reach this make.
    kept = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
