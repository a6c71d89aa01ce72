"""The table of ends: complete, and the same in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from spot_relay.domain.rules.after_end import ENDS, End, Then
from spot_relay.domain.run.policy import Budget
from spot_relay.domain.sagemaker.ending import Outcome

PAGE = (Path(__file__).parents[4] / "docs" / "lifecycle.md").read_text("utf-8")
HEAD = ["outcome", "SageMaker describes the job as", "budget", "relaunch", "moves down the ladder"]


def rows() -> list[dict[str, str]]:
    """The rows of the table in docs/lifecycle.md."""
    section = PAGE.partition("\n## What ends an attempt, and what follows\n")[2]
    table = next(block for block in section.split("\n\n") if block.startswith("|"))
    head, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines())
    assert head == HEAD
    return [dict(zip(head, row, strict=True)) for row in rows]


def shown(end: End) -> dict[str, str]:
    """What the documentation has to say of an end."""
    when = "never" if end.then is not Then.RELAUNCH else "at once" if end.at_once else "after a backoff"
    return {
        "budget": f"`{end.budget}`" if end.budget else "none",
        "relaunch": when,
        "moves down the ladder": "yes" if end.moves_down else "no",
    }


def test_each_outcome_has_a_row() -> None:
    assert list(ENDS) == list(Outcome)


def test_the_documentation_has_the_same_rows_in_the_same_order() -> None:
    assert [row["outcome"] for row in rows()] == [f"`{outcome}`" for outcome in ENDS]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["outcome"].strip("`"))
def test_the_documentation_says_the_same_of_each_end(row: dict[str, str]) -> None:
    expected = shown(ENDS[Outcome(row["outcome"].strip("`"))])
    assert row["relaunch"].startswith(expected["relaunch"])
    assert {name: row[name] for name in ("budget", "moves down the ladder")} == {
        name: expected[name] for name in ("budget", "moves down the ladder")
    }


def test_only_an_end_that_a_relaunch_follows_draws_on_a_budget_or_moves_down() -> None:
    for end in ENDS.values():
        assert end.then is Then.RELAUNCH or not (end.budget or end.at_once or end.moves_down)


def test_each_budget_but_those_of_idle_training_and_of_refused_launches_belongs_to_an_end() -> None:
    drawn = {end.budget for end in ENDS.values() if end.budget}
    assert drawn == set(Budget) - {Budget.ATTEMPTS_WITHOUT_PROGRESS, Budget.REFUSALS}


def test_a_final_end_that_is_not_good_comes_with_advice() -> None:
    final = {outcome for outcome, end in ENDS.items() if end.advice}
    assert final == {Outcome.USER_ERROR, Outcome.STOPPED, Outcome.UNKNOWN_FAILURE}
