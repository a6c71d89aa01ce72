"""Turn a valid submission into a run, and check what depends on the time, the prices and the input data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.next_place import affordable_on_demand, ladder_of
from spot_relay.domain.rules.pace import check_deadline, earliest_deadline, max_wait_of, standing_of
from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Explanation, Run, RunStatus
from spot_relay.domain.sagemaker.job import Market, attempt_name
from spot_relay.domain.sagemaker.request import has_several_types, max_pending_of
from spot_relay.domain.shown.news import tell_news
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.news import NoticeKind
    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.submission import Submission


# One page of an S3 listing.
MOST_FILES_COUNTED = 1000


@dataclass(frozen=True)
class Objection:
    """Why a submission cannot become a run."""

    path: str
    """The place in the spec."""
    message: str
    """What is wrong, and what to do."""


def accept(
    submission: Submission,
    submission_id: str,
    now: datetime,
    prices: PriceList | None = None,
    notify: tuple[NoticeKind, ...] = (),
) -> Run:
    """Return the run of a valid submission. It owes a first launch, on-demand if the deadline requires that.

    It sends the notices in ``notify`` unless the submission itself says which.
    """
    policy, job = submission.policy, submission.training_job
    placements = [rung.placement for rung in ladder_of(policy, job)]
    types = {placement.instance_type for placement in placements}
    first = Attempt(
        number=1,
        job_name=attempt_name(submission.name, 1),
        placement=placements[0],
        planned_at=now,
        cause=Cause.SUBMITTED,
    )
    run = Run(
        id=submission.name,
        submission_id=submission_id,
        fingerprint=submission.fingerprint,
        training_job=job,
        policy=policy,
        created_at=now,
        updated_at=now,
        status=RunStatus.PENDING,
        reason="Accepted." if submission.start else f"Accepted. Launching {first.job_name}.",
        attempts=(first,),
        check_at=now if submission.start else now + OUTBOX_PATIENCE,
        outbox=Outbox() if submission.start else Outbox(launch=1),
        start=submission.start,
        waits_to_begin=bool(submission.start),
        on_success=submission.on_success,
        waiting_tasks=() if submission.task_token is None else (submission.task_token,),
        deadline_at=policy.deadline.instant(now) if policy.deadline else None,
        decisions=tuple(Explanation(now, "Submitted", warning) for warning in _warn(policy, job)),
        prices=prices.only(types) if prices and not has_several_types(job) else None,
        notify=notify if submission.notify is None else submission.notify,
    )
    told, news = tell_news(None, place_first(run, now), now)
    return replace(told, outbox=told.outbox.then(news))


def place_first(run: Run, now: datetime) -> Run:
    """Return a run with its first attempt where the deadline has it now: on-demand, if it leaves no time for spot.

    The deadline counts from the submission, and a run may have waited since then.
    """
    first = run.current
    standing = standing_of(run, now)
    no_time_for_spot = standing is not None and standing.demand(0.0) is Cause.SAFETY_NET
    if no_time_for_spot and (on_demand := affordable_on_demand(run, now)):
        moved = replace(first, placement=on_demand.placement, rung=on_demand.rung, cause=Cause.SAFETY_NET)
        return run.with_attempt(moved)
    return run.with_attempt(replace(first, max_wait_seconds=max_wait_of(run, first.placement, now)))


def _warn(policy: Policy, job: dict[str, Any]) -> tuple[str, ...]:
    """Return what the run does differently from what its training job asks for."""
    on_spot = any(rung.placement.market is Market.SPOT for rung in ladder_of(policy, job))
    if max_pending_of(job) is None or not on_spot:
        return ()
    return (
        "MaxPendingTimeInSeconds is left out of jobs on spot, where MaxWaitTimeInSeconds and the policy limit how long "
        "a job waits for capacity.",
    )


def find_objections(run: Run, files: dict[str, int], now: datetime) -> tuple[Objection, ...]:
    """Return what keeps a submission, as the run it would be, from being accepted.

    ``files`` has the number of objects under the prefix of each sharded channel, as far as they could be counted.
    """
    sharded = (_check_files(run, channel, count) for channel, count in files.items())
    costs = (Objection("policy.budgets.money_usd", because) for because in _check_costs(run))
    return tuple(found for found in (*sharded, _check_deadline(run, now), *costs) if found is not None)


def largest_instance_count(run: Run) -> int:
    """Return the largest instance count of the run's placements, as far as that many files are worth counting."""
    counts = (rung.placement.instance_count for rung in ladder_of(run.policy, run.training_job))
    return min(MOST_FILES_COUNTED, max(counts))


def _check_costs(run: Run) -> tuple[str, ...]:
    """Return why the money budget could never pay for some placements, each reason once."""
    placements = (run.current.placement, *(rung.placement for rung in ladder_of(run.policy, run.training_job)))
    answers = (check_money(run, placement, run.created_at) for placement in placements)
    return tuple(dict.fromkeys(no.because for no in answers if no is not None))


def _check_files(run: Run, channel: str, files: int) -> Objection | None:
    if files >= largest_instance_count(run):
        return None
    rungs = ladder_of(run.policy, run.training_job)
    index = next(i for i, rung in enumerate(rungs) if rung.placement.instance_count > files)
    path = f"policy.ladder[{index}].instance_count" if run.policy.ladder else "ResourceConfig.InstanceCount"
    count = rungs[index].placement.instance_count
    return Objection(
        path,
        f"Found {count} instances, but the ShardedByS3Key channel {channel} has fewer objects under its prefix "
        f"({files}). An instance without a file of its own fails. Use fewer instances or more files.",
    )


def _check_deadline(run: Run, now: datetime) -> Objection | None:
    deadline = run.policy.deadline
    if deadline is None:
        return None
    no = check_deadline(deadline.instant(run.created_at), earliest_deadline(deadline, run.start.earliest(now)))
    return None if no is None else Objection("policy.deadline", no.because)
