"""The state diagrams in docs/lifecycle.md have exactly the statuses of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.attempt import AttemptStatus, CanaryStatus
from spot_relay.domain.run.run import ENDED_RUNS, RunStatus

if TYPE_CHECKING:
    from enum import StrEnum

PAGE = (Path(__file__).parents[2] / "docs" / "lifecycle.md").read_text(encoding="utf-8")
OUTSIDE = "[*]"


def transitions(title: str) -> list[tuple[str, str]]:
    """Return the edges of the one diagram under a heading."""
    [diagram] = re.findall(rf"\n### {title}\n\n```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
    edges = [re.fullmatch(r" {4}(\S+) --> (\w+|\[\*\])(?:: [^:;]+)?", line) for line in diagram.splitlines()]
    assert all(edges), "each line of a diagram is an edge"
    return [(edge[1], edge[2]) for edge in edges if edge]


@pytest.mark.parametrize(
    ("title", "statuses"), [("Run", RunStatus), ("Attempt", AttemptStatus), ("Canary", CanaryStatus)]
)
def test_each_diagram_shows_every_status_and_no_other(title: str, statuses: type[StrEnum]) -> None:
    edges = transitions(title)
    assert len(edges) == len(set(edges))
    assert {target for _, target in edges} == {*statuses, OUTSIDE}
    assert {source for source, _ in edges} == {*statuses, OUTSIDE}


@pytest.mark.parametrize(
    ("title", "ends"), [("Run", ENDED_RUNS), ("Attempt", {AttemptStatus.ENDED}), ("Canary", {CanaryStatus.ENDED})]
)
def test_each_diagram_ends_where_the_code_does(title: str, ends: set[StrEnum]) -> None:
    assert {source for source, target in transitions(title) if target == OUTSIDE} == set(ends)


def test_a_run_that_has_ended_is_left_only_by_a_resume() -> None:
    left = {(source, target) for source, target in transitions("Run") if source in ENDED_RUNS and target != OUTSIDE}
    assert left == {(RunStatus.FAILED, RunStatus.PENDING), (RunStatus.STOPPED, RunStatus.PENDING)}
