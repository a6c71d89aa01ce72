"""The steps that decisions are made of: a run goes on, plans an attempt, or ends; each gives its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules import after_end as relaunch
from spot_relay.domain.rules.money import unaffordable
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Attempt, AttemptStatus, CanaryStatus, Explanation, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.shown import metrics as measures
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Checkpoint

# A describe can lag behind an event, and a stop takes a moment: look again after this long.
CHECK_SOON = timedelta(seconds=30)
# So many of the newest decisions are kept on the run.
KEPT_DECISIONS = 40
# An item of the table has 400 KB; the run's own reason holds the newest text whole.
LONGEST_EXPLANATION = 400


@dataclass(frozen=True)
class Decision:
    """The run's next state, what it owes the world for it, and why.

    ``run`` is the very run that was decided on when nothing changes: then what is owed is done without a save.
    ``rejected`` says that a user asked for what can't be done; the reason tells why.
    """

    run: Run
    owes: Outbox
    reason: str
    rejected: bool = False


def becomes(run: Run, now: datetime, reason: str, owes: Outbox | None = None, **changes: Any) -> Decision:
    """Change the run; its status document follows, but after a launch, whose answer changes the run again."""
    owes = owes or Outbox()
    if owes.launch is None:
        owes |= Outbox(status=True)
    return recorded(run, now, reason, owes, **changes)


def recorded(run: Run, now: datetime, reason: str, owes: Outbox | None = None, **changes: Any) -> Decision:
    """Change the run alone: its status document shows it with the next change that writes one.

    For news that comes often and asks for nothing: it costs one write, where a document costs two more.
    """
    return Decision(replace(run, updated_at=now, reason=reason, **changes), owes or Outbox(), reason)


def explained(run: Run, observation: str, reason: str, now: datetime) -> Run:
    """Keep on a run why it was changed; what repeats itself stands once.

    Two that come in turn repeat themselves, too: a launch that is tried, and refused, each minute for hours.
    """
    known, reason = run.decisions, reason[:LONGEST_EXPLANATION]
    for index, entry in enumerate(known[-2:], start=max(0, len(known) - 2)):
        if (entry.observation, entry.reason) == (observation, reason):
            again = replace(entry, times=entry.times + 1, until=now)
            return replace(run, decisions=(*known[:index], again, *known[index + 1 :]))
    return replace(run, decisions=(*known[1 - KEPT_DECISIONS :], Explanation(now, observation, reason)))


def room_left(before: Run, after: Run) -> Outbox:
    """Owe the news that a run waits for room no more: the next one may be luckier."""
    pool = before.waits_for
    return Outbox(freed=(Room(pool),)) if pool and pool != after.waits_for else Outbox()


def finish(run: Run, status: RunStatus, now: datetime, reason: str, owes: Outbox | None = None) -> Decision:
    """End the run."""
    run, stopping = without_canary(run)
    ended = replace(run, status=status)
    duties = (owes or Outbox()) | stopping | Outbox(measures=measures.run_ended(ended), announce=True)
    return becomes(run, now, reason, duties, status=status, ended_at=now, check_at=None)


def last_word(run: Run, now: datetime) -> Outbox:
    """Owe the status document of a run that has just ended once more, after all that may still write an older one.

    A function may have stalled before its write and be ended by Lambda after it, when nobody is left to mend that.
    """
    ended_lately = run.has_ended and run.ended_at is not None and now < run.ended_at + OUTBOX_PATIENCE
    return Outbox(status=True) if ended_lately else Outbox()


def plan(
    run: Run,
    checkpoint: Checkpoint | None,
    following: relaunch.Following,
    now: datetime,
    reason: str,
    owes: Outbox | None = None,
) -> Decision:
    """Plan the next attempt, from the newest checkpoint, and owe its launch; or end the run if it costs too much."""
    if no := unaffordable(run, following.place.placement, now):
        return finish(run, RunStatus.FAILED, now, f"{reason}; {no}", owes)
    run, stopping = without_canary(run)
    attempt = relaunch.next_attempt(run, following, checkpoint, now)
    source = attempt.resumes_from.key if attempt.resumes_from else "the beginning"
    where = attempt.placement
    moved = where != run.current.placement
    on = f" on {where.instance_count} x {where.instance_type} ({where.market})" if moved else ""
    return becomes(
        run.with_attempt(attempt),
        now,
        f"{reason}; {attempt.job_name} goes on from {source}{on}",
        (owes or Outbox()) | stopping | Outbox(launch=attempt.number),
        status=RunStatus.PENDING,
        check_at=now + OUTBOX_PATIENCE,
    )


def launch_again(run: Run, attempt: Attempt, now: datetime, reason: str, owes: Outbox | None = None) -> Decision:
    """Owe the launch of an attempt that may never have been created."""
    planned = replace(attempt, status=AttemptStatus.PLANNED)
    return becomes(
        run.with_attempt(planned),
        now,
        reason,
        (owes or Outbox()) | Outbox(launch=attempt.number),
        status=RunStatus.PENDING,
        check_at=now + OUTBOX_PATIENCE,
    )


def never_created(attempt: Attempt, now: datetime, why: str | None = None) -> Attempt:
    """Close an attempt whose job is known not to exist."""
    return replace(
        attempt,
        status=AttemptStatus.ENDED,
        outcome=Outcome.NEVER_CREATED,
        failure_reason=why,
        ended_at=now,
        waits_for_room=False,
    )


def without_canary(run: Run) -> tuple[Run, Outbox]:
    """Give up on the run's canary, if one may live, and owe its stop."""
    canary = run.canary
    if canary is None or canary.status is CanaryStatus.ENDED:
        return run, Outbox()
    return run.with_canary(replace(canary, status=CanaryStatus.ENDED)), Outbox(stop_canary=canary.job_name)
