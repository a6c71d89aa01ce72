"""The helper works by itself: a copy of its folder needs no package, and no newer Python than training images have."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import spot_relay_client.checkpoints
from embedded.patience import give_time

HELPER = Path(spot_relay_client.checkpoints.__file__).parent
OLDEST = (3, 9)
TRAIN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from checkpoints import Checkpoints
with Checkpoints(sys.argv[2]) as saved:
    saved.save(7, lambda path: path.write_text("x"))
print(json.dumps([str(saved.newest().path), sorted(sys.modules)]))
"""


def test_a_copy_of_the_folder_is_all_that_it_takes(tmp_path: Path) -> None:
    shutil.copytree(HELPER, tmp_path / "checkpoints", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-I", "-S", "-c", TRAIN, str(tmp_path), str(tmp_path / "saved")]
    trained = subprocess.run(command, capture_output=True, text=True, timeout=give_time(30), check=False)
    assert trained.returncode == 0, trained.stderr
    newest, modules = json.loads(trained.stdout)
    assert newest == str(tmp_path / "saved" / "checkpoint-step-7")
    assert {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) <= {"checkpoints", "__main__"}


def test_from_the_distribution_it_imports_nothing_else_of_the_client() -> None:
    code = "import json, sys, spot_relay_client.checkpoints; print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-S", "-c", code]
    environment = {"PYTHONPATH": str(HELPER.parents[1])}
    imported = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=give_time(30), check=False
    )
    assert imported.returncode == 0, imported.stderr
    modules = set(json.loads(imported.stdout))
    assert {name for name in modules if name.startswith("spot_relay")} == {
        "spot_relay_client",
        *(f"spot_relay_client.checkpoints{part}" for part in ("", ".checkpoints", ".folder", ".history", ".sigterm")),
    }
    assert {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) <= {
        "spot_relay_client",
        "__main__",
    }


def test_its_syntax_is_that_of_the_oldest_python_it_is_for() -> None:
    for path in HELPER.glob("*.py"):
        ast.parse(path.read_text("utf-8"), filename=str(path), feature_version=OLDEST)
