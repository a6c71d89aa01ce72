"""What import-linter can't see: what the functions import, what that loads, and that their layers hold all of it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from embedded.patience import give_time

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "layers" / "spot_relay"
HANDLERS = sorted((ROOT / "functions").glob("*/app.py"))
ALLOWED = {
    "spot_relay.bootstrap",
    "spot_relay.settings",
    "spot_relay.service",
    "spot_relay.triggers",
    "spot_relay.ports",
    "spot_relay.spec",
    "spot_relay.domain.lint.draft",
    "spot_relay.request.drafts",
    "spot_relay.adapters.inbound",
    "spot_relay.domain.errors",
    "spot_relay.domain.shown.report",
}
SUBMISSION_ONLY = {"spot_relay.spec", "spot_relay.request.drafts", "spot_relay.domain.lint.draft"}
# What is pressed in the widget is read like a request to the API.
WIDGET = {
    "spot_relay.domain.run.run",
    "spot_relay.pages.buttons",
    "spot_relay.pages.widget",
    "spot_relay.pages.widget_event",
}
READERS = {"submit": ALLOWED, "api": ALLOWED, "widget": ALLOWED | WIDGET}
ENVIRONMENT = {
    "POWERTOOLS_SERVICE_NAME": "spot-relay",
    "POWERTOOLS_METRICS_NAMESPACE": "SpotRelay",
    "TABLE_NAME": "runs",
    "SPECS_BUCKET": "specs",
    "CHECK_INTERVAL_SECONDS": "300",
    "LAUNCH_RATE": "1000",
    "RETENTION_DAYS": "90",
    "ALLOWED_ROLE_ARNS": "arn:aws:iam::000000000000:role/spot-relay-training",
    "ALLOWED_IMAGES": "*",
    "ALLOWED_CHECKPOINT_BUCKETS": "*",
    "OBSERVE_QUEUE_URL": "http://127.0.0.1/queue",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


def function(path: Path) -> str:
    return path.parent.name


def imported(path: Path) -> set[str]:
    """Name every module that a handler imports from, a submodule by its own name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import():
                found |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                found |= {f"{module}.{a.name}" for a in node.names} if module == "spot_relay" else {module}
            case ast.ImportFrom():
                pytest.fail(f"{path} imports from its own folder, which is no package")
    return found


def test_there_are_six_functions_and_each_is_its_handler_alone() -> None:
    assert [function(path) for path in HANDLERS] == ["api", "observe", "prices", "submit", "tick", "widget"]
    for path in HANDLERS:
        assert [p.name for p in path.parent.iterdir() if p.name != "__pycache__"] == ["app.py"]


def test_frozen_values_put_off_their_methods_so_that_functions_start_fast() -> None:
    eager = [
        str(module.relative_to(LAYER))
        for module in LAYER.rglob("*.py")
        if "pages" not in module.parts  # the layer has none of them
        and re.search(r"^from dataclasses import .*\bdataclass\b", text := module.read_text("utf-8"), re.MULTILINE)
        and "@dataclass\n" not in text
    ]
    assert eager == []


@pytest.mark.parametrize("path", HANDLERS, ids=function)
def test_a_handler_imports_no_more_than_it_may(path: Path) -> None:
    foreign = {name for name in imported(path) if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = {name for name in foreign if name.startswith("spot_relay")}
    assert {name.partition(".")[0] for name in foreign - ours} <= {"aws_lambda_powertools"}
    assert ours <= READERS.get(function(path), ALLOWED - SUBMISSION_ONLY)


# Loads a handler as Lambda does. It runs without site-packages: there is nothing to import but the layers.
LOAD = """
import importlib.util, json, sys
layers, handler, spec = json.loads(sys.argv[1])
sys.path[:0] = layers
found = importlib.util.spec_from_file_location("app", handler)
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
loaded = sorted(sys.modules)
if hasattr(module, "allowlist"):
    # What a spec needs is imported with the first one.
    for one in ("json", "yaml"):
        module.read_submission(spec.encode(), module.Format(one), module.allowlist)
print(json.dumps([loaded, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the layer `dependencies` does: the packages pinned for it, reduced, and no others."""
    folder = tmp_path_factory.mktemp("layer")
    text = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text("utf-8")
    for name in re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE):
        for path in {file.parts[0]: file for file in distribution(name).files or []}.values():
            top = Path(str(path.locate())).parents[len(path.parts) - 1] / path.parts[0]
            if top.is_dir() and path.parts[0] not in {"..", "__pycache__"}:
                shutil.copytree(top, folder / path.parts[0], ignore=shutil.ignore_patterns("__pycache__"))
            elif top.suffix == ".py":
                shutil.copy(top, folder)
    trim = ROOT / "layers" / "dependencies" / "trim.py"
    subprocess.run([sys.executable, trim, folder], check=True, timeout=give_time(60))
    return folder


def modules(path: Path, dependencies: Path) -> tuple[set[str], set[str]]:
    """Return the modules that are there once a handler is loaded, and once it has read a spec, if it reads any."""
    spec = json.loads((ROOT / "events" / "api" / "create-run.json").read_text("utf-8"))["body"]
    arguments = json.dumps([[str(LAYER), str(dependencies)], str(path), spec])
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", LOAD, arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=give_time(60),
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    at_first, at_last = json.loads(loaded.stdout.splitlines()[-1])
    return set(at_first), set(at_last)


@pytest.mark.slow
@pytest.mark.parametrize("path", HANDLERS, ids=function)
def test_a_handler_works_with_what_its_layers_hold_and_imports_what_is_costly_only_when_it_needs_it(
    path: Path, dependencies: Path
) -> None:
    at_first, at_last = modules(path, dependencies)
    costly = {"pydantic", "pydantic_core", "yaml"}
    assert "botocore.session" in at_first
    # boto3 and Powertools' batch utility would each cost a cold start a tenth more.
    assert {"boto3", "s3transfer", "aws_lambda_powertools.utilities.batch"} & at_last == set()
    assert costly & at_first == set()
    hosting = {"adapters.hosting", "domain.decide.hosting", "domain.rules.hosting", "domain.run.hosting_part"}
    assert {f"spot_relay.{name}" for name in {*hosting, "spec.success_model"}} & at_last == set()
    if function(path) in {"submit", "api"}:
        assert costly <= at_last
    else:
        assert costly & at_last == set()
        assert {"asyncio", "spot_relay.spec", "aws_lambda_powertools.event_handler"} & at_last == set()


def test_no_module_imports_from_a_test_module() -> None:
    texts = {path: path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")}
    pattern = re.compile(r"^\s*(?:from|import) tests(?:\.\w+)*\.test_\w+", re.MULTILINE)
    found = [str(path.relative_to(ROOT)) for path, text in texts.items() if pattern.search(text)]
    assert found == [], "move what several tests use into a module of its own"
