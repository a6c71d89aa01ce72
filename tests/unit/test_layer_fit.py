"""A function whose layer was built for something else says so in its first log line, and does not start."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from spot_relay.layer_fit import BUILT_FOR, LayerMismatchError, check_layer, describe_running
from tests.template import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MISMATCHES = ["python3.12 arm64", "python3.13 x86_64"]


def layer(folder: Path, built_for: str) -> Path:
    """Write what ``layers.mk`` leaves in a layer that it builds."""
    (folder / BUILT_FOR).write_text(f"{built_for}\n", "utf-8")
    return folder


def test_a_layer_that_fits_is_not_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_layer(["/no/such/folder", str(layer(tmp_path, "python3.13 arm64"))], "python3.13 arm64")
    assert capsys.readouterr().out == ""


def test_without_a_layer_there_is_nothing_to_check(tmp_path: Path) -> None:
    check_layer([str(tmp_path)], "python3.13 arm64")


@pytest.mark.parametrize("built_for", MISMATCHES)
def test_a_layer_for_another_runtime_or_architecture_is_named_with_what_to_do(
    built_for: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LayerMismatchError):
        check_layer([str(layer(tmp_path, built_for))], "python3.13 arm64")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "level": "ERROR",
        "message": "The function runs python3.13 on arm64, but its layer of packages was built for "
        f"{built_for.replace(' ', ' on ')}. Run `sam build` and then `sam deploy`, both with "
        "PythonRuntime=python3.13 and Architecture=arm64.",
        "service": "spot-relay",
    }


@pytest.mark.parametrize("function", ["submit", "api", "observe", "tick", "prices"])
def test_the_first_line_that_a_function_logs_is_the_one_about_its_layer(function: str, tmp_path: Path) -> None:
    """Although no compiled package fits, for which packages that can't be imported stand here."""
    for package in ("msgspec", "pydantic_core", "yaml"):
        (tmp_path / f"{package}.py").write_text("raise ImportError('a compiled module is missing')")
    path = [layer(tmp_path, "python2.7 arm64"), ROOT / "layers" / "spot_relay"]
    outcome = subprocess.run(
        [sys.executable, str(ROOT / "functions" / function / "app.py")],
        env={"PYTHONPATH": ":".join(str(folder) for folder in path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1
    assert "but its layer of packages was built for python2.7 on arm64. Run `sam build`" in outcome.stdout
    assert len(outcome.stdout.splitlines()) == 1
    runtime, architecture = describe_running().split()
    expected = f"LayerMismatchError: The function runs {runtime} on {architecture}"
    assert outcome.stderr.splitlines()[-1].startswith(f"spot_relay.layer_fit.{expected}")
