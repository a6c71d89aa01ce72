"""The images of built-in algorithms in the layer are those in the pinned wheel of the SageMaker Python SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.start.packages import ROOT
from tests.scripts import load_script

if TYPE_CHECKING:
    from pathlib import Path


def test_the_images_are_those_of_the_pinned_wheel(tmp_path: Path) -> None:
    pinned = str(ROOT / "requirements" / "images.txt")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", "."]
    subprocess.run([*command, "--requirement", pinned], check=True, cwd=tmp_path)
    [wheel] = tmp_path.glob("*.whl")
    images = load_script(ROOT / "layers" / "images.py")
    assert json.loads(images.OUTPUT.read_text("utf-8")) == images.read_images(wheel), "run `make images`"
