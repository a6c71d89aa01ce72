"""Limits of time stretch with the load of the machine, and there are none that do not."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

import pytest

from embedded.patience import give_time, measure_slowness
from tests.template import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What takes a limit of time by its name, and what takes it as its only argument.
NAMED = {"timeout", "connect_timeout"}
ALONE = {"stop_after_delay"}


@pytest.mark.parametrize(
    ("load", "processors", "factor"), [(0.0, 2, 4), (2.0, 2, 4), (8.0, 2, 16), (16.0, 16, 4), (1000.0, 1, 40)]
)
def test_limits_stretch_as_processes_compete_for_processors(
    monkeypatch: pytest.MonkeyPatch, load: float, processors: int, factor: float
) -> None:
    monkeypatch.delenv("PATIENCE", raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert measure_slowness() == factor
    assert give_time(10) == 10 * factor


@pytest.mark.parametrize(("wanted", "factor"), [("", 4), ("2", 4), ("25", 25)])
def test_a_slow_machine_can_be_given_more_time_but_not_less(
    monkeypatch: pytest.MonkeyPatch, wanted: str, factor: float
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setenv("PATIENCE", wanted)
    assert measure_slowness() == factor


def test_a_test_may_take_as_long_as_what_it_waits_for(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("timeout") is not None:
        pytest.skip("the command line sets the limit")
    marker = request.node.get_closest_marker("timeout")
    assert marker.args[0] >= 4 * float(request.config.getini("timeout"))


def fixed_limits(path: Path) -> Iterator[str]:
    """Name the calls of a module that have a limit of time which does not stretch."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        limits = [keyword.value for keyword in node.keywords if keyword.arg in NAMED]
        limits += node.args if name in ALONE else []
        if any(isinstance(limit, ast.Constant) and limit.value for limit in limits):
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_no_limit_of_time_is_fixed() -> None:
    modules = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "embedded").rglob("*.py")]
    assert len(modules) > 200
    assert [found for path in modules for found in fixed_limits(path)] == []
