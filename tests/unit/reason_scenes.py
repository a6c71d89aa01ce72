"""Scenes in which runs are given every reason that there is; each returns the reasons in the order they come up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.rules.after_end import ENDS, describe_last_end, relaunch_after
from spot_relay.domain.rules.checkpoint_pattern import check_pattern
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    DataArrived,
    DeadlineChange,
    DeadlineRequested,
    Due,
    FollowersTold,
    JobChanged,
    Launched,
    MoveRequested,
    Overgrown,
    Overtaken,
    PredecessorEnded,
    Refused,
    ResumeRequested,
    RoomFreed,
    StopRefused,
    TaskWaiting,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import RunStatus, Waiting
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent, Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal, advise
from spot_relay.domain.values import No
from spot_relay.pacing import OTHERS_FIRST
from spot_relay.service import RejectedError, UnacceptableError
from tests.fakes import NOON, MemoryInputFiles, MemoryPrices
from tests.unit.canaries import ahead, finds_capacity, kept, on_demand
from tests.unit.chains import Chain
from tests.unit.copy_scenes import copies_of_checkpoints
from tests.unit.crowds import G5, M5, SPOT, Crowd
from tests.unit.hosting_scenes import endpoints_that_are_not_what_they_should_be, models_that_are_hosted
from tests.unit.paid_runs import P3, PRICES, a_run
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from collections.abc import Callable

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


def submitted(
    policy: Policy | None = None, *refusals: tuple[Refusal, str], start: Start | None = None, **changes: Any
) -> World:
    world = World(prices=MemoryPrices(PRICES))
    world.jobs.refusals = list(refusals)
    world.service.submit(replace(submission(policy, **changes), start=start or Start()))
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


def turns() -> list[str]:
    world = submitted(None, THROTTLED)
    world.advance(Refused(1, Refusal.AWAITS_TURN, OTHERS_FIRST, world.clock() + timedelta(seconds=70)))
    world.service.stop("churn")
    world.advance(Refused(1, Refusal.AWAITS_TURN, OTHERS_FIRST, world.clock() + timedelta(seconds=90)))
    return said(world)


def retries() -> list[str]:
    world = submitted(None, THROTTLED)
    world.passes(120)
    world.advance(Refused(1, *THROTTLED))
    stopping = submitted(None, THROTTLED)
    stopping.service.stop("churn")
    stopping.advance(Refused(1, *THROTTLED))
    return [*said(world), *said(stopping), advise(*THROTTLED)]


def refusals_with_an_end() -> list[str]:
    odd = (Refusal.UNRECOGNIZED, "ConflictException: Something is in conflict")
    last, moves = submitted(None, *[odd] * 10), submitted(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5))), *[odd] * 10)
    spent = submitted(Policy(budgets=Budgets(refusals=0)), THROTTLED)
    across = TOO_SMALL.replace("ml.m5.xlarge for spot training job usage", "Instances across all training jobs")
    shared = submitted(Policy(budgets=Budgets(refusals=1)), *[(Refusal.SHARED_QUOTA_FULL, across)] * 2)
    rejected = submitted(None, (Refusal.PLACEMENT_REJECTED, "Instance type ml.m5.xlarge is not supported"))
    for world in (last, moves, spent, shared):
        for _ in range(10):
            world.passes(1000)
    return [*chain.from_iterable(map(said, (last, moves, spent, shared, rejected)))]


def a_limit_that_is_left_out() -> list[str]:
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200, "MaxPendingTimeInSeconds": 7200}
    world = World()
    world.service.submit(submission(StoppingCondition=stopping))
    pending = World()
    placement = Placement(M5, 1, Market.ON_DEMAND)
    pending.service.submit(submission(Policy(ladder=(Rung(placement), Rung(SPOT_G5))), StoppingCondition=stopping))
    pending.clock.passes(7200)
    pending.tell(1, "Stopped", "Stopped", max_pending_seconds=7200)
    return [*(entry.reason for entry in world.run().decisions), *said(pending)]


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


def a_record_that_is_too_large() -> list[str]:
    world = submitted()
    world.trains(1)
    world.advance(Overgrown())
    return said(world)


def tasks_of_step_functions() -> list[str]:
    world = submitted()
    world.advance(TaskWaiting("one"))
    world.advance(TaskWaiting("one"))
    world.trains(1)
    world.tell(1, "Completed", "Completed")
    world.advance(TaskWaiting("two"))
    full = replace(world.run(), outbox=Outbox(tasks=tuple("012")))
    return [*said(world), reason_of(full, TaskWaiting("three"))]


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
        decide(run, Facts(Due(), undescribed="A text that Spot Relay does not know"), later).reason,
        decide(stopping, Facts(event, Absent()), later).reason,
        decide(stopping, Facts(Due(), Absent()), later).reason,
    ]


def stops() -> list[str]:
    world = submitted()
    world.service.stop("churn")
    world.service.stop("churn")
    world.advance(StopRefused("churn-relay-01", "A text that Spot Relay does not know"))
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
        reason_of(with_job(CheckpointConfig={}), ResumeRequested(deadline=late)),
        reason_of(stopped, ResumeRequested(deadline=DeadlineChange(within_seconds=60))),
        reason_of(stopped, ResumeRequested(deadline=late)),
    ]


def moves() -> list[str]:
    def ask(world: World, market: Market) -> None:
        with suppress(RejectedError):
            world.service.change("churn", MoveRequested(market))

    spot, on_demand = Market.SPOT, Market.ON_DEMAND
    trains, waits, rests = submitted(), submitted(None, (Refusal.QUOTA_FULL, FULL)), submitted()
    trains.trains(1)
    for market in (spot, on_demand, on_demand, spot, on_demand):
        ask(trains, market)
    trains.tell(1, "Stopped", "Stopped")
    for market in (on_demand, spot):
        ask(trains, market)
    trains.service.stop("churn")
    ask(trains, spot)
    trains.tell(2, "Stopped", "Stopped")
    ask(trains, spot)
    waits.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, TOO_SMALL)]
    for market in (on_demand, on_demand, spot):
        ask(waits, market)
    rests.trains(1)
    rests.tell(1, "Failed", "Failed", failure_reason="CapacityError: Unable to provision.")
    ask(rests, on_demand)
    later = submitted(start=Start(at=NOON + timedelta(hours=1)))
    ask(later, on_demand)
    policies = [Policy(Budgets(money_usd=0.1)), Policy(ladder=(Rung(Placement(M5, 1, on_demand)),)), deadline(7900)]
    poor, always, tight = map(submitted, policies)
    ask(poor, on_demand)
    ask(always, spot)
    ask(always, on_demand)
    ask(tight, spot)
    gone = submitted(Policy(budgets=Budgets(refusals=0)), THROTTLED)
    ask(gone, on_demand)
    done = submitted()
    done.tell(1, "Completed", "Completed")
    ask(done, on_demand)
    return [*chain.from_iterable(map(said, (trains, waits, rests, later, poor, always, tight, gone, done)))]


def changed_deadlines() -> list[str]:
    def ask(world: World, change: DeadlineChange | None) -> None:
        with suppress(RejectedError):
            world.service.change("churn", DeadlineRequested(change))

    known, free = submitted(deadline(20 * HOUR)), submitted()
    at = DeadlineChange(at=NOON + timedelta(hours=30))
    for change in (at, at, DeadlineChange(changeover_seconds=60), DeadlineChange(within_seconds=60), None, None):
        ask(known, change)
    known.service.stop("churn")
    ask(known, at)
    known.tell(1, "Stopped", "Stopped")
    ask(known, at)
    ask(free, at)
    ask(free, replace(at, expected_runtime_seconds=HOUR))
    free.tell(1, "Completed", "Completed")
    ask(free, at)
    return [*said(known), *said(free)]


def checkpoints_that_cannot_be_listed() -> list[str]:
    world = submitted()
    world.checkpoints.unlisted = No("The checkpoints cannot be found.")
    world.trains(1)
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    stopped = replace(ended(world.run(), Outcome.STOPPED), status=RunStatus.STOPPED)
    return [
        *said(world),
        decide(stopped, Facts(ResumeRequested(), unlisted="The checkpoints cannot be found."), NOON).reason,
    ]


def patterns_of_checkpoints() -> list[str]:
    wrong = ("a\tb", "s3://b/a/**", "a\\b", "a/", "a//b", "a**", "[a")
    return [because(check_pattern(pattern)) for pattern in wrong]


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
    del world.jobs.jobs[run.canary.job_name]
    canary = replace(run.canary, status=CanaryStatus.PLANNED, arn=None)
    answer = world.service._duties._send_canary(run, canary, Waiting(NOON, "older"))
    return [reason_of(run.with_canary(canary), answer)]


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
    begun = begun.with_canary(Canary(1, "one-canary-01", run.current.placement, NOON, HOUR))
    return [because(check_money(run, run.current.placement, NOON)) for run in (*runs, begun)]


def objections() -> list[str]:
    world = World(prices=MemoryPrices(PRICES), input_files=MemoryInputFiles({"data": ["train/a"]}))
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/", "S3DataDistributionType": "ShardedByS3Key"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    resources = {"InstanceType": M5, "InstanceCount": 2, "VolumeSizeInGB": 10}
    with pytest.raises(UnacceptableError) as raised:
        world.service.submit(submission(deadline(60), InputDataConfig=[channel], ResourceConfig=resources))
    return [detail["message"] for detail in raised.value.details]


def chains() -> list[str]:
    chain = Chain()
    for name in ("prep", "labels"):
        chain.submit(name)
    said(chain.world)
    chain.after("prep", "labels", at=NOON + timedelta(minutes=5))
    chain.ends("prep")
    chain.ends("labels")
    chain.looks()
    chain.world.service.advance("train", PredecessorEnded())
    others = [Chain() for _ in range(4)]
    for other in others:
        other.submit("prep")
        said(other.world)
    others[0].after("prep")
    others[0].ends("prep", "Failed", failure_reason="AlgorithmError: no data")
    others[0].world.service.resume("train")
    others[1].after("prep", continue_from="prep")
    others[1].ends("prep", model_artifacts=None)
    others[1].submit("next", Start(after=("prep",)))
    others[2].submit("train", Start(at=NOON + timedelta(hours=1)))
    others[2].looks()
    others[3].after("late", known_within_seconds=60)
    others[3].looks()
    return [reason for one in (chain, *others) for reason in said(one.world)]


def chains_that_are_refused() -> list[str]:
    chain = Chain()
    chain.submit("a", Start(after=("b",), known_within_seconds=HOUR))
    refused = [reasons_against(chain, "b", Start(after=("a",)))]
    chain.submit("run-0")
    for number in range(1, 100):
        chain.submit(f"run-{number}", Start(after=(f"run-{number - 1}",)))
    refused += [
        reasons_against(chain, "run-100", start)
        for start in (Start(after=("run-99",)), Start(after=("late",)), Start(at=NOON + timedelta(days=367)))
    ]
    waits = chain.run("a")
    return [
        *refused,
        reason_of(chain.run("run-0"), FollowersTold("")),
        reason_of(waits, PredecessorEnded(), predecessors={"b": replace(waits, id="b", start=Start(after=("a",)))}),
    ]


def templates() -> list[str]:
    chain = Chain()
    chain.world.slots.find = chain.world.store.load
    limited = Start(template="templates/churn.yaml", at_most=1)
    chain.submit("first", limited)
    chain.submit("second", replace(limited, at=NOON + timedelta(minutes=5)))
    later = [reason_of(chain.run("second"), DataArrived(NOON + timedelta(minutes=minutes))) for minutes in (5, 10)]
    chain.looks("second")
    chain.ends("first")
    two = Start(template="templates/two.yaml", at_most=2)
    for name in ("a", "b", "c"):
        chain.submit(name, two)
    return [*said(chain.world), *later, reason_of(chain.run("second"), DataArrived(NOON))]


def reasons_against(chain: Chain, name: str, start: Start) -> str:
    with pytest.raises(UnacceptableError) as raised:
        chain.submit(name, start)
    return str(raised.value.details[0]["message"])


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
    turns,
    refusals_with_an_end,
    a_limit_that_is_left_out,
    waits_for_room,
    a_wait_for_room_that_ends_on_demand,
    a_record_that_is_too_large,
    tasks_of_step_functions,
    events_that_change_nothing,
    looks_that_find_nothing,
    stops,
    a_job_that_was_given_up,
    resumptions,
    moves,
    changed_deadlines,
    checkpoints_that_cannot_be_listed,
    patterns_of_checkpoints,
    deadlines,
    canaries,
    a_canary_that_others_come_before,
    a_blind_return,
    money,
    objections,
    chains,
    chains_that_are_refused,
    templates,
    copies_of_checkpoints,
    models_that_are_hosted,
    endpoints_that_are_not_what_they_should_be,
)
