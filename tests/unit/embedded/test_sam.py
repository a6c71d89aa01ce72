"""The template is built again only when its sources have changed, and allows the Python of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedded.sam import allow_runtime, fingerprint

if TYPE_CHECKING:
    from pathlib import Path


def sources(root: Path) -> Path:
    """Create the sources of a build."""
    for name in ("functions/tick", "layers/spot_relay"):
        (root / name).mkdir(parents=True)
    for name in ("template.yaml", "samconfig.toml", "functions/tick/app.py", "layers/spot_relay/a.py"):
        (root / name).write_text(name)
    return root


def test_unchanged_sources_are_not_built_again(tmp_path: Path) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    cache = root / "functions" / "tick" / "__pycache__"
    cache.mkdir()
    (cache / "app.pyc").write_text("compiled")
    assert fingerprint(root) == before


@pytest.mark.parametrize("changed", ["template.yaml", "functions/tick/app.py", "layers/spot_relay/a.py"])
def test_a_changed_source_is_built_again(tmp_path: Path, changed: str) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    (root / changed).write_text("changed")
    assert fingerprint(root) != before


def test_a_removed_source_is_built_again(tmp_path: Path) -> None:
    root = sources(tmp_path)
    before = fingerprint(root)
    (root / "layers/spot_relay/a.py").unlink()
    assert fingerprint(root) != before


def allowed_after(runtime: str) -> list[str]:
    """Return the runtimes that a template allows which allowed two, once it has to allow this one."""
    runtimes = ["python3.12", "python3.13"]
    template = {"Parameters": {"PythonRuntime": {"Type": "String", "AllowedValues": runtimes}, "LogLevel": {}}}
    allow_runtime(template, runtime)
    assert template == {"Parameters": {"PythonRuntime": {"Type": "String", "AllowedValues": runtimes}, "LogLevel": {}}}
    return runtimes


def test_a_built_template_allows_the_runtime_of_this_machine_though_aws_no_longer_creates_it() -> None:
    assert allowed_after("python3.11") == ["python3.12", "python3.13", "python3.11"]


def test_a_built_template_that_allows_the_runtime_stays_as_it_is() -> None:
    assert allowed_after("python3.12") == ["python3.12", "python3.13"]
