"""The table of ends: complete, and the same in the documentation; and what follows an end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.after_end import (
    ENDS,
    End,
    Relaunch,
    Then,
    check_relaunch,
    count_in_a_row,
    describe_end,
    describe_last_end,
    relaunch_after,
)
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.policy import Budget, Budgets, Policy, Spent
from spot_relay.domain.run.run import MAX_ATTEMPTS, Run
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

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


def ended(
    outcome: Outcome | None, policy: Policy | None = None, *, spec: dict[str, Any] | None = None, **known: Any
) -> Run:
    """Return a run whose only attempt has just ended so."""
    run = accept(submission(policy, **(spec or {})), "one", NOON)
    return run.with_attempt(replace(run.current, status=AttemptStatus.ENDED, outcome=outcome, **known))


def follows(run: Run) -> Relaunch | No:
    return relaunch_after(run, run.current)


TRAINED: dict[str, Any] = {"training_started_at": NOON, "training_seconds": 3600}
SAVED: dict[str, Any] = {**TRAINED, "checkpoint": Checkpoint("a", NOON)}
RAISES = Policy(relaunch_on_max_runtime=True)
RAN_OUT = Outcome.MAX_RUNTIME_EXCEEDED


def test_an_end_is_described_with_the_reason_that_sagemaker_gives_and_with_what_its_user_can_do() -> None:
    stopped, failed = ended(Outcome.STOPPED).current, ended(Outcome.USER_ERROR, failure_reason="exit code 1").current
    assert describe_end(stopped) == "churn-relay-01 was stopped outside Spot Relay."
    assert describe_last_end(stopped) == f"{describe_end(stopped)} Resume the run to continue."
    assert describe_end(failed) == (
        "churn-relay-01 failed because the training code or its configuration has an error: exit code 1."
    )
    completed = ended(Outcome.COMPLETED).current
    assert describe_last_end(completed) == "churn-relay-01 completed the training."


@pytest.mark.parametrize(
    ("run", "spent"),
    [
        (ended(Outcome.MAX_WAIT_TIME_EXCEEDED), Spent(expired_waits=1)),
        (ended(Outcome.CAPACITY_ERROR), Spent(capacity_failures=1)),
        (ended(Outcome.SERVICE_ERROR, **SAVED), Spent(service_errors=1)),
        (ended(Outcome.SERVICE_ERROR, **TRAINED), Spent(service_errors=1, attempts_without_progress=1)),
        (ended(RAN_OUT, RAISES, **SAVED), Spent()),
        (ended(RAN_OUT, deadline(36_000), **SAVED), Spent()),
        (
            ended(Outcome.SERVICE_ERROR, Policy(restart_from_scratch=True), spec={"CheckpointConfig": None}, **TRAINED),
            Spent(service_errors=1),
        ),
    ],
    ids=[
        "an expired wait",
        "no capacity",
        "a service error after a checkpoint",
        "a service error after training that left none",
        "MaxRuntime with the user's leave",
        "MaxRuntime under a deadline",
        "a job that cannot leave checkpoints",
    ],
)
def test_a_relaunch_says_how_the_attempt_ended_and_draws_on_the_budgets_of_its_end(run: Run, spent: Spent) -> None:
    assert follows(run) == Relaunch(describe_end(run.current), spent)


def test_a_budget_allows_its_last_relaunch_and_then_says_how_to_go_on() -> None:
    run = ended(Outcome.SERVICE_ERROR, Policy(Budgets(service_errors=2)))
    last = replace(run, spent=Spent(service_errors=1))
    assert follows(last) == Relaunch(describe_end(run.current), Spent(service_errors=2))
    assert follows(replace(run, spent=Spent(service_errors=2))) == snapshot(
        No(
            because="churn-relay-01 failed because SageMaker had an internal error. policy.budgets.service_errors allows no further relaunch (limit: 2). Resume the run to count from zero again, with a higher limit if needed."
        )
    )


@pytest.mark.parametrize(
    ("run", "no"),
    [
        (
            ended(None),
            snapshot(
                No(
                    because="churn-relay-01 failed for a reason that Spot Relay does not know. Resume the run to try again."
                )
            ),
        ),
        (
            ended(Outcome.USER_ERROR, failure_reason="exit code 1"),
            snapshot(
                No(
                    because="churn-relay-01 failed because the training code or its configuration has an error: exit code 1. Fix it and resume the run, or submit a corrected spec under another name."
                )
            ),
        ),
        (
            ended(RAN_OUT, **SAVED),
            snapshot(
                No(
                    because="churn-relay-01 reached MaxRuntimeInSeconds before it finished. Raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name."
                )
            ),
        ),
        (
            ended(RAN_OUT, RAISES, **TRAINED),
            snapshot(
                No(
                    because="churn-relay-01 reached MaxRuntimeInSeconds before it finished. It left no checkpoint newer than its start, so another attempt would end the same way. Raise it, or save checkpoints more often, and submit the spec under another name."
                )
            ),
        ),
        (
            ended(Outcome.SERVICE_ERROR, spec={"CheckpointConfig": None}),
            snapshot(
                No(
                    because="churn-relay-01 failed because SageMaker had an internal error. The training job has no CheckpointConfig, so another attempt would start from zero. Add one, or set policy.restart_from_scratch to true, and submit the spec under another name."
                )
            ),
        ),
    ],
    ids=["nobody knows how", "the user's error", "MaxRuntime", "MaxRuntime without a checkpoint", "no checkpoints"],
)
def test_a_run_that_ends_says_how_its_attempt_ended_and_what_lets_it_go_on(run: Run, no: No) -> None:
    assert follows(run) == no


def test_the_users_own_errors_are_followed_by_as_many_attempts_as_their_budget_allows() -> None:
    run = ended(Outcome.USER_ERROR, Policy(Budgets(user_errors=1)))
    assert follows(run) == Relaunch(describe_end(run.current), Spent(user_errors=1))


def test_after_the_last_attempt_that_a_run_can_have_there_is_none() -> None:
    run = ended(Outcome.SERVICE_ERROR)
    several = replace(run, attempts=(run.current,) * (MAX_ATTEMPTS - 1))
    assert check_relaunch(several) is None
    assert check_relaunch(replace(run, attempts=(run.current,) * MAX_ATTEMPTS)) == snapshot(
        No(
            because="The run has had 50 attempts, the most a run can have. Submit the spec under another name to continue."
        )
    )


def test_ends_in_a_row_are_those_of_the_newest_attempts_alone() -> None:
    def ends(*outcomes: Outcome) -> tuple[Attempt, ...]:
        return tuple(ended(outcome).current for outcome in outcomes)

    no_capacity, error = Outcome.CAPACITY_ERROR, Outcome.SERVICE_ERROR
    assert count_in_a_row(ends(no_capacity, error, no_capacity, no_capacity), no_capacity) == 2
    assert count_in_a_row(ends(no_capacity, error), no_capacity) == 0
    assert count_in_a_row((), no_capacity) == 0
