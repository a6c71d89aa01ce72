"""From a valid submission to a run; what only the time, the prices and the input data can tell is checked here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.after_end import affordable_on_demand, wait_limit
from spot_relay.domain.rules.money import unaffordable
from spot_relay.domain.rules.next_place import first_place, ladder_of
from spot_relay.domain.rules.pace import Demand, earliest, standing_of
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Attempt, Run, RunStatus
from spot_relay.domain.sagemaker.job import attempt_name
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Deadline
    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.submission import Submission


# A page of a listing.
MOST_FILES_COUNTED = 1000


@dataclass(frozen=True)
class Objection:
    """Why a submission can't become a run: where in the spec, and what to do."""

    path: str
    message: str


def accept(submission: Submission, submission_id: str, now: datetime, prices: PriceList | None = None) -> Run:
    """Turn a valid submission into a run that owes its first launch: spot, if the deadline leaves the time."""
    policy, job = submission.policy, submission.training_job
    place = first_place(policy, job)
    first = Attempt(
        number=1,
        job_name=attempt_name(submission.name, 1),
        placement=place.placement,
        planned_at=now,
        cause="Submitted",
        rung=place.rung,
    )
    types = {rung.placement.instance_type for rung in ladder_of(policy, job)}
    run = Run(
        id=submission.name,
        submission_id=submission_id,
        fingerprint=submission.fingerprint,
        training_job=job,
        policy=policy,
        created_at=now,
        updated_at=now,
        status=RunStatus.PENDING,
        reason="accepted; the first attempt is being launched",
        attempts=(first,),
        check_at=now + OUTBOX_PATIENCE,
        outbox=Outbox(launch=1),
        deadline_at=policy.deadline.instant(now) if policy.deadline else None,
        prices=prices.only(types) if prices and not _of_several_types(job) else None,
    )
    standing = standing_of(run, now)
    if standing and standing.demand(0.0) is Demand.SAFETY_NET and (place_now := affordable_on_demand(run, now)):
        placed = replace(first, placement=place_now.placement, rung=place_now.rung, cause=Demand.SAFETY_NET)
        return run.with_attempt(placed)
    return run.with_attempt(replace(first, max_wait_seconds=wait_limit(run, first.placement, now)))


def objections(run: Run, files: dict[str, int], now: datetime) -> tuple[Objection, ...]:
    """Say what keeps a submission, as the run it would be, from being accepted.

    ``files`` tells how many objects lie under the prefix of each sharded channel, as far as they could be counted.
    """
    found = [_too_many_instances(run, channel, count) for channel, count in files.items()]
    if run.policy.deadline is not None:
        found.append(_too_early(run.policy.deadline, run.deadline_at, now))
    found += [Objection("policy.budgets.money_usd", no) for no in _unaffordable(run, now)]
    return tuple(objection for objection in found if objection is not None)


def sharded_channels(training_job: dict[str, Any]) -> dict[str, str]:
    """Give the S3 prefixes whose objects are shared out among the instances, by the name of their channel."""
    sources = {
        channel.get("ChannelName", "?"): channel.get("DataSource", {}).get("S3DataSource", {})
        for channel in training_job.get("InputDataConfig", [])
    }
    return {
        name: source["S3Uri"]
        for name, source in sources.items()
        if source.get("S3DataDistributionType") == "ShardedByS3Key"
        and source.get("S3DataType") == "S3Prefix"
        # Whole clusters only, and addresses that can be listed as they are.
        and not source.get("InstanceGroupNames")
        and source["S3Uri"].startswith("s3://")
    }


def most_instances(run: Run) -> int:
    """Give the largest instance count of the run's placements, as far as so many files are worth counting."""
    counts = (rung.placement.instance_count for rung in ladder_of(run.policy, run.training_job))
    return min(MOST_FILES_COUNTED, max(counts))


def _unaffordable(run: Run, now: datetime) -> tuple[str, ...]:
    """Say which placements the money budget could never pay for, each text once."""
    placements = (run.current.placement, *(rung.placement for rung in ladder_of(run.policy, run.training_job)))
    return tuple(dict.fromkeys(filter(None, (unaffordable(run, placement, now) for placement in placements))))


def _too_many_instances(run: Run, channel: str, files: int) -> Objection | None:
    if files >= most_instances(run):
        return None
    rungs = ladder_of(run.policy, run.training_job)
    index = next(i for i, rung in enumerate(rungs) if rung.placement.instance_count > files)
    path = f"policy.ladder[{index}].instance_count" if run.policy.ladder else "ResourceConfig.InstanceCount"
    count = rungs[index].placement.instance_count
    return Objection(
        path,
        f"Found {count}, and the channel {channel} is ShardedByS3Key with {files} objects under its prefix: an "
        "instance without a file of its own fails. Use fewer instances, or more files.",
    )


def _too_early(deadline: Deadline, at: datetime | None, now: datetime) -> Objection | None:
    soonest = earliest(deadline, now)
    if at is None or at >= soonest:
        return None
    return Objection(
        "policy.deadline",
        f"The deadline {at.isoformat(timespec='seconds')} can't be met, not even on demand: expected_runtime and one "
        f"changeover take until {soonest.isoformat(timespec='seconds')}. Give that or a later one.",
    )


def _of_several_types(training_job: dict[str, Any]) -> bool:
    resources = training_job.get("ResourceConfig", {})
    return bool(resources.get("InstanceGroups") or resources.get("InstancePreferences"))
