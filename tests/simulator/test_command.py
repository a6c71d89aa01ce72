"""The command line: how it reports a scenario that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from embedded.patience import give_time

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simulator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=give_time(60), check=False)


def test_the_error_of_an_invalid_scenario_names_the_file_and_the_field(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("rules: [{name: x, train_seconds: soon}]")

    ended = run("--scenario", str(path))

    assert ended.returncode == 2
    assert "wrong.yaml" in ended.stderr
    assert "rules[0].train_seconds" in ended.stderr


def test_the_error_of_a_missing_scenario_names_the_file(tmp_path: Path) -> None:
    ended = run("--scenario", str(tmp_path / "none.yaml"))

    assert ended.returncode == 2
    assert "none.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr
