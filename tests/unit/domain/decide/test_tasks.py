"""What a run does for the tasks of Step Functions that ask for its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.decide.tasks import follow_gone_task, join
from spot_relay.domain.run.observation import TaskGone, TaskWaiting
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from tests.fakes import NOON
from tests.unit.worlds import submission

NOW = NOON.replace(hour=13)
KNOWN = "This task of Step Functions is waiting for the run already."


# One that is under way and owes nothing.
RUN = replace(accept(submission(), "one", NOON), outbox=Outbox())


@pytest.mark.parametrize(
    ("waiting", "after"),
    [
        ((), ("new",)),
        (("a", "b"), ("a", "b", "new")),
        (("a", "b", "c"), ("b", "c", "new")),
    ],
    ids=["the first", "the third", "one too many"],
)
def test_a_task_waits_for_an_open_run_and_the_oldest_makes_way_for_a_fourth(
    waiting: tuple[str, ...], after: tuple[str, ...]
) -> None:
    decision = join(replace(RUN, waiting_tasks=waiting), TaskWaiting("new"), NOW)
    reason = "Another task of Step Functions is waiting for the end of the run."
    assert decision == Decision(replace(RUN, waiting_tasks=after, updated_at=NOW), Outbox(), reason)


def test_a_task_of_a_run_that_has_ended_is_told_at_once() -> None:
    ended = replace(RUN, status=RunStatus.FAILED, outbox=Outbox(tasks=("a", "b")))
    reason = "A task of Step Functions asks for the end of the run, which has ended."
    expected = Decision(replace(ended, updated_at=NOW), Outbox(tasks=("new",)), reason)
    assert join(ended, TaskWaiting("new"), NOW) == expected


def test_a_fourth_task_that_is_to_be_told_of_an_end_is_turned_away() -> None:
    ended = replace(RUN, status=RunStatus.COMPLETED, outbox=Outbox(tasks=("a", "b", "c")))
    reason = "Other tasks of Step Functions have to be told of the end first. Submit the spec again later."
    assert join(ended, TaskWaiting("new"), NOW) == Decision(ended, Outbox(), reason, rejected=True)


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_task_that_waits_already_is_not_added_again(has_ended: bool) -> None:
    known = replace(RUN, waiting_tasks=("new",))
    if has_ended:
        known = replace(RUN, status=RunStatus.STOPPED, outbox=Outbox(tasks=("a", "b", "new")))
    assert join(known, TaskWaiting("new"), NOW) == Decision(known, Outbox(), KNOWN)


def test_a_task_that_was_no_longer_there_is_noted() -> None:
    reason = "A task of Step Functions no longer waits for the end of the run: its token was refused (TaskTimedOut)."
    expected = Decision(replace(RUN, updated_at=NOW), Outbox(status=True), reason)
    assert follow_gone_task(RUN, TaskGone("TaskTimedOut"), NOW) == expected
