"""What there is to do with a model, when the next call is due, and how long refused calls wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.hosting import MOST_TRIES, begin_tasks, list_due, list_wanted, wait_after
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask, OnSuccess
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Run
from tests.fakes import NOON
from tests.unit.hosted import BOTH, DEPLOYMENT, REGISTRATION, model_of
from tests.unit.worlds import submission

REGISTER, DEPLOY = HostingKind.REGISTER_MODEL, HostingKind.DEPLOY
SECOND = timedelta(seconds=1)


def completing(wanted: OnSuccess, model: str | None = model_of("churn")) -> Run:
    """Return a run that completes with a model."""
    run = accept(replace(submission(), on_success=wanted), "one", NOON)
    return run.with_attempt(replace(run.current, model_artifacts=model))


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (OnSuccess(), ()),
        (OnSuccess(register_model=REGISTRATION), (REGISTER,)),
        (OnSuccess(deploy=DEPLOYMENT), (DEPLOY,)),
        (BOTH, (REGISTER, DEPLOY)),
    ],
)
def test_a_model_is_registered_before_it_is_deployed_as_far_as_either_is_wanted(
    wanted: OnSuccess, kinds: tuple[HostingKind, ...]
) -> None:
    assert list_wanted(completing(wanted)) == kinds
    assert tuple(task.kind for task in begin_tasks(completing(wanted), NOON)) == kinds


def test_tasks_begin_at_once_and_are_looked_at_again_if_the_function_that_began_them_dies() -> None:
    later = NOON + OUTBOX_PATIENCE
    going = HostingStatus.IN_PROGRESS
    assert begin_tasks(completing(BOTH), NOON) == (
        HostingTask(REGISTER, HostingStep.MODEL_PACKAGE, going, "Registering the model.", NOON, NOON, later),
        HostingTask(DEPLOY, HostingStep.MODEL, going, "Deploying the model.", NOON, NOON, later),
    )


def test_without_a_model_tasks_have_failed_and_are_over() -> None:
    failed, because = HostingStatus.FAILED, "The run has left no model."
    assert begin_tasks(completing(BOTH, None), NOON) == (
        HostingTask(REGISTER, HostingStep.MODEL_PACKAGE, failed, because, NOON, NOON, None, settled_at=NOON),
        HostingTask(DEPLOY, HostingStep.MODEL, failed, because, NOON, NOON, None, settled_at=NOON),
    )


def test_a_task_is_due_from_its_time_on_and_never_once_it_is_over() -> None:
    run = completing(BOTH)
    register, deploy = begin_tasks(run, NOON)
    both = replace(run, hosting=(register, replace(deploy, check_at=NOON + SECOND)))
    assert register.check_at is not None
    assert list_due(both, NOON) == ()
    assert list_due(both, NOON + SECOND) == (DEPLOY,)
    assert list_due(both, register.check_at - SECOND) == (DEPLOY,)
    assert list_due(both, register.check_at) == (REGISTER, DEPLOY)
    assert list_due(replace(run, hosting=begin_tasks(completing(BOTH, None), NOON)), NOON + OUTBOX_PATIENCE) == ()


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 10), (2, 20), (3, 40), (7, 640), (8, 900), (MOST_TRIES, 900), (10**6, 900)]
)
def test_a_refused_call_waits_for_half_of_a_ceiling_that_doubles_or_more(tries: int, seconds: int) -> None:
    assert wait_after(tries, 0.0) == timedelta(seconds=seconds / 2)
    assert wait_after(tries, 0.5) == timedelta(seconds=seconds * 0.75)
    assert wait_after(tries, 1.0) == timedelta(seconds=seconds)
