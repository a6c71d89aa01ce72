"""A run is played forward through the decisions of a real one: its attempts, its checkpoints and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.plan.jobs import Luck
from spot_relay.domain.plan.play import Work, play
from spot_relay.domain.run.attempt import Canary, CanaryStatus
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from tests.fakes import NOON, at
from tests.unit.worlds import deadline, roomy, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.submission import Submission

HOUR = 3600
SPOT, PAID = Placement("ml.m5.xlarge", 1, Market.SPOT), Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
COMPLETED, EXPIRED, STOPPED = "Completed", "MaxWaitTimeExceeded", "Stopped"


def played(spec: Submission, luck: Luck, training: float = HOUR, startup: float = 0) -> Run:
    return play(accept(spec, "one", NOON), luck, Work(training, startup))


def tell(attempt: Attempt) -> tuple[str, float, float | None, float, str]:
    """Where an attempt ran, when it was launched, had instances and ended, and how; in seconds."""
    launched, ended = attempt.launched_at, attempt.ended_at
    assert launched is not None
    assert ended is not None
    started = attempt.training_started_at
    return (
        attempt.placement.market,
        (launched - NOON).total_seconds(),
        None if started is None else (started - NOON).total_seconds(),
        (ended - NOON).total_seconds(),
        str(attempt.outcome),
    )


def test_a_run_with_capacity_completes_in_one_attempt_whose_job_is_known() -> None:
    run = played(submission(), Luck.AT_ONCE)
    assert (run.status, run.ended_at, run.progress_seconds) == (RunStatus.COMPLETED, at(3601), 3600)
    assert run.reason == "churn-relay-01 completed the training."
    assert [tell(attempt) for attempt in run.attempts] == [("spot", 0, 1, 3601, COMPLETED)]
    assert (run.current.arn, run.current.waited_seconds) == ("arn:churn-relay-01", 1)
    assert run.outbox == Outbox()


def test_a_run_without_capacity_waits_as_often_as_its_budget_allows() -> None:
    run = played(submission(), Luck.NEVER)
    assert (run.status, run.ended_at) == (RunStatus.FAILED, at(11 * 7320))
    assert [tell(attempt) for attempt in run.attempts] == [
        ("spot", number * 7320, None, (number + 1) * 7320, EXPIRED) for number in range(11)
    ]


def test_an_attempt_resumes_from_the_checkpoint_that_holds_the_last_second_of_the_one_before() -> None:
    run = played(submission(Policy(relaunch_on_max_runtime=True)), Luck.AT_ONCE, 2 * HOUR, 600)
    limit = "MaxRuntimeExceeded"
    # Each begins to stop after an hour with its instances, of which it has trained all but the start-up.
    trained = HOUR + 1 - 600
    assert [tell(attempt) for attempt in run.attempts] == [
        ("spot", 0, 1, 3721, limit),
        ("spot", 3721, 3722, 7442, limit),
        ("spot", 7442, 7443, 7442 + 600 + 2 * HOUR - 2 * trained, COMPLETED),
    ]
    assert [attempt.resumes_from for attempt in run.attempts] == [
        None,
        Checkpoint("newest", at(3601)),
        Checkpoint("newest", at(7322)),
    ]


def test_training_that_is_lost_leaves_no_checkpoint() -> None:
    run = played(submission(Policy(relaunch_on_max_runtime=True)), Luck.LOST, 2 * HOUR, 600)
    assert run.status is RunStatus.FAILED
    assert [tell(attempt) for attempt in run.attempts] == [("spot", 0, 1, 3721, "MaxRuntimeExceeded")]
    assert (run.current.checkpoint, run.progress_seconds) == (None, 0)


@pytest.mark.parametrize(
    ("luck", "attempts"),
    [
        (Luck.AT_ONCE, [("spot", 0, 1, 7800, COMPLETED)]),
        (Luck.NEVER, [("spot", 0, None, 19980, STOPPED), ("on-demand", 19980, 19981, 27780, COMPLETED)]),
        (Luck.LOST, [("spot", 0, 1, 20220, STOPPED), ("on-demand", 20220, 20221, 28020, COMPLETED)]),
    ],
)
def test_a_deadline_takes_a_run_off_spot_while_there_is_time(
    luck: Luck, attempts: list[tuple[str, float, float | None, float, str]]
) -> None:
    run = played(roomy(deadline(8 * HOUR)), luck, 2 * HOUR, 600)
    assert [tell(attempt) for attempt in run.attempts] == attempts
    assert (run.status, run.progress_seconds) == (RunStatus.COMPLETED, 7200)


@pytest.mark.parametrize(
    ("luck", "attempts"),
    [
        (Luck.AT_ONCE, [("on-demand", 0, 1, 300, STOPPED), ("spot", 300, 301, 8100, COMPLETED)]),
        (Luck.NEVER, [("on-demand", 0, 1, 7800, COMPLETED)]),
        (
            Luck.LOST,
            [
                ("on-demand", 0, 1, 300, STOPPED),
                ("spot", 300, 301, 34620, STOPPED),
                ("on-demand", 34620, 34621, 42420, COMPLETED),
            ],
        ),
    ],
)
def test_a_canary_shows_whether_there_is_capacity_on_spot(
    luck: Luck, attempts: list[tuple[str, float, float | None, float, str]]
) -> None:
    policy = deadline(12 * HOUR, ladder=(Rung(PAID), Rung(SPOT)), return_to_spot=ReturnToSpot.CANARY)
    run = played(roomy(policy), luck, 2 * HOUR, 600)
    phase = None if luck is Luck.NEVER else "Training"
    canary = Canary(1, "churn-canary-01", SPOT, at(120), 43080, CanaryStatus.ENDED, phase, arn="arn:churn-canary-01")
    assert run.canaries == (canary,)
    assert [tell(attempt) for attempt in run.attempts] == attempts
    assert run.status is RunStatus.COMPLETED
