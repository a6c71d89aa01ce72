"""The distribution `spot-relay`: built from a copy of the sources, installed, and used without the repository."""

from __future__ import annotations

import ast
import json
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

from embedded.patience import give_time

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client" / "spot_relay_client"
SERVICE = ROOT / "layers" / "spot_relay" / "spot_relay"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SOURCES = ("pyproject.toml", "LICENSE", "docs/client.md", "client", "layers/spot_relay")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built without a network from a copy of the sources: the build writes beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source, copy = ROOT / name, folder / "sources" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, copy)
    command = [sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-build-isolation", "--wheel"]
    command += ["--python", sys.executable, "--out-dir", str(folder), str(folder / "sources")]
    subprocess.run(command, check=True, timeout=give_time(120))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the wheel is installed, without its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*command, "--target", str(folder), str(wheel)], check=True, timeout=give_time(60))
    return folder


def call(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Call a command with what is installed, from a folder that is no checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "SPOT_"))}
    environment = {**kept, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        command, cwd=installed, env=environment, capture_output=True, text=True, timeout=give_time(60), check=False
    )


def test_the_wheel_has_the_client_with_its_data_and_of_the_service_only_what_it_uses(wheel: Path) -> None:
    in_wheel = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    client = {path for path in CLIENT.rglob("*") if path.suffix in {".js", ".json", ".py", ".typed"}}
    expected = {f"spot_relay_client/{path.relative_to(CLIENT).as_posix()}" for path in client}
    expected |= {
        f"spot_relay/{path.relative_to(SERVICE).as_posix()}"
        for folder in ("domain", "pages", "request")
        for path in (SERVICE / folder).rglob("*")
        if path.suffix in {".json", ".py"}
    }
    assert in_wheel == expected
    assert "spot_relay_client/py.typed" in in_wheel
    assert "spot_relay_client/model/spot-relay/2026-11-01/service-2.json" in in_wheel
    assert "spot_relay_client/dashboard/live.js" in in_wheel


def test_the_installed_command_works_without_the_repository(installed: Path) -> None:
    command = str(installed / "bin" / "spot-relay")
    helped = call(installed, command, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "submit" in helped.stdout
    assert call(installed, command, "--version").stdout == f"spot-relay {PROJECT['version']}\n"
    local = call(installed, command, "local", "status")
    assert local.returncode == 1
    assert "make setup" in local.stderr


def test_the_installed_command_checks_specs_with_options_of_the_sdk(installed: Path, tmp_path: Path) -> None:
    spec = tmp_path / "churn.yaml"
    spec.write_text(
        "name: churn\nestimator: {algorithm: forecasting-deepar@1, use_spot_instances: true, max_wait: 7200}\n"
    )
    checked = call(installed, sys.executable, "-m", "spot_relay_client", "lint", str(spec))
    assert (checked.returncode, "built-in-without-checkpoints" in checked.stdout) == (2, True), checked.stderr


def test_the_installed_library_knows_the_api_and_the_domain(installed: Path) -> None:
    code = (
        "from botocore.session import Session; from spot_relay_client.api import Api; "
        "from spot_relay.domain.shown.report import status_document; "
        "print(Api(Session(), 'http://127.0.0.1:1', 'us-east-1').url)"
    )
    called = call(installed, sys.executable, "-c", code)
    assert called.stdout == "http://127.0.0.1:1\n", called.stderr


def test_help_imports_nothing_heavy(installed: Path) -> None:
    code = (
        "import json, sys; from spot_relay_client.cli import cli; cli(['--help'], standalone_mode=False); "
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    called = call(installed, sys.executable, "-c", code)
    heavy = {"botocore", "rich", "yaml", "concurrent.futures", "werkzeug", "boto3"}
    assert heavy & set(json.loads(called.stderr)) == set()


def test_everything_imported_is_a_declared_dependency() -> None:
    imported = {
        name.partition(".")[0]
        for path in CLIENT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in _names(node)
    }
    # Only Airflow imports the module that imports Airflow.
    third_party = imported - {"airflow", "spot_relay_client", "spot_relay"} - set(sys.stdlib_module_names)
    found = {packages_distributions()[name][0].lower() for name in third_party}
    declared = {re.split(r"[<>=]", requirement)[0].lower() for requirement in PROJECT["dependencies"]}
    assert found == declared


def test_the_template_says_the_version_of_the_distribution() -> None:
    outputs = (ROOT / "template.yaml").read_text("utf-8").partition("\nOutputs:\n")[2]
    assert re.search(r"Version:\n.*\n    Value: (.*)\n", outputs)[1] == PROJECT["version"]  # type: ignore[index]


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
