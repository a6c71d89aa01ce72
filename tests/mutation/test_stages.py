"""Each stage runs the tests that it should, and names no test that is gone."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.mutation.stages import NEAR, NOT_RUN, QUICK, SLOW, SLOWEST, STAGE, is_run, is_tried
from tests.mutation.workspace import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MUTANT = "spot_relay.domain.rules.pace.x_standing_of__mutmut_1"
OWN = "tests/unit/domain/rules/test_pace.py::test_a_pace"
OTHER = "tests/unit/service/test_room.py::test_a_room"
LENGTHY = f"tests/simulation/{SLOW[0]}::test_a_seed"
LEFT_OUT = f"tests/unit/service/{NOT_RUN[0]}::test_a_flood"


def modules() -> list[Path]:
    """The modules of the tests that mutants are tried with."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    places = [ROOT / place for place in settings["pytest_add_cli_args_test_selection"]]
    return [module for place in places for module in ([place] if place.is_file() else place.rglob("test_*.py"))]


@pytest.mark.parametrize("name", [*NOT_RUN, *SLOW])
def test_a_test_that_a_stage_names_exists(name: str) -> None:
    assert any(name == module.name or f"def {name}" in module.read_text("utf-8") for module in modules())


@pytest.mark.parametrize(
    ("stage", "run", "tried"),
    [
        (NEAR, {OWN, OTHER}, {OWN}),
        (QUICK, {OWN, OTHER}, {OWN, OTHER}),
        (SLOWEST, {OWN, OTHER, LENGTHY}, {OWN, OTHER, LENGTHY}),
    ],
)
def test_each_stage_tries_more_tests_than_the_one_before(
    monkeypatch: pytest.MonkeyPatch, stage: str, run: set[str], tried: set[str]
) -> None:
    monkeypatch.setenv(STAGE, stage)
    tests = {OWN, OTHER, LENGTHY, LEFT_OUT}
    assert {test for test in tests if is_run(test)} == run
    assert {test for test in tests if is_tried(test, MUTANT)} == tried
