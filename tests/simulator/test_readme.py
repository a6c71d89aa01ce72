"""The README: its Python code is run as it stands, from the source tree and from an installed wheel."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from zipfile import ZipFile

import pytest

import simulator
from embedded.patience import give_time
from simulator.world.scenario import parse_scenario, parse_text

SOURCE = Path(simulator.__file__).parent
README = (SOURCE / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources: the build writes beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(SOURCE, folder / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-build-isolation"]
    command += ["--python", sys.executable, "--out-dir", str(folder), str(folder / "sources")]
    subprocess.run(command, check=True, timeout=give_time(120))
    return next(folder.glob("*.whl"))


def run_code_of_readme(folder: Path, *arguments: str, path: Path) -> str:
    """Run the tests in the README with pytest in an empty folder; return what pytest prints."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (folder / "test_readme.py").write_text("\n\n".join(blocks), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    credentials = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**kept, **credentials, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=give_time(120), check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_code_runs_from_the_source_tree(tmp_path: Path) -> None:
    printed = run_code_of_readme(tmp_path, "-p", "simulator.pytest_plugin", path=SOURCE.parent)

    assert "2 passed" in printed


def test_the_code_runs_from_the_wheel_whose_plugin_pytest_finds_by_itself(tmp_path: Path, wheel: Path) -> None:
    installed = tmp_path / "installed"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*command, "--target", str(installed), str(wheel)], check=True, timeout=give_time(60))
    (tmp_path / "tests").mkdir()

    printed = run_code_of_readme(tmp_path / "tests", path=installed)

    assert "2 passed" in printed
    assert "sagemaker-spot-simulator" in printed  # among the plugins that pytest has loaded


def test_the_wheel_has_every_module_and_the_marker_of_types(wheel: Path) -> None:
    in_wheel = {name for name in ZipFile(wheel).namelist() if name.startswith("simulator/")}
    modules = {f"simulator/{path.relative_to(SOURCE).as_posix()}" for path in SOURCE.rglob("*.py")}

    assert in_wheel == modules | {"simulator/py.typed"}


def test_everything_imported_is_a_declared_dependency() -> None:
    imported = {
        name.partition(".")[0]
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _names(node)
    }
    third_party = imported - {"simulator"} - set(sys.stdlib_module_names)
    stubs = {name for name in third_party if name.startswith("mypy_boto3_")}  # for type checkers only
    found = {packages_distributions()[name][0].lower() for name in third_party - stubs}
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["pytest"]]
    declared = {re.split(r"[<>=]", requirement)[0].lower() for requirement in requirements}

    assert found - {"botocore"} == declared  # boto3 depends on botocore and fixes its version


def test_the_example_scenario_is_valid() -> None:
    example = README.partition("```yaml\n")[2].partition("```")[0]

    scenario = parse_scenario(parse_text(example))

    assert len(scenario.rules) == 3
    assert scenario.rule_for("churn-relay-01", "spot", "ml.m5.large").capacity.after == 2
    assert [rule.name for rule in scenario.endpoints] == ["churn-*"]


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
