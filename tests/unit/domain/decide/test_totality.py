"""`decide` is total: whatever the run and the facts, there is a decision, and it keeps the invariants."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.looks import attempt_to_look_at, canary_to_look_at, needs_checkpoint
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.observation import ResumeRequested
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Spent
from spot_relay.domain.run.run import MAX_ATTEMPTS, Run
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent
from tests.unit.any_run import facts, jobs, moments, observations, runs, small
from tests.unit.worlds import stored

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts


@given(run=runs(), known=facts, now=moments)
def test_there_is_always_a_decision_with_a_reason_and_it_keeps_the_invariants(run: Run, known: Facts, now: Any) -> None:
    decision = decide(run, known, now)
    after = stored(decision.run)
    assert isinstance(decision.owes, Outbox)
    assert isinstance(decision.reason, str)
    assert decision.reason
    assert after.has_ended or after.check_at is not None
    assert all(attempt.status is AttemptStatus.ENDED for attempt in after.attempts[:-1])
    for budget in fields(Spent):
        assert getattr(after.spent, budget.name) <= getattr(after.policy.budgets, budget.name)
    assert len(after.attempts) <= MAX_ATTEMPTS
    if run.has_ended and not isinstance(known.observation, ResumeRequested):
        assert _without_hosting(decision.run) == _without_hosting(run)
        assert decision.run is run or decision.run.hosting != run.hosting
    if run.stop_requested and not isinstance(known.observation, ResumeRequested):
        assert len(after.attempts) == len(run.attempts) or run.current.status is AttemptStatus.ENDED


def _without_hosting(run: Run) -> Run:
    """A run without what may change after its end."""
    return replace(run, hosting=(), decisions=(), updated_at=run.created_at)


@given(run=runs(), known=facts, now=moments)
def test_what_is_done_with_a_model_is_settled_once_or_looked_at_again(run: Run, known: Facts, now: Any) -> None:
    after = decide(run, known, now).run
    for earlier, task in zip(run.hosting, after.hosting, strict=True) if run.hosting else ():
        assert task == earlier or earlier.is_open
        assert not task.is_open or task == earlier or task.check_at is not None
        assert task.is_open or task == earlier or (task.check_at is None and task.settled_at == now)


@given(run=runs(), known=facts, now=moments)
def test_no_new_attempt_follows_one_that_is_not_known_to_have_ended(run: Run, known: Facts, now: Any) -> None:
    after = decide(run, replace(known, job=None), now).run
    if len(after.attempts) > len(run.attempts):
        assert run.current.status is AttemptStatus.ENDED


@given(run=runs(), known=facts, now=moments)
def test_a_launch_is_owed_only_for_the_newest_attempt_and_never_beside_a_stop(run: Run, known: Facts, now: Any) -> None:
    owes = decide(run, known, now).owes
    if owes.launch is not None:
        assert owes.launch == len(decide(run, known, now).run.attempts)
        assert owes.stop is None


@given(run=runs(), known=facts, now=moments)
def test_a_live_job_is_stopped_only_for_a_user_or_for_a_switch_that_is_remembered(
    run: Run, known: Facts, now: Any
) -> None:
    decision = decide(run, known, now)
    if decision.owes.stop is not None and not run.has_ended and run.current.outcome is not Outcome.NEVER_CREATED:
        given_up = any(a.job_name == decision.owes.stop and a.outcome is Outcome.NEVER_CREATED for a in run.attempts)
        asked = decision.run.stop_requested
        assert asked or given_up or decision.run.current.switch_to is not None


@given(run=runs(), observation=observations, job=st.none() | st.just(Absent()) | jobs, now=moments)
def test_which_facts_are_needed_can_always_be_told(run: Run, observation: Any, job: Any, now: Any) -> None:
    attempt = attempt_to_look_at(run, observation, now)
    assert attempt is None or attempt in run.attempts
    assert needs_checkpoint(run, observation, job, now) in {True, False}
    assert canary_to_look_at(run, observation, now) in {None, run.canary}


outboxes = st.builds(Outbox, launch=st.none() | small, canary=st.none() | small, status=st.booleans())


@given(first=outboxes, second=outboxes)
def test_owing_nothing_more_changes_nothing(first: Outbox, second: Outbox) -> None:
    assert first.then(Outbox()) == first
    assert Outbox().then(second) == second
    assert bool(first.then(second)) == (bool(first) or bool(second))
