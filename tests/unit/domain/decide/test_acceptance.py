"""From a valid spec to a run: deadlines that can be met, files for each instance, money that is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import (
    MOST_FILES_COUNTED,
    Objection,
    accept,
    find_objections,
    largest_instance_count,
    place_first,
)
from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.hosting import Deployment, OnSuccess
from spot_relay.domain.run.news import AttemptState, News, NewsKind, NoticeKind
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Policy, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import Explanation, Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.service import NameConflictError, UnacceptableError
from tests.fakes import NOON
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.submission import Submission

HOUR = 3600
M5, G5 = "ml.m5.xlarge", "ml.g5.xlarge"
# Two hours of training and a changeover of ten minutes; on spot, also what the safety net keeps (25 minutes).
SHORTEST, SAFE = 7800, 8700


def refused(world: World, spec: Submission) -> dict[str, str]:
    """Submit a spec that can't become a run, and give what is said of it, by path."""
    with pytest.raises(UnacceptableError) as raised:
        world.service.submit(spec)
    assert spec.name not in world.store.runs
    assert world.jobs.requests == []
    return {detail["path"]: detail["message"] for detail in raised.value.details}


def test_a_deadline_that_not_even_on_demand_can_meet_is_refused_with_the_earliest_one() -> None:
    found = refused(World(), submission(deadline(SHORTEST - 1)))
    assert found.keys() == {"policy.deadline"}
    assert "2026-11-23T14:10:00+00:00" in found["policy.deadline"]


def test_the_deadline_that_is_named_is_accepted() -> None:
    world = World()
    at = NOON + timedelta(seconds=SHORTEST)
    run = world.service.submit(submission(deadline(0, at=at, within_seconds=None)))
    assert run.deadline_at == at
    assert run.status is RunStatus.IN_PROGRESS


@pytest.mark.parametrize("hours", [0, -1, -10_000])
def test_a_deadline_in_the_past_is_refused(hours: int) -> None:
    at = NOON + timedelta(hours=hours)
    assert refused(World(), submission(deadline(0, at=at))).keys() == {"policy.deadline"}


def test_a_duration_counts_from_the_submission() -> None:
    world = World()
    world.clock.passes(7 * HOUR)
    assert world.service.submit(submission(deadline(5 * HOUR))).deadline_at == NOON + timedelta(hours=12)


@pytest.mark.parametrize(
    ("seconds", "market"), [(SHORTEST, Market.ON_DEMAND), (SAFE, Market.ON_DEMAND), (SAFE + 1, Market.SPOT)]
)
def test_a_run_that_its_deadline_leaves_no_time_to_wait_starts_on_demand(seconds: int, market: Market) -> None:
    world = World()
    run = world.service.submit(submission(deadline(seconds)))
    assert run.current.placement.market is market
    assert run.current.cause == (Cause.SAFETY_NET if market is Market.ON_DEMAND else "Submitted")
    assert ("EnableManagedSpotTraining" in world.jobs.requests[0]) == (market is Market.SPOT)
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01"]


def test_it_starts_on_the_ladders_on_demand_rung() -> None:
    rungs = (Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement(G5, 1, Market.ON_DEMAND)))
    run = World().service.submit(submission(deadline(SHORTEST, ladder=rungs)))
    assert (run.current.placement, run.current.rung) == (rungs[1].placement, 1)


def test_a_run_with_time_to_spare_starts_on_spot_and_may_wait_until_the_deadline() -> None:
    world = World()
    world.service.submit(submission(deadline(5 * HOUR)))
    [request] = world.jobs.requests
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": HOUR, "MaxWaitTimeInSeconds": 5 * HOUR}


def test_a_run_that_can_pay_for_spot_alone_starts_there_whatever_its_deadline() -> None:
    world = World()
    world.prices.write(PriceList("a list", NOON, {M5: Price(0.24, 0.08)}))
    run = world.service.submit(submission(deadline(SHORTEST, budgets=Budgets(money_usd=0.2))))
    assert run.current.placement.market is Market.SPOT


@pytest.mark.parametrize(("usd", "paths"), [(0.08, set()), (0.079, {"policy.budgets.money_usd"})])
def test_a_budget_that_cannot_pay_for_the_first_attempt_is_refused(usd: float, paths: set[str]) -> None:
    world = World()
    world.prices.write(PriceList("a list", NOON, {M5: Price(0.24, 0.08)}))
    spec = submission(Policy(budgets=Budgets(money_usd=usd)))
    if paths:
        assert set(refused(world, spec)) == paths
    else:
        assert world.service.submit(spec).status is RunStatus.IN_PROGRESS


def sharded(*channels: str, prefix: str = "s3://data/train/", kind: str = "S3Prefix") -> list[dict[str, Any]]:
    """Input channels whose objects are shared out among the instances."""
    source = {"S3DataType": kind, "S3Uri": prefix, "S3DataDistributionType": "ShardedByS3Key"}
    return [{"ChannelName": name, "DataSource": {"S3DataSource": source}} for name in channels]


def files(*keys: str) -> World:
    """A service whose bucket of input data has these objects."""
    world = World()
    world.input_files.buckets["data"] = list(keys)
    return world


def instances(count: int) -> dict[str, Any]:
    return {"InstanceType": M5, "InstanceCount": count, "VolumeSizeInGB": 10}


def test_a_sharded_channel_with_fewer_files_than_instances_is_refused() -> None:
    spec = submission(InputDataConfig=sharded("train"), ResourceConfig=instances(3))
    found = refused(files("train/a", "train/b", "train/", "other/c"), spec)
    assert found.keys() == {"ResourceConfig.InstanceCount"}
    assert "Found 3 instances" in found["ResourceConfig.InstanceCount"]


def test_a_rung_with_more_instances_than_files_is_named() -> None:
    ladder = tuple(Rung(Placement(M5, count, Market.SPOT)) for count in (1, 2, 4))
    spec = submission(Policy(ladder=ladder), InputDataConfig=sharded("train"))
    found = refused(files("train/a"), spec)
    assert list(found) == ["policy.ladder[1].instance_count"]
    assert found["policy.ladder[1].instance_count"].startswith("Found 2 instances")


def test_a_file_for_each_instance_is_enough() -> None:
    spec = submission(InputDataConfig=sharded("train"), ResourceConfig=instances(3))
    assert files("train/a", "train/b", "train/c").service.submit(spec).status is RunStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("world", "channels"),
    [
        (World(), sharded("train")),
        (files(), sharded("train", kind="ManifestFile")),
        (files(), [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train/"}}}]),
        (files(), [{"ChannelName": "train", "DataSource": {"FileSystemDataSource": {"FileSystemId": "fs-1"}}}]),
        (files(), []),
    ],
    ids=["not to be listed", "a manifest", "replicated", "a file system", "none"],
)
def test_what_cannot_be_counted_or_is_not_shared_out_is_left_to_sagemaker(
    world: World, channels: list[dict[str, Any]]
) -> None:
    spec = submission(InputDataConfig=channels, ResourceConfig=instances(3))
    assert world.service.submit(spec).status is RunStatus.IN_PROGRESS


def test_each_sharded_channel_is_counted() -> None:
    channels = [*sharded("train"), *sharded("test", prefix="s3://data/test/")]
    spec = submission(InputDataConfig=channels, ResourceConfig=instances(2))
    assert "channel test" in str(refused(files("train/a", "train/b", "test/a"), spec))


@pytest.mark.parametrize("several", ["InstanceGroups", "InstancePreferences"])
def test_a_job_of_several_instance_types_keeps_no_prices(several: str) -> None:
    prices = PriceList("a list", NOON, {M5: Price(0.24, 0.08)})
    resources = {several: [{"InstanceType": M5, "InstanceCount": 1}], "VolumeSizeInGB": 10}
    assert accept(submission(), "one", NOON, prices).prices == prices
    assert accept(submission(ResourceConfig=resources), "one", NOON, prices).prices is None


def test_all_that_is_wrong_is_said_at_once() -> None:
    world = files("train/a")
    world.prices.write(PriceList("a list", NOON, {M5: Price(0.24, 0.08)}))
    policy = deadline(60, budgets=Budgets(money_usd=0.01))
    spec = submission(policy, InputDataConfig=sharded("train"), ResourceConfig=instances(2))
    assert set(refused(world, spec)) == {
        "ResourceConfig.InstanceCount",
        "policy.deadline",
        "policy.budgets.money_usd",
    }


def test_a_spec_that_comes_again_when_its_deadline_can_no_longer_be_met_is_the_run_that_it_was() -> None:
    world = World()
    spec = submission(deadline(0, at=NOON + timedelta(hours=5)))
    first = world.service.submit(spec)
    world.clock.passes(4 * HOUR)
    assert world.service.submit(spec) == first
    assert len(world.jobs.requests) == 1


def test_another_spec_of_that_name_is_a_conflict_even_if_its_deadline_cannot_be_met() -> None:
    world = World()
    world.service.submit(submission(deadline(5 * HOUR)))
    with pytest.raises(NameConflictError, match="another spec"):
        world.service.submit(submission(deadline(60), RetryStrategy={"MaximumRetryAttempts": 2}))


def test_a_run_without_a_deadline_has_no_objection_to_the_time() -> None:
    run = accept(submission(), "one", NOON)
    assert find_objections(run, {}, NOON + timedelta(days=1000)) == ()
    assert run.deadline_at is None
    assert run.current.max_wait_seconds is None


@settings(deadline=None)
@given(
    seconds=st.integers(1, 40 * 86_400),
    expected=st.integers(60, 28 * 86_400),
    changeover=st.integers(0, 86_400),
)
def test_a_deadline_is_accepted_if_and_only_if_on_demand_alone_can_meet_it(
    seconds: int, expected: int, changeover: int
) -> None:
    policy = deadline(seconds, expected_runtime_seconds=expected, changeover_seconds=changeover)
    run = accept(submission(policy), "one", NOON)
    assert bool(find_objections(run, {}, NOON)) == (seconds < expected + changeover)
    on_demand = run.current.placement.market is Market.ON_DEMAND
    assert on_demand == (seconds <= expected + 2 * changeover + 300)
    assert (run.current.max_wait_seconds is None) == on_demand


def test_an_accepted_run_keeps_what_was_submitted_and_owes_its_first_launch() -> None:
    rungs = (Rung(Placement(G5, 1, Market.SPOT)), Rung(Placement(M5, 1, Market.ON_DEMAND)))
    prices = PriceList("a list", NOON, {M5: Price(0.24, 0.08), G5: Price(1.4), "ml.p3.2xlarge": Price(3.6)})
    policy = deadline(5 * HOUR, ladder=rungs)
    hosted = OnSuccess(deploy=Deployment("live", "an-image", "a-role", instance_type="ml.m5.large"))
    spec = replace(submission(policy), task_token="a-token", on_success=hosted, notify=())
    assert accept(spec, "one", NOON, prices, (NoticeKind.ENDED,)) == Run(
        id="churn",
        submission_id="one",
        fingerprint=spec.fingerprint,
        training_job=spec.training_job,
        policy=policy,
        created_at=NOON,
        updated_at=NOON,
        status=RunStatus.PENDING,
        reason="Accepted. Launching churn-relay-01.",
        attempts=(
            Attempt(1, "churn-relay-01", rungs[0].placement, NOON, Cause.SUBMITTED, rung=0, max_wait_seconds=5 * HOUR),
        ),
        check_at=NOON + timedelta(seconds=90),
        outbox=Outbox(
            launch=1,
            news=(
                News(
                    1,
                    NewsKind.ATTEMPT,
                    AttemptState.PLANNED,
                    NOON,
                    attempt=1,
                    reason="Accepted. Launching churn-relay-01.",
                    placement=rungs[0].placement,
                    cause=Cause.SUBMITTED,
                ),
                News(2, NewsKind.RUN, RunStatus.PENDING, NOON, attempt=1, reason="Accepted. Launching churn-relay-01."),
            ),
        ),
        on_success=hosted,
        waiting_tasks=("a-token",),
        deadline_at=NOON + timedelta(hours=5),
        prices=prices.only({M5, G5}),
        notify=(),
        news=2,
    )


@pytest.mark.parametrize("start", [Start(at=NOON + timedelta(hours=1)), Start(after=("prep",))], ids=["at", "after"])
def test_a_run_that_has_to_wait_is_looked_at_at_once_and_owes_no_launch(start: Start) -> None:
    run = accept(replace(submission(), start=start), "one", NOON)
    assert (run.start, run.waits_to_begin, run.check_at, run.reason) == (start, True, NOON, "Accepted.")
    assert replace(run.outbox, news=()) == Outbox()
    assert [news.kind for news in run.outbox.news] == [NewsKind.RUN]


def test_a_run_sends_the_notices_of_its_stack_unless_its_spec_says_which() -> None:
    kinds = (NoticeKind.SUBMITTED,)
    assert accept(submission(), "one", NOON, notify=kinds).notify == kinds
    assert accept(replace(submission(), notify=()), "one", NOON, notify=kinds).notify == ()
    run = accept(submission(), "one", NOON)
    assert (run.notify, run.waiting_tasks, run.prices, run.deadline_at) == ((), (), None, None)
    assert [news.state for news in accept(submission(), "one", NOON, notify=kinds).outbox.news] == [
        "Planned",
        "Pending",
        "submitted",
    ]


@pytest.mark.parametrize("markets", [(Market.SPOT,), (Market.ON_DEMAND, Market.SPOT), (Market.ON_DEMAND,)], ids=str)
def test_a_limit_that_spot_jobs_do_not_get_is_named_when_a_run_is_accepted(markets: tuple[Market, ...]) -> None:
    policy = Policy(ladder=tuple(Rung(Placement(M5, 1, market)) for market in markets))
    pending: dict[str, Any] = {"StoppingCondition": {"MaxRuntimeInSeconds": HOUR, "MaxPendingTimeInSeconds": 2 * HOUR}}
    warning = Explanation(
        NOON,
        "Submitted",
        "MaxPendingTimeInSeconds is left out of jobs on spot, where MaxWaitTimeInSeconds and the policy limit how long "
        "a job waits for capacity.",
    )
    told = accept(submission(policy, **pending), "one", NOON).decisions
    assert told == ((warning,) if Market.SPOT in markets else ())
    assert accept(submission(policy), "one", NOON).decisions == ()


def test_a_run_that_begins_late_is_placed_by_what_its_deadline_leaves() -> None:
    rungs = (Rung(Placement(G5, 1, Market.SPOT)), Rung(Placement(M5, 1, Market.ON_DEMAND)))
    run = accept(submission(deadline(9 * HOUR, ladder=rungs)), "one", NOON)
    soon, late = NOON + timedelta(hours=1), NOON + timedelta(seconds=9 * HOUR - SAFE)
    assert place_first(run, soon) == run.with_attempt(replace(run.current, max_wait_seconds=8 * HOUR))
    assert place_first(run, late) == run.with_attempt(
        replace(run.current, placement=rungs[1].placement, rung=1, cause=Cause.SAFETY_NET)
    )


def test_no_more_files_than_one_page_of_a_listing_are_worth_counting() -> None:
    def ladder(*counts: int) -> Run:
        rungs = tuple(Rung(Placement(M5, count, Market.SPOT)) for count in counts)
        return accept(submission(Policy(ladder=rungs)), "one", NOON)

    assert MOST_FILES_COUNTED == 1000
    assert [largest_instance_count(ladder(*counts)) for counts in ((2, 7, 3), (999,), (1, 1001))] == [7, 999, 1000]


def test_each_objection_names_its_place_in_the_spec_and_what_to_do() -> None:
    prices = PriceList("a list", NOON, {M5: Price(0.24, 0.08)})
    policy = deadline(60, budgets=Budgets(money_usd=0.01))
    run = accept(submission(policy, ResourceConfig=instances(2)), "one", NOON, prices)
    assert find_objections(run, {"train": 1, "test": 2}, NOON) == snapshot(
        (
            Objection(
                path="ResourceConfig.InstanceCount",
                message="Found 2 instances, but the ShardedByS3Key channel train has fewer objects "
                "under its prefix (1). An instance without a file of its own fails. Use "
                "fewer instances or more files.",
            ),
            Objection(
                path="policy.deadline",
                message="The deadline 2026-11-23T12:01:00+00:00 cannot be met, even on-demand: training and one "
                "changeover take until 2026-11-23T14:10:00+00:00. Use that time or a later one.",
            ),
            Objection(
                path="policy.budgets.money_usd",
                message="policy.budgets.money_usd is 0.0100 USD. 0.00 USD is spent, and an attempt on 2 x "
                "ml.m5.xlarge (spot) may cost up to 0.1600 USD (MaxRuntimeInSeconds 3600). Set "
                "policy.budgets.money_usd to 0.1600 or more, or lower MaxRuntimeInSeconds.",
            ),
        )
    )


def test_a_deadline_of_a_run_that_starts_later_is_checked_from_its_start() -> None:
    start = Start(at=NOON + timedelta(hours=1))
    for seconds, is_met in ((SHORTEST + HOUR, True), (SHORTEST + HOUR - 1, False)):
        run = accept(replace(submission(deadline(seconds)), start=start), "one", NOON)
        assert [found.path for found in find_objections(run, {}, NOON)] == ([] if is_met else ["policy.deadline"])
