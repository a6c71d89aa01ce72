"""Every reason that a run can have, word for word, and each of them once.

To reword one, change it in the domain, run ``pytest -n0 --inline-snapshot=fix`` on this file, and read the difference.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

import spot_relay
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.rules.after_end import ENDS, describe_last_end, relaunch_after
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    DeadlineChange,
    Due,
    JobChanged,
    Launched,
    Overtaken,
    Refused,
    ResumeRequested,
    RoomFreed,
)
from spot_relay.domain.run.policy import Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import RunStatus, Waiting
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent, Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal, advise
from spot_relay.service import UnacceptableError
from tests.fakes import NOON, MemoryInputFiles, MemoryPrices
from tests.unit.canaries import ahead, finds_capacity, kept, on_demand
from tests.unit.crowds import G5, M5, SPOT, Crowd
from tests.unit.paid_runs import P3, PRICES, a_run
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.run import Run

HOUR = 3600
SPOT_M5, SPOT_G5 = Placement(M5, 1, Market.SPOT), Placement(G5, 1, Market.SPOT)
THROTTLED = (Refusal.THROTTLED, "Rate exceeded.")
TOO_SMALL = (
    "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances."
)
FULL = TOO_SMALL.replace("is 0", "is 1").replace("of 0", "of 1")


def submitted(policy: Policy | None = None, *refusals: tuple[Refusal, str], **changes: Any) -> World:
    world = World(prices=MemoryPrices(PRICES))
    world.jobs.refusals = list(refusals)
    world.service.submit(submission(policy, **changes))
    return world


def said(world: World) -> list[str]:
    """The reasons since the last call."""
    reasons = [line.partition(": ")[2] for line in world.telemetry.reasons]
    world.telemetry.reasons.clear()
    return reasons


def reason_of(run: Run, observation: Observation, **known: Any) -> str:
    return decide(run, Facts(observation, **known), run.updated_at).reason


def ended(run: Run, outcome: Outcome, **changes: Any) -> Run:
    return run.with_attempt(replace(run.current, status=AttemptStatus.ENDED, outcome=outcome, **changes))


def because(no: object) -> str:
    """The reason in an answer."""
    return str(getattr(no, "because", no))


# The scenes. Each returns what is said in it.


def a_life() -> list[str]:
    world = submitted()
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    world.clock.passes(60)
    world.tell(1, "Failed", "Failed", failure_reason="CapacityError: Unable to provision.")
    world.passes(60)
    world.tell(2, "Completed", "Completed")
    return said(world)


def a_move() -> list[str]:
    world = submitted(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5))))
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    return said(world)


def launches() -> list[str]:
    run = submitted(None, THROTTLED).run()
    causes = [reason_of(run.with_attempt(replace(run.current, cause=cause)), Launched(1, "arn")) for cause in Cause]
    return [*causes, reason_of(replace(run, stop_requested=True), Launched(1, "arn"))]


def ends() -> list[str]:
    run = submitted().run()
    told = ended(run, Outcome.USER_ERROR, failure_reason="AlgorithmError: exit code 1")
    attempts = (ended(run, outcome).current for outcome in ENDS)
    return [*map(describe_last_end, attempts), describe_last_end(told.current)]


def ends_without_a_relaunch() -> list[str]:
    def after(run: Run, outcome: Outcome, **changes: Any) -> str:
        run = ended(run, outcome, **changes)
        return because(relaunch_after(run, run.current))

    run = submitted().run()
    poor = replace(run, policy=Policy(Budgets(expired_waits=0)))
    bold = replace(run, policy=Policy(relaunch_on_max_runtime=True))
    bare = replace(run, training_job={})
    old = replace(run, attempts=tuple(replace(run.current, number=number) for number in range(1, 51)))
    return [
        after(poor, Outcome.MAX_WAIT_TIME_EXCEEDED),
        after(run, Outcome.MAX_RUNTIME_EXCEEDED),
        after(bold, Outcome.MAX_RUNTIME_EXCEEDED),
        after(bare, Outcome.MAX_WAIT_TIME_EXCEEDED),
        after(old, Outcome.MAX_WAIT_TIME_EXCEEDED),
    ]


def no_quota_is_left() -> list[str]:
    world = submitted()
    world.store.runs["churn"] = replace(world.run(), closed=(SPOT_M5,))
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    return said(world)


def refusals() -> list[str]:
    small, ladder = (Refusal.QUOTA_TOO_SMALL, TOO_SMALL), (Rung(SPOT_M5), Rung(Placement(P3, 1, Market.ON_DEMAND)))
    worlds = [
        submitted(None, (Refusal.INVALID, "No such role")),
        submitted(None, (Refusal.NAME_TAKEN, "There is already a training job.")),
        submitted(None, small),
        submitted(None, (Refusal.QUOTA_TOO_SMALL, "A text that Spot Relay does not know.")),
        submitted(Policy(ladder=ladder), small),
    ]
    run = submitted(Policy(ladder=ladder), THROTTLED).run()
    poor = replace(run, policy=replace(run.policy, budgets=Budgets(money_usd=0.5)))
    return [*chain.from_iterable(map(said, worlds)), reason_of(poor, Refused(1, *small))]


def a_rest_before_another_pool() -> list[str]:
    world = submitted(Policy(ladder=(Rung(SPOT_G5), Rung(SPOT_M5), Rung(Placement(G5, 2, Market.SPOT)))))
    world.clock.passes(60)
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, TOO_SMALL)]
    world.tell(1, "Failed", "Failed", failure_reason="CapacityError: Unable to provision.")
    return said(world)


def retries() -> list[str]:
    world = submitted(None, THROTTLED)
    world.passes(60)
    world.advance(Refused(1, *THROTTLED))
    stopping = submitted(None, THROTTLED)
    stopping.service.stop("churn")
    stopping.advance(Refused(1, *THROTTLED))
    return [*said(world), *said(stopping), advise(*THROTTLED)]


def waits_for_room() -> list[str]:
    crowd = Crowd({SPOT: 1}, limits=f"{M5}=2")
    crowd.submit("first", "second", "third")
    limited = Crowd(limits=f"{M5}=1")
    limited.submit("first", "second")
    odd = submitted(None, (Refusal.QUOTA_FULL, "A text that Spot Relay does not know."))
    odd.advance(RoomFreed())
    odd.advance(RoomFreed())
    return [*said(crowd.world), *said(limited.world), *said(odd)]


def a_wait_for_room_that_ends_on_demand() -> list[str]:
    world = submitted(deadline(5 * HOUR), *[(Refusal.QUOTA_FULL, FULL)] * 150)
    world.passes(3 * HOUR)
    return said(world)


def events_that_change_nothing() -> list[str]:
    world = submitted()
    world.advance(Due())
    world.clock.passes(1)
    old = world.event(1, "InProgress", "Starting")
    world.trains(1)
    news: tuple[Observation, ...] = (
        old,
        world.event(7, "InProgress", "Starting"),
        Launched(1, "arn"),
        Refused(1, *THROTTLED),
        Overtaken(),
        world.event(1, "Completed", "Completed"),
    )
    world.jobs.becomes("churn-relay-01", "Completed", "Completed")
    for observation in (*news, Due(), world.event(1, "InProgress", "Training")):
        world.advance(observation)
    return said(world)


def looks_that_find_nothing() -> list[str]:
    world = submitted()
    world.jobs.jobs.clear()
    world.advance(world.event(1, "Completed", "Completed"))
    world.clock.passes(300)
    world.tick()
    run = replace(world.run(), check_at=None)
    stopping = replace(run, stop_requested=True)
    later = run.updated_at + timedelta(hours=1)
    event = JobChanged(1, "Stopped", "Stopped", later)
    return [
        *said(world),
        reason_of(run, Due()),
        decide(stopping, Facts(event, Absent()), later).reason,
        decide(stopping, Facts(Due(), Absent()), later).reason,
    ]


def stops() -> list[str]:
    world = submitted()
    world.service.stop("churn")
    world.service.stop("churn")
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    world.passes(60)
    world.tell(1, "Stopped", "Stopped")
    world.service.stop("churn")
    return said(world)


def a_job_that_was_given_up() -> list[str]:
    world = submitted(None, THROTTLED)
    world.service.stop("churn")
    world.passes(300)
    world.jobs.create(launch_of_attempt(world.run(), world.run().current))
    world.advance(Launched(1, "arn"))
    return said(world)


def resumptions() -> list[str]:
    world = submitted(None, (Refusal.INVALID, "No such role."))
    run = world.run()
    open_run, done = submitted().run(), ended(submitted().run(), Outcome.STOPPED)
    stopped = replace(done, status=RunStatus.STOPPED)
    ask, canary = ResumeRequested(), DeadlineChange(return_to_spot=ReturnToSpot.CANARY)
    named = {"AlgorithmSpecification": {"AlgorithmName": "mine"}}
    group = {"ResourceConfig": {"InstanceGroups": [{"InstanceType": M5, "InstanceCount": 1}]}}
    late = DeadlineChange(within_seconds=60, expected_runtime_seconds=HOUR)

    def with_job(**changes: Any) -> Run:
        return replace(stopped, training_job=stopped.training_job | changes)

    return [
        reason_of(open_run, ask),
        reason_of(replace(open_run, status=RunStatus.COMPLETED), ask),
        reason_of(run, ask),
        reason_of(stopped, ask),
        reason_of(with_job(**named), ResumeRequested(deadline=canary)),
        reason_of(with_job(**group), ResumeRequested(deadline=canary)),
        reason_of(replace(stopped, id="c" * 60), ResumeRequested(deadline=canary)),
        reason_of(with_job(CheckpointConfig={}), ResumeRequested(deadline=late)),
        reason_of(stopped, ResumeRequested(deadline=DeadlineChange(within_seconds=60))),
        reason_of(stopped, ResumeRequested(deadline=late)),
    ]


def deadlines() -> list[str]:
    behind = submitted(deadline(5 * HOUR))
    behind.passes(9000)
    behind.jobs.becomes("churn-relay-01", "InProgress", "Starting")
    behind.passes(60)
    behind.tell(1, "Stopped", "Stopped")
    late = submitted(deadline(5 * HOUR, changeover_seconds=600))
    late.trains(1, HOUR)
    late.clock.passes(5 * HOUR)
    late.tell(1, "InProgress", "Interrupted")
    late.passes(60)
    return [*said(behind), *said(late)]


def canaries() -> list[str]:
    world = ahead()
    world.advance(CanaryCreated(2, "arn"))
    world.advance(CanaryChanged(3, "Stopped"))
    for secondary in ("Pending", "Downloading"):
        world.clock.passes(10)
        world.canary_tells(2, "InProgress", secondary)
    for _ in range(2):
        world.advance(CanaryChanged(2, "Stopped"))
    world.advance(CanaryRefused(2, *THROTTLED))
    finds_capacity(world)
    world.tell(2, "Stopped", "Stopped")
    world.advance(CanaryChanged(2, "Training"))
    world.canary_tells(2, "Stopped", "Stopped")
    refused = on_demand()
    refused.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    kept(refused, 3 * HOUR)
    over = ahead()
    over.canary_tells(2, "Stopped", "MaxWaitTimeExceeded")
    return [*said(world), *said(refused), *said(over)]


def a_canary_that_others_come_before() -> list[str]:
    world = ahead()
    run = world.run()
    assert run.canary is not None
    return [reason_of(run, world.service._send_canary(run, run.canary, Waiting(NOON, "older")))]


def a_blind_return() -> list[str]:
    return said(ahead(ReturnToSpot.BLIND))


def money() -> list[str]:
    cluster = {"InstanceGroups": [{"InstanceType": M5, "InstanceCount": 2}]}
    runs = [
        a_run(0.05),
        a_run(1, None),
        a_run(1, PRICES.only([P3])),
        a_run(1, None, ResourceConfig=cluster),
    ]
    run = a_run(0.05)
    begun = run.with_attempt(replace(run.current, status=AttemptStatus.IN_PROGRESS))
    return [because(check_money(run, run.current.placement, NOON)) for run in (*runs, begun)]


def objections() -> list[str]:
    world = World(prices=MemoryPrices(PRICES), input_files=MemoryInputFiles({"data": ["train/a"]}))
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/", "S3DataDistributionType": "ShardedByS3Key"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    resources = {"InstanceType": M5, "InstanceCount": 2, "VolumeSizeInGB": 10}
    with pytest.raises(UnacceptableError) as raised:
        world.service.submit(submission(deadline(60), InputDataConfig=[channel], ResourceConfig=resources))
    return [detail["message"] for detail in raised.value.details]


SCENES: tuple[Callable[[], list[str]], ...] = (
    a_life,
    a_move,
    launches,
    ends,
    ends_without_a_relaunch,
    no_quota_is_left,
    refusals,
    a_rest_before_another_pool,
    retries,
    waits_for_room,
    a_wait_for_room_that_ends_on_demand,
    events_that_change_nothing,
    looks_that_find_nothing,
    stops,
    a_job_that_was_given_up,
    resumptions,
    deadlines,
    canaries,
    a_canary_that_others_come_before,
    a_blind_return,
    money,
    objections,
)


@pytest.fixture(scope="module")
def reasons() -> dict[str, list[str]]:
    """What is said in each scene for the first time."""
    known: set[str] = set()
    found = {}
    for scene in SCENES:
        new = [reason for reason in dict.fromkeys(scene()) if reason not in known]
        known.update(new)
        found[scene.__name__] = new
    return found


def test_each_reason_reads_as_it_is_meant_to(reasons: dict[str, list[str]]) -> None:
    assert reasons == snapshot(
        {
            "a_life": [
                "Accepted. Launching churn-relay-01.",
                "Created churn-relay-01 for the submitted spec.",
                "churn-relay-01 is Training.",
                "churn-relay-01 was interrupted. SageMaker resumes it when spot capacity returns.",
                "churn-relay-01 failed because SageMaker had no capacity: CapacityError: Unable to provision. Launching the next attempt in 30 s.",
                "The backoff is over. churn-relay-02 continues from the checkpoint churn/checkpoints/a.",
                "Created churn-relay-02 because the attempt before it got no capacity.",
                "churn-relay-02 completed the training.",
            ],
            "a_move": [
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. churn-relay-02 starts from the beginning on 1 x ml.g5.2xlarge (spot).",
                "Created churn-relay-02 because the attempt before it reached MaxWaitTimeInSeconds.",
            ],
            "launches": [
                "Created churn-relay-01 to resume the run.",
                "Created churn-relay-01 because the deadline leaves no time to wait for spot.",
                "Created churn-relay-01 because waiting longer for spot would put the deadline at risk.",
                "Created churn-relay-01 to return to spot, because the run is ahead of schedule.",
                "Created churn-relay-01 because the attempt before it reached MaxWaitTimeInSeconds.",
                "Created churn-relay-01 because the attempt before it reached MaxRuntimeInSeconds.",
                "Created churn-relay-01 because the attempt before it was stopped as planned.",
                "Created churn-relay-01 because the attempt before it got no capacity.",
                "Created churn-relay-01 because the attempt before it met an internal error in SageMaker.",
                "Created churn-relay-01 because the attempt before it failed and the policy allows a restart.",
                "Created churn-relay-01 because the attempt before it failed.",
                "Created churn-relay-01 for the submitted spec. Stopping it as requested.",
            ],
            "ends": [
                "churn-relay-01 completed the training.",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished.",
                "churn-relay-01 reached MaxRuntimeInSeconds before it finished.",
                "churn-relay-01 was stopped outside Spot Relay. Resume the run to continue.",
                "churn-relay-01 failed because SageMaker had no capacity.",
                "churn-relay-01 failed because SageMaker had an internal error.",
                "churn-relay-01 failed because the training code or its configuration has an error. Fix it and resume the run, or submit a corrected spec under another name.",
                "churn-relay-01 failed for a reason that Spot Relay does not know. Resume the run to try again.",
                "churn-relay-01 was never created.",
                "churn-relay-01 failed because the training code or its configuration has an error: AlgorithmError: exit code 1. Fix it and resume the run, or submit a corrected spec under another name.",
            ],
            "ends_without_a_relaunch": [
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. policy.budgets.expired_waits allows no further relaunch (limit: 0). Resume the run to count from zero again, with a higher limit if needed.",
                "churn-relay-01 reached MaxRuntimeInSeconds before it finished. Raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name.",
                "churn-relay-01 reached MaxRuntimeInSeconds before it finished. It left no checkpoint newer than its start, so another attempt would end the same way. Raise it, or save checkpoints more often, and submit the spec under another name.",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. The training job has no CheckpointConfig, so another attempt would start from zero. Add one, or set policy.restart_from_scratch to true, and submit the spec under another name.",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. The run has had 50 attempts, the most a run can have. Submit the spec under another name to continue.",
            ],
            "no_quota_is_left": [
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. No service quota is large enough for another attempt (tried: 1 x ml.m5.xlarge (spot)). Ask AWS to raise one and resume the run."
            ],
            "refusals": [
                "SageMaker refused to create churn-relay-01: No such role. Correct what the message names and resume the run, or submit a corrected spec under another name.",
                "SageMaker refused to create churn-relay-01: There is already a training job. Submit the spec under another name: SageMaker takes a job's name only once in an account and region.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Ask AWS to raise the service quota 'ml.m5.xlarge for spot training job usage' and resume the run, or use another placement.",
                "SageMaker refused to create churn-relay-01: A text that Spot Relay does not know. Ask AWS to raise the service quota named above and resume the run, or use another placement.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Launching it on 1 x ml.p3.2xlarge (on-demand) instead.",
                "SageMaker refused to create churn-relay-01: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Its next placement costs too much. policy.budgets.money_usd is 0.5000 USD. 0.00 USD is spent, and an attempt on 1 x ml.p3.2xlarge (on-demand) may cost up to 3.60 USD (MaxRuntimeInSeconds 3600). Set policy.budgets.money_usd to 3.60 or more, or lower MaxRuntimeInSeconds.",
            ],
            "a_rest_before_another_pool": [
                "churn-relay-01 failed because SageMaker had no capacity: CapacityError: Unable to provision. churn-relay-02 starts from the beginning on 1 x ml.m5.xlarge (spot).",
                "SageMaker refused to create churn-relay-02: The account-level service limit 'ml.m5.xlarge for spot training job usage' is 0 Instances, with current utilization of 0 Instances and a request delta of 1 Instances. Launching it on 2 x ml.g5.2xlarge (spot) instead, in 30 s.",
            ],
            "retries": [
                "Could not create churn-relay-01 yet: Rate exceeded. Trying again within 900 s.",
                "Trying to launch churn-relay-01 again.",
                "The refusal is out of date and changes nothing.",
                "A stop was requested before churn-relay-01 was known to exist. Checking in 5 minutes whether it exists, to stop it.",
                "Could not create churn-relay-01 yet: Rate exceeded. Checking in 5 minutes whether it exists, to stop it.",
                "Nothing has to be changed: Spot Relay tries again.",
            ],
            "waits_for_room": [
                "Accepted. Launching first-relay-01.",
                "Created first-relay-01 for the submitted spec.",
                "Accepted. Launching second-relay-01.",
                "The quota for ml.m5.xlarge (spot) has no room (1 of 1 in use, 1 needed). second-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
                "Accepted. Launching third-relay-01.",
                "Older runs are waiting for ml.m5.xlarge (spot); second is first in the queue. third-relay-01 starts when its turn comes.",
                "This stack allows no more concurrent attempts on ml.m5.xlarge (limit: 1). second-relay-01 starts when one of them ends. Trying again every minute.",
                "The quota for ml.m5.xlarge (spot) has no room: A text that Spot Relay does not know. churn-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
                "There may be room on ml.m5.xlarge (spot) now. Trying to launch churn-relay-01 again.",
                "The run is not waiting for room.",
            ],
            "a_wait_for_room_that_ends_on_demand": [
                "The quota for ml.m5.xlarge (spot) has no room (1 of 1 in use, 1 needed). churn-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
                "churn-relay-01 has waited so long for spot that the deadline is at risk. Launching it on 1 x ml.m5.xlarge (on-demand) instead.",
                "churn-relay-01 is Starting.",
            ],
            "events_that_change_nothing": [
                "The run is not due yet.",
                "The event is no newer than what is already known.",
                "The run has no attempt 7.",
                "churn-relay-01 is already known to exist.",
                "Another function saved the run first. Publishing that state.",
                "The run has ended, so nothing is due.",
                "The event comes after the end of churn-relay-01.",
            ],
            "looks_that_find_nothing": [
                "SageMaker created churn-relay-01 but cannot find it yet. Checking again in 30 s.",
                "SageMaker has no training job churn-relay-01. Launching it.",
                "churn-relay-01 has not been described yet. Checking again in 30 s.",
                "The event is about a training job named churn-relay-01 that does not belong to this run.",
                "Stopped by request. No training job was created.",
            ],
            "stops": [
                "A stop was requested. Stopping churn-relay-01.",
                "The run is already being stopped.",
                "churn-relay-01 is Training. Stopping it as requested.",
                "Stopped by request.",
                "The run has already ended: it is Stopped.",
            ],
            "a_job_that_was_given_up": ["The run no longer needs churn-relay-01. Stopping it."],
            "resumptions": [
                "Only a run that has ended can be resumed, and this one is InProgress.",
                "The run has completed, so there is nothing to resume.",
                "Resumed by request. Trying to launch churn-relay-01 again.",
                "Resumed by request. churn-relay-02 starts from the beginning.",
                "return_to_spot cannot be canary. A canary needs a TrainingImage, and the job has an AlgorithmName.",
                "return_to_spot cannot be canary. A canary has one instance type, and the job has InstanceGroups.",
                "return_to_spot cannot be canary. The canary's name, cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc-canary-01, would be longer than 63 characters.",
                "The run cannot have a deadline, because its training job has no CheckpointConfig.",
                "The run has no deadline yet. A first one needs both deadline and expected_runtime.",
                "The deadline 2026-11-23T12:01:00+00:00 cannot be met, even on-demand: training and one changeover take until 2026-11-23T13:10:00+00:00. Use that time or a later one.",
            ],
            "deadlines": [
                "churn-relay-01 has waited so long for spot that the deadline is at risk. Stopping it to continue on-demand.",
                "churn-relay-01 is still Starting. Asking SageMaker again to stop it.",
                "churn-relay-01 was stopped as planned. churn-relay-02 starts from the beginning on 1 x ml.m5.xlarge (on-demand).",
                "Created churn-relay-02 because waiting longer for spot would put the deadline at risk.",
                "The deadline leaves no more time for churn-relay-01 to wait for spot. Stopping it to continue on-demand.",
                "churn-relay-01 is Stopping.",
            ],
            "canaries": [
                "churn-relay-02 is Training.",
                "The run is ahead of schedule. Launching churn-canary-02 to look for spot capacity while churn-relay-02 keeps training.",
                "Created churn-canary-02. It waits for spot capacity.",
                "churn-canary-02 is already known to exist.",
                "The run is not waiting for canary 3.",
                "churn-canary-02 is Pending, which changes nothing.",
                "churn-canary-02 is Downloading. Checking it within a minute.",
                "churn-canary-02 is Downloading.",
                "SageMaker describes nothing new about churn-canary-02.",
                "Could not create churn-canary-02 yet: Rate exceeded. Trying again at the next check.",
                "churn-canary-02 is Training, which changes nothing.",
                "There is spot capacity again. Stopping churn-relay-02 to continue on spot.",
                "churn-relay-02 was stopped as planned. churn-relay-03 continues from the checkpoint churn/checkpoints/a on 1 x ml.m5.xlarge (spot).",
                "Created churn-relay-03 to return to spot, because the run is ahead of schedule.",
                "The run no longer needs churn-canary-02. Stopping it.",
                "churn-canary-02 has ended, so its instances are free.",
                "Could not create churn-canary-02, so the run stays on-demand: No such role.",
                "churn-canary-02 has ended (MaxWaitTimeExceeded).",
            ],
            "a_canary_that_others_come_before": [
                "Could not create churn-canary-02 yet: Other runs are waiting for ml.m5.xlarge (spot). Trying again at the next check."
            ],
            "a_blind_return": [
                "The run is well ahead of schedule. Stopping churn-relay-02 to wait for spot capacity.",
                "churn-relay-02 is Stopping.",
            ],
            "money": [
                "policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Set policy.budgets.money_usd to 0.0800 or more, or lower MaxRuntimeInSeconds.",
                "policy.budgets.money_usd needs the price of ml.m5.xlarge, but the stack had no price list when the run was submitted. Refresh the price list and submit the run again, or leave the budget out.",
                "policy.budgets.money_usd needs the price of ml.m5.xlarge, but the price list at that time (s3://prices/list.json, 2026-11-23) did not have it. Refresh the price list and submit the run again, or leave the budget out.",
                "policy.budgets.money_usd needs the price of ml.m5.xlarge, but a heterogeneous cluster (InstanceGroups) has none. Leave the budget out.",
                "policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Resume the run with policy.budgets.money_usd set to 0.0800 or more.",
            ],
            "objections": [
                "Found 2 instances, but the ShardedByS3Key channel train has fewer objects under its prefix (1). An instance without a file of its own fails. Use fewer instances or more files.",
                "The deadline 2026-11-23T12:01:00+00:00 cannot be met, even on-demand: training and one changeover take until 2026-11-23T14:10:00+00:00. Use that time or a later one.",
            ],
        }
    )


def test_each_reason_is_whole_sentences(reasons: dict[str, list[str]]) -> None:
    for reason in chain.from_iterable(reasons.values()):
        assert reason.endswith("."), reason
        assert "  " not in reason, reason
        assert ".." not in reason, reason


# No reason is left out


PACKAGE = Path(spot_relay.__path__[0])
SOURCES = [
    *sorted((PACKAGE / "domain" / "decide").glob("*.py")),
    *(PACKAGE / "domain" / "rules" / f"{name}.py" for name in ("after_end", "limits", "money", "next_place", "pace")),
    PACKAGE / "domain" / "run" / "launch.py",
    PACKAGE / "domain" / "sagemaker" / "refusal.py",
    PACKAGE / "service.py",
]


def texts(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """The texts in a source, without docstrings, regular expressions and what is raised."""
    for child in ast.iter_child_nodes(node):
        raises = isinstance(child, ast.FunctionDef) and any(isinstance(part, ast.Raise) for part in ast.walk(child))
        is_error = isinstance(child, ast.ClassDef) and child.name.endswith("Error")
        is_expression = isinstance(child, ast.Call) and ast.unparse(child.func) == "re.compile"
        if raises or is_error or is_expression or isinstance(child, ast.Expr):
            continue
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            yield child
        else:
            yield from texts(child)


def pattern(text: ast.Constant | ast.JoinedStr) -> str:
    """What a text matches once it is filled in."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts)


def sentences(source: Path) -> set[str]:
    """The patterns of a source's texts of three words or more."""
    patterns = {pattern(text) for text in texts(ast.parse(source.read_text(encoding="utf-8")))}
    return {found for found in patterns if len(re.findall(r"[A-Za-z]{2,}(?=\\ |\.)", found)) >= 3}


def test_no_sentence_in_the_sources_is_left_out(reasons: dict[str, list[str]]) -> None:
    said = list(chain.from_iterable(reasons.values()))
    found = set(chain.from_iterable(sentences(source) for source in SOURCES))
    assert {sentence for sentence in found if not any(re.search(sentence, reason) for reason in said)} == set()
    assert len(found) > 70
