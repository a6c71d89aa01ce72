"""What follows when an attempt has ended, by the table of ends: another attempt, at once or later, or the run's end."""

from __future__ import annotations

from datetime import datetime, timedelta

from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision, change, finish, finish_stopped, plan
from spot_relay.domain.rules.after_end import ENDS, Then, describe_end, describe_last_end, relaunch_after
from spot_relay.domain.rules.next_place import choose_place, wait_after
from spot_relay.domain.rules.pace import seconds_until_demand
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.values import No, replace

# How a job may end that was stopped as planned, because its own limits may come first.
_PLANNED_STOPS = frozenset({Outcome.STOPPED, Outcome.MAX_WAIT_TIME_EXCEEDED, Outcome.MAX_PENDING_TIME_EXCEEDED})


def follow_outcome(run: Run, outcome: Outcome, facts: Facts, now: datetime, owes: Outbox) -> Decision:
    """Continue after the newest attempt has ended, or end the run."""
    closed, then = run.current, ENDS[outcome].then
    if then is Then.COMPLETE:
        return finish(run, RunStatus.COMPLETED, now, describe_end(closed), owes)
    if run.stop_requested:
        return finish_stopped(run, now, owes)
    if closed.switch_to is not None and outcome in _PLANNED_STOPS:
        reason = f"{closed.job_name} was stopped as planned."
        return continue_run(run, Cause.of_end(outcome), facts, now, reason, owes)
    if then is Then.STOP:
        return finish(run, RunStatus.STOPPED, now, describe_last_end(closed), owes)
    relaunch = relaunch_after(run, closed)
    if isinstance(relaunch, No):
        return finish(run, RunStatus.FAILED, now, relaunch.because, owes)
    wait = wait_after(run, outcome, facts.draw, now)
    run = replace(run, spent=relaunch.spent)
    if wait is None:
        return continue_run(run, Cause.of_end(outcome), facts, now, relaunch.because, owes)
    wait = min(wait, seconds_until_demand(run, now))
    reason = f"{relaunch.because} Launching the next attempt in {wait:.0f} s."
    return change(run, now, reason, owes, status=RunStatus.PENDING, check_at=now + timedelta(seconds=wait))


def continue_run(
    run: Run, cause: Cause, facts: Facts, now: datetime, reason: str, owes: Outbox | None = None
) -> Decision:
    """Plan the next attempt in the place that the deadline and the ladder choose."""
    onward = choose_place(run, cause, now)
    if isinstance(onward, No):
        return finish(run, RunStatus.FAILED, now, f"{reason} {onward.because}", owes)
    return plan(run, facts.checkpoint, onward, now, reason, owes)


def wait_for_listing(run: Run, reason: str, facts: Facts, now: datetime) -> Decision:
    """Look again later: nothing may be relaunched while the newest checkpoint is unknown."""
    again = (
        f"Nothing is launched until they can be listed. Checking again in {facts.check_every.total_seconds():.0f} s."
    )
    return change(run, now, f"{reason} {again}", check_at=now + facts.check_every)
