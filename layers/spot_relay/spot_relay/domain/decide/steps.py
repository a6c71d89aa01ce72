"""The steps that decisions are made of: a run changes, plans an attempt, or ends. Each has its reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.pace import max_wait_of
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, CanaryStatus
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import ABSENCE_PATIENCE, OUTBOX_PATIENCE, Explanation, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, attempt_name
from spot_relay.domain.sagemaker.quota import parse_quota
from spot_relay.domain.sagemaker.refusal import Refusal, advise
from spot_relay.domain.shown import metrics
from spot_relay.domain.text import MAX_REASON_BYTES, clean_text, shorten
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.rules.next_place import Onward
    from spot_relay.domain.sagemaker.job import Checkpoint

# A description can lag behind an event, and a stop takes a moment: look again after this long.
CHECK_SOON = timedelta(seconds=30)
# An error that nobody knows may mean that the placement is refused for good. By default these take about an hour.
UNRECOGNIZED_TRIES = 10
# How many of the newest decisions are kept on the run.
KEPT_DECISIONS = 40
# In bytes, encoded. An item of the table has 400 KB, and the run's own reason holds the newest text in full.
LONGEST_EXPLANATION = 800

STOPPED_BY_REQUEST = "Stopped by request."
STOPPING_IT = "Stopping it as requested."
# A launch may be under way in another function, or may have created a job that is not found yet.
STOP_LATER = f"Checking in {ABSENCE_PATIENCE.seconds // 60} minutes whether it exists, to stop it."


@dataclass(frozen=True)
class Decision:
    """What happens to a run, and why."""

    run: Run
    """The run's next state; the same object as before if nothing changes, so that nothing is saved."""
    owes: Outbox
    reason: str
    """One sentence or more, for the user."""
    rejected: bool = False
    """Whether a user asked for something that cannot be done."""


def unchanged(run: Run, reason: str, owes: Outbox | None = None, *, rejected: bool = False) -> Decision:
    """Leave the run as it is; what is owed is done without a save."""
    return Decision(run, owes or Outbox(), reason, rejected)


def ignore_unknown_attempt(run: Run, number: int) -> Decision:
    """Ignore an observation of an attempt that the run does not have."""
    return unchanged(run, f"The run has no attempt {number}.")


def ignore_foreign_job(run: Run, attempt: Attempt) -> Decision:
    """Ignore an event of a job that has an attempt's name but is not the run's."""
    return unchanged(
        run, f"The event is about a training job named {attempt.job_name} that does not belong to this run."
    )


def ignore_repeated_launch(run: Run, job_name: str) -> Decision:
    """Ignore the answer to a launch that is known to have succeeded."""
    return unchanged(run, f"{job_name} is already known to exist.")


def stop_needless_job(run: Run, job_name: str, stop: Outbox) -> Decision:
    """Stop a job that the run has given up but that exists after all."""
    return unchanged(run, f"The run no longer needs {job_name}. Stopping it.", stop)


def change(run: Run, now: datetime, reason: str, owes: Outbox | None = None, **changes: Any) -> Decision:
    """Change the run and write its status document, except before a launch, whose answer changes the run again."""
    owes = owes or Outbox()
    if owes.launch is None:
        owes = owes.then(Outbox(status=True))
    return record(run, now, reason, owes, **changes)


def record(run: Run, now: datetime, reason: str, owes: Outbox | None = None, **changes: Any) -> Decision:
    """Change the run without writing its status document, which shows the change once a later decision writes it.

    This is for frequent events that require no action: it costs one write, and a document would cost two more.
    """
    reason = clean_text(reason, MAX_REASON_BYTES)
    return Decision(replace(run, updated_at=now, reason=reason, **changes), owes or Outbox(), reason)


def explain(run: Run, observation: str, reason: str, now: datetime) -> Run:
    """Return the run with one more explanation, or with one more occurrence of a recent one.

    Two that alternate also count as repeated, such as a launch that is tried and refused every minute for hours.
    """
    known, reason = run.decisions, shorten(reason, LONGEST_EXPLANATION)
    for index, entry in enumerate(known[-2:], start=max(0, len(known) - 2)):
        if (entry.observation, entry.reason) == (observation, reason):
            again = replace(entry, times=entry.times + 1, until=now)
            return replace(run, decisions=(*known[:index], again, *known[index + 1 :]))
    return replace(run, decisions=(*known[1 - KEPT_DECISIONS :], Explanation(now, observation, reason)))


def leave_queue(before: Run, after: Run) -> Outbox:
    """Return the news that a run has left its pool's queue, if it has, so that the next one can try."""
    pool = before.waits_for
    return Outbox(freed=(Room(pool),)) if pool and pool != after.waits_for else Outbox()


def finish(run: Run, status: RunStatus, now: datetime, reason: str, owes: Outbox | None = None) -> Decision:
    """End the run."""
    run, stopping = give_up_canary(run)
    run = replace(run, status=status, ended_at=now, check_at=None)
    news = Outbox(measures=metrics.measure_run_end(run), tell_followers=True, tasks=run.waiting_tasks)
    duties = (owes or Outbox()).then(stopping).then(news)
    if status is RunStatus.COMPLETED and run.on_success:
        run, hosting = _begin_hosting(run, now)
        duties = duties.then(hosting)
    return change(run, now, reason, duties, waiting_tasks=())


def _begin_hosting(run: Run, now: datetime) -> tuple[Run, Outbox]:
    """Return a run that completes with what is to be done with its model, and the first call of each part of it."""
    # Imported here to keep cold starts short: few runs do anything with their models.
    from spot_relay.domain.rules.hosting import begin_tasks

    tasks = begin_tasks(run, now)
    open_kinds = tuple(task.kind for task in tasks if task.is_open)
    failed = tuple(
        measure for task in tasks if not task.is_open for measure in metrics.measure_hosting(run, task.status)
    )
    return replace(run, hosting=tasks), Outbox(host=open_kinds, measures=failed)


def finish_stopped(run: Run, now: datetime, owes: Outbox | None = None, more: str = "") -> Decision:
    """End a run that was asked to stop, by its user or because its record has grown too large."""
    if run.failing_because is not None:
        return finish(run, RunStatus.FAILED, now, f"{run.failing_because}{more}", owes)
    return finish(run, RunStatus.STOPPED, now, f"{STOPPED_BY_REQUEST}{more}", owes)


def last_word(run: Run, now: datetime) -> Outbox:
    """Return the duty to write the status document again if the run, or what is done with its model, has just ended.

    A stalled function may overwrite it with an older one and then be killed by Lambda; nothing else would repair that.
    """
    ends = (run.ended_at, *(task.settled_at for task in run.hosting)) if run.has_ended else ()
    ended_lately = any(end is not None and now < end + OUTBOX_PATIENCE for end in ends)
    return Outbox(status=True) if ended_lately else Outbox()


def plan(
    run: Run, checkpoint: Checkpoint | None, onward: Onward, now: datetime, reason: str, owes: Outbox | None = None
) -> Decision:
    """Plan the next attempt from the newest checkpoint, and owe its launch; end the run if that costs too much."""
    placement = onward.place.placement
    if no := check_money(run, placement, now):
        return finish(run, RunStatus.FAILED, now, f"{reason} {no.because}", owes)
    moved_to = None if run.moved_to is Market.SPOT else run.moved_to
    run, stopping = give_up_canary(replace(run, moved_to=moved_to))
    number = len(run.attempts) + 1
    attempt = Attempt(
        number=number,
        job_name=attempt_name(run.id, number),
        placement=placement,
        planned_at=now,
        cause=onward.cause,
        resumes_from=checkpoint,
        rung=onward.place.rung,
        max_wait_seconds=max_wait_of(run, placement, now),
    )
    start = f"continues from the checkpoint {checkpoint.key}" if checkpoint else "starts from the beginning"
    where = f" on {placement}" if placement != run.current.placement else ""
    return change(
        run.with_attempt(attempt),
        now,
        f"{reason} {attempt.job_name} {start}{where}.",
        (owes or Outbox()).then(stopping).then(Outbox(launch=number)),
        status=RunStatus.PENDING,
        check_at=now + OUTBOX_PATIENCE,
    )


def launch_again(run: Run, attempt: Attempt, now: datetime, reason: str | None = None) -> Decision:
    """Owe the launch of an attempt that may never have been created."""
    planned = replace(attempt, status=AttemptStatus.PLANNED)
    return change(
        run.with_attempt(planned),
        now,
        reason or describe_retry(attempt),
        Outbox(launch=attempt.number),
        status=RunStatus.PENDING,
        check_at=now + OUTBOX_PATIENCE,
    )


def describe_retry(attempt: Attempt) -> str:
    """Return the reason for trying a launch again."""
    return f"Trying to launch {attempt.job_name} again."


def describe_interruption(attempt: Attempt) -> str:
    """Return what an interruption means: SageMaker itself goes on with the attempt."""
    return f"{attempt.job_name} was interrupted. SageMaker resumes it when spot capacity returns."


def forget_refusals(run: Run) -> Run:
    """Return the run after a launch that succeeded: the next one may be refused as often again."""
    return replace(run, spent=replace(run.spent, refusals=0))


def describe_giving_up(run: Run, attempt: Attempt) -> str:
    """Return why an attempt is launched no more."""
    message, limit = attempt.failure_reason or "", run.policy.budgets.refusals
    because = f"policy.budgets.refusals allows no further try (limit: {limit})."
    if attempt.unrecognized_refusals >= UNRECOGNIZED_TRIES:
        because = f"SageMaker has refused it {UNRECOGNIZED_TRIES} times with an error that Spot Relay does not know."
    refusal = Refusal.OTHER_QUOTA_FULL if parse_quota(message) else Refusal.UNRECOGNIZED
    return f"Could not create {attempt.job_name}: {message} {because} {advise(refusal, message)}"


def close_uncreated(attempt: Attempt, now: datetime, why: str | None = None) -> Attempt:
    """Return the attempt as ended: its job is known not to exist."""
    return replace(
        attempt,
        status=AttemptStatus.ENDED,
        outcome=Outcome.NEVER_CREATED,
        failure_reason=why,
        ended_at=now,
        waits_for_room=False,
        waits_for_any_room=False,
    )


def give_up_canary(run: Run) -> tuple[Run, Outbox]:
    """Return the run without a live canary, and the stop of its canary if it may have one."""
    canary = run.canary
    if canary is None or canary.status is CanaryStatus.ENDED:
        return run, Outbox()
    return run.with_canary(replace(canary, status=CanaryStatus.ENDED)), Outbox(stop_canary=canary.job_name)
