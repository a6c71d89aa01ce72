"""Notices: each kind in a scene of its own, with its words as they reach a phone, and once for each fact."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask
from spot_relay.domain.run.news import DEFAULT_NOTICES, NoticeKind
from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested, MoveRequested, ResumeRequested
from spot_relay.domain.run.policy import Budgets, Policy, Spent
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.phase import Phase, Stage
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.notices import find_notices, forget_facts, remember_fact
from spot_relay.domain.values import replace
from tests.event_schemas import find_flaw
from tests.fakes import NOON, MemoryPrices, at
from tests.unit.hosted import Hosted
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.run import Run

HOUR = 3600
LIVE = "churn-live"
PRICES = PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.23, 0.08)})


def world_with(
    policy: Policy | None = None, *, notify: tuple[NoticeKind, ...] = tuple(NoticeKind), **job: Any
) -> World:
    """A world with one run that sends all notices, or these."""
    world = World(prices=MemoryPrices(PRICES))
    world.service = replace(world.service, notify=notify, bucket="specs")
    world.service.submit(submission(policy, **job))
    return world


def sent(world: World, kind: NoticeKind) -> list[dict[str, Any]]:
    """The notices of a kind, which are as their schema says."""
    assert [find_flaw(event) for event in world.announcements.events] == [None] * len(world.announcements.events)
    return [notice for notice in world.announcements.notices if notice["kind"] == kind]


def shown(notice: dict[str, Any]) -> str:
    """A notice as a screen shows it."""
    lines = (notice["title"], notice["sentence"], " | ".join(notice["numbers"]), notice["to_do"])
    return "\n".join(fill(line, 100) for line in lines)


def only(world: World, kind: NoticeKind) -> str:
    """The one notice of a kind."""
    (notice,) = sent(world, kind)
    return shown(notice)


def test_a_run_that_was_submitted() -> None:
    assert only(world_with(), NoticeKind.SUBMITTED) == snapshot("""\
churn was submitted
Its first attempt is launched on 1 x ml.m5.xlarge (spot).
0 s trained | $0 so far | 0 s since its submission
Nothing to do.\
""")


def test_a_first_interruption_and_no_second_one() -> None:
    world = world_with(deadline(10 * HOUR))
    for _ in range(2):
        world.trains(1)
        world.checkpoint("a")
        world.tell(1, "InProgress", "Interrupted")
    assert world.run().current.interruptions == 2
    assert only(world, NoticeKind.FIRST_INTERRUPTION) == snapshot("""\
churn was interrupted
AWS took back its spot capacity for the first time; when there is capacity again, it continues from
its newest checkpoint.
0% trained | $0 so far | 9 h 49 min before its deadline
Nothing to do.\
""")


def test_a_relaunch_with_its_cause() -> None:
    world = world_with()
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600, billable_seconds=200)
    assert only(world, NoticeKind.RELAUNCHED) == snapshot("""\
churn was relaunched
Attempt 2 is launched: churn-relay-01 reached MaxWaitTimeInSeconds before it finished. churn-
relay-02 continues from the checkpoint churn/checkpoints/a.
10 min trained | $0.0128 so far | 11 min since its submission
Nothing to do.\
""")


def test_a_move_to_on_demand_and_back() -> None:
    world = world_with(deadline(10 * HOUR, return_to_spot="never"))
    for market in (Market.ON_DEMAND, Market.SPOT):
        world.trains(world.run().current.number)
        world.checkpoint(str(market))
        world.service.change("churn", MoveRequested(market))
        world.tell(world.run().current.number, "Stopped", "Stopped", training_seconds=600, billable_seconds=600)
    assert only(world, NoticeKind.MOVED_TO_ON_DEMAND) == snapshot("""\
churn has moved to on-demand
It continues on-demand: churn-relay-01 was stopped as planned. churn-relay-02 continues from the
checkpoint churn/checkpoints/on-demand on 1 x ml.m5.xlarge (on-demand).
8% trained | $0.0383 so far | 9 h 49 min before its deadline
Nothing to do.\
""")
    assert only(world, NoticeKind.BACK_ON_SPOT) == snapshot("""\
churn is back on spot
It continues on spot: churn-relay-02 was stopped as planned. churn-relay-03 continues from the
checkpoint churn/checkpoints/spot on 1 x ml.m5.xlarge (spot).
17% trained | $0.0767 so far | 9 h 38 min before its deadline
Nothing to do.\
""")


def test_a_deadline_that_is_at_risk_once_for_each_deadline() -> None:
    world = world_with(deadline(2 * HOUR + 700, return_to_spot="never"))
    world.passes(600)
    world.tell(1, "InProgress", "Starting")
    world.passes(1200)
    assert only(world, NoticeKind.DEADLINE_AT_RISK) == snapshot("""\
churn may miss its deadline
Even without further delays, it will barely meet its deadline of Nov 23, 14:11 UTC, if at all.
0% trained | $0 so far | 2 h 6 min before its deadline
Set a later deadline if you can.\
""")
    world.passes(1200)
    assert len(sent(world, NoticeKind.DEADLINE_AT_RISK)) == 1
    world.service.change("churn", DeadlineRequested(DeadlineChange(within_seconds=2 * HOUR + 700)))
    world.passes(1800)
    assert len(sent(world, NoticeKind.DEADLINE_AT_RISK)) == 2


def test_a_checkpoint_that_is_overdue_once_for_each_silence() -> None:
    world = world_with(StoppingCondition={"MaxRuntimeInSeconds": 86_400, "MaxWaitTimeInSeconds": 86_400})
    world.trains(1, 0)
    world.passes(4 * HOUR)
    assert only(world, NoticeKind.CHECKPOINT_OVERDUE) == snapshot("""\
churn saves no checkpoints
churn-relay-01 has trained for 3 h 4 min without a new checkpoint; an interruption would lose that.
3 h 4 min trained | $0.25 so far | 3 h 5 min since its submission
Look at its log, and check that it writes to its checkpoint folder.\
""")
    world.checkpoint("a")
    world.passes(4 * HOUR)
    assert len(sent(world, NoticeKind.CHECKPOINT_OVERDUE)) == 2


def test_a_budget_of_relaunches_that_is_nearly_spent_and_again_once_the_run_is_resumed() -> None:
    world = world_with(Policy(Budgets(expired_waits=2)))
    for number in (1, 2):
        world.trains(number)
        world.checkpoint(str(number))
        world.tell(number, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    assert only(world, NoticeKind.BUDGET_NEARLY_SPENT) == snapshot("""\
churn has nearly spent a budget
2 of 2 in policy.budgets.expired_waits are spent, so it fails if it needs one more.
20 min trained | $0.0267 so far | 22 min since its submission
Look at why its attempts end. If it fails, resume it with a larger expired_waits.\
""")
    world.trains(3)
    world.tell(3, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    world.service.resume("churn", ResumeRequested())
    for number in (4, 5):
        world.trains(number)
        world.checkpoint(str(number))
        world.tell(number, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    assert len(sent(world, NoticeKind.BUDGET_NEARLY_SPENT)) == 2


def test_money_that_is_nearly_spent() -> None:
    world = world_with(Policy(Budgets(money_usd=0.5)))
    world.trains(1, 0)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training", training_started_at=world.clock())
    world.passes(5 * HOUR + 600)
    assert only(world, NoticeKind.BUDGET_NEARLY_SPENT) == snapshot("""\
churn has nearly spent a budget
It has spent most of its $0.50, and launches no attempt that could cost more than the rest.
5 h 4 min trained | $0.41 of at most $0.50 | 5 h 5 min since its submission
If it fails because of that, resume it with a larger policy.budgets.money_usd.\
""")


def test_a_wait_for_a_quota_once_for_each_wait_and_only_if_it_lasts() -> None:
    world = World(prices=MemoryPrices(PRICES))
    world.service = replace(world.service, notify=tuple(NoticeKind), bucket="specs")
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "The account-level limit is reached.")] * 100
    world.service.submit(submission())
    world.passes(540)
    assert sent(world, NoticeKind.WAITING_FOR_QUOTA) == []
    world.passes(600)
    (notice,) = sent(world, NoticeKind.WAITING_FOR_QUOTA)
    assert shown(notice) == snapshot("""\
churn is waiting for a quota
churn-relay-01 has waited for 10 min for room in ml.m5.xlarge (spot).
0 s trained | $0 so far | 10 min since its submission
Wait, stop another job, or ask AWS to raise the quota.\
""")
    assert notice["link"] == snapshot(
        "https://us-east-1.console.aws.amazon.com/s3/object/specs?region=us-east-1&prefix=status%2Fchurn.json"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            "Completed",
            snapshot("""\
churn has completed
churn-relay-01 completed the training.
100% trained | $0.0115 | 11 min since its submission
Nothing to do.\
"""),
        ),
        (
            "Failed",
            snapshot("""\
churn has failed
churn-relay-01 failed because the training code or its configuration has an error: AlgorithmError:
'boom'. Fix it and resume the run, or submit a corrected spec under another name.
10 min trained | $0.0115 | 11 min since its submission
Fix what the reason names, then resume the run.\
"""),
        ),
        (
            "Stopped",
            snapshot("""\
churn was stopped
churn-relay-01 was stopped outside Spot Relay. Resume the run to continue.
10 min trained | $0.0115 | 11 min since its submission
Resume the run to continue it.\
"""),
        ),
    ],
)
def test_the_end(status: str, words: str) -> None:
    world = world_with()
    world.trains(1)
    reason = {"failure_reason": 'AlgorithmError: "boom"'} if status == "Failed" else {}
    world.tell(1, status, status, training_seconds=600, billable_seconds=180, **reason)
    assert only(world, NoticeKind.ENDED) == words


def test_it_links_to_the_newest_training_job_in_the_console() -> None:
    world = world_with()
    world.trains(1)
    world.tell(1, "Completed", "Completed", training_seconds=600)
    assert sent(world, NoticeKind.ENDED)[0]["link"] == snapshot(
        "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/churn-relay-01"
    )


@pytest.mark.parametrize(
    ("fails", "words"),
    [
        (
            False,
            snapshot("""\
The model of churn is in use
The model is registered as arn:aws:sagemaker:us-east-1:111122223333:model-package/churn-models/1.
The endpoint churn-live is in service with the model churn-relay-01.
100% trained | no price known | 0 s since its submission
Nothing to do.\
"""),
        ),
        (
            True,
            snapshot("""\
The model of churn is not in use
The endpoint churn-live has failed: The image can't be pulled. A failed endpoint can only be
deleted.
100% trained | no price known | 0 s since its submission
Look at the reason, then register or deploy it yourself.\
"""),
        ),
    ],
)
def test_what_has_become_of_the_model(fails: bool, words: str) -> None:
    hosted = Hosted()
    hosted.completes()
    if fails:
        hosted.world.hosting.becomes(LIVE, "Failed", failure_reason="The image can't be pulled")
    else:
        hosted.world.hosting.deploys(LIVE)
    hosted.told()
    assert only(hosted.world, NoticeKind.HOSTING_ENDED) == words


# It trains for two hours, and takes ten minutes for a start; four hours are left.
ACCEPTED = accept(submission(deadline(4 * HOUR)), "one", NOON, PRICES, notify=tuple(NoticeKind))
PLANNED = ACCEPTED.current
LIVES = replace(PLANNED, status=AttemptStatus.IN_PROGRESS)
OPEN = replace(ACCEPTED, status=RunStatus.IN_PROGRESS, attempts=(LIVES,))
TRAINS = replace(LIVES, phases=(Phase(Stage.TRAINING, 6600),))
ON_DEMAND = replace(LIVES, placement=replace(LIVES.placement, market=Market.ON_DEMAND))
SECOND = replace(PLANNED, number=2, job_name="churn-relay-02")
COMPLETED = replace(OPEN, status=RunStatus.COMPLETED)
SETTLED = HostingTask(HostingKind.DEPLOY, HostingStep.FOLLOW, HostingStatus.FAILED, "Why.", NOON, NOON, None)
SPENT_MONEY = replace(OPEN, policy=Policy(Budgets(money_usd=0.25)), deadline_at=None)
IN_QUEUE = replace(PLANNED, waits_for_room=True)


def due(before: Run | None, after: Run, now: datetime = NOON) -> list[str]:
    """The notices that are due, each with its fact."""
    return [f"{kind} {about}".rstrip() for kind, about in find_notices(before, after, now)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, ACCEPTED, ["submitted"]),
        (None, replace(ACCEPTED, waits_to_begin=True), ["submitted"]),
        (ACCEPTED, OPEN, []),
        (OPEN, OPEN.with_attempt(ON_DEMAND), ["moved_to_on_demand"]),
        (OPEN.with_attempt(ON_DEMAND), OPEN, ["back_on_spot"]),
        (OPEN, OPEN.with_attempt(SECOND), ["relaunched"]),
        (OPEN, OPEN.with_attempt(replace(ON_DEMAND, number=2)), ["moved_to_on_demand"]),
        (ACCEPTED, replace(ACCEPTED.with_attempt(ON_DEMAND), waits_to_begin=True), []),
        (OPEN, COMPLETED, ["ended"]),
        (OPEN, COMPLETED.with_attempt(ON_DEMAND), ["ended"]),
        (COMPLETED, COMPLETED, []),
        (COMPLETED, replace(COMPLETED, hosting=(SETTLED,)), ["hosting_ended"]),
        (replace(COMPLETED, hosting=(SETTLED,)), replace(COMPLETED, hosting=(SETTLED,), reason="Why."), []),
    ],
)
def test_a_change_is_told_by_the_decision_that_makes_it(before: Run | None, after: Run, told: list[str]) -> None:
    assert due(before, after) == told
    assert due(before, replace(after, notify=())) == []
    assert due(before, replace(after, notify=(NoticeKind.CHECKPOINT_OVERDUE,))) == []


def spent(waits: int, size: int) -> Run:
    return replace(OPEN, policy=replace(OPEN.policy, budgets=Budgets(expired_waits=size)), spent=Spent(waits))


def has_cost(seconds: int) -> Run:
    """The run, whose attempt has cost so many seconds at 0.24 USD an hour, of a quarter of a dollar."""
    prices = PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.24, 0.08)})
    return replace(SPENT_MONEY.with_attempt(replace(LIVES, billable_seconds=seconds)), prices=prices)


@pytest.mark.parametrize(
    ("run", "now", "fact"),
    [
        (OPEN, 6600, None),
        (OPEN, 6601, "deadline_at_risk 2026-11-23T16:00:00+00:00"),
        (OPEN.with_attempt(TRAINS), 7000, None),
        (
            OPEN.with_attempt(replace(TRAINS, phases=(Phase(Stage.TRAINING, 6601),))),
            7000,
            "deadline_at_risk 2026-11-23T16:00:00+00:00",
        ),
        (replace(OPEN, deadline_at=None), 6601, None),
        (replace(OPEN, waits_to_begin=True, start=Start(after=("prep",))), 6601, None),
        (OPEN.with_attempt(replace(LIVES, interruptions=1)), 0, "first_interruption once"),
        (
            replace(OPEN, attempts=(replace(LIVES, interruptions=1), replace(LIVES, number=2))),
            0,
            "first_interruption once",
        ),
        (
            OPEN.with_attempt(replace(LIVES, unsaved_since=at(7.5))),
            60,
            "checkpoint_overdue 2026-11-23T12:00:07+00:00",
        ),
        (spent(8, 10), 0, "budget_nearly_spent expired_waits 10"),
        (spent(7, 10), 0, None),
        (spent(1, 1), 0, "budget_nearly_spent expired_waits 1"),
        (spent(0, 0), 0, None),
        (has_cost(3000), 0, "budget_nearly_spent money_usd 0.25"),
        (has_cost(2999), 0, None),
        (replace(has_cost(3000), prices=None), 0, None),
        (OPEN.with_attempt(IN_QUEUE), 599, None),
        (OPEN.with_attempt(IN_QUEUE), 600, "waiting_for_quota 2026-11-23T12:00:00+00:00"),
        (OPEN.with_attempt(replace(IN_QUEUE, waiting_since=at(60))), 600, None),
        (
            OPEN.with_attempt(replace(IN_QUEUE, waiting_since=at(60))),
            660,
            "waiting_for_quota 2026-11-23T12:01:00+00:00",
        ),
    ],
)
def test_what_holds_of_an_open_run_is_told_once_if_it_is_wanted(run: Run, now: float, fact: str | None) -> None:
    assert due(run, run, at(now)) == ([] if fact is None else [fact])
    if fact is not None:
        kind = NoticeKind(fact.partition(" ")[0])
        for quiet in (
            replace(run, noticed=(fact,)),
            replace(run, notify=tuple(set(NoticeKind) - {kind})),
            replace(run, stop_requested=True),
            replace(run, status=RunStatus.FAILED),
        ):
            assert due(quiet, quiet, at(now)) == []


def test_a_fact_is_told_again_if_it_is_another_one() -> None:
    run = replace(spent(8, 10), noticed=("budget_nearly_spent expired_waits 1", "checkpoint_overdue once"))
    assert due(run, run) == ["budget_nearly_spent expired_waits 10"]


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (None, OPEN, True),
        (OPEN, OPEN, True),
        (OPEN, COMPLETED, True),
        (COMPLETED, COMPLETED, True),
        (COMPLETED, OPEN, False),
    ],
)
def test_only_a_run_that_is_resumed_has_its_budgets_anew(before: Run | None, after: Run, kept: bool) -> None:
    budget, other = "budget_nearly_spent refusals 500", "first_interruption once"
    facts = forget_facts(before, replace(after, noticed=(budget, other)))
    assert facts == ((budget, other) if kept else (other,))


def test_a_budget_that_is_nearly_spent_by_its_resumption_is_told_at_once() -> None:
    noticed = ("budget_nearly_spent expired_waits 10",)
    assert due(replace(COMPLETED, noticed=noticed), replace(spent(8, 10), noticed=noticed)) == [
        "budget_nearly_spent expired_waits 10"
    ]


def test_of_each_kind_the_ten_newest_facts_are_remembered() -> None:
    noticed: tuple[str, ...] = ("first_interruption once",)
    for number in range(10):
        noticed = remember_fact(noticed, NoticeKind.BUDGET_NEARLY_SPENT, f"refusals {number}")
    numbers = [f"budget_nearly_spent refusals {number}" for number in range(11)]
    assert noticed == ("first_interruption once", *numbers[:10])
    newest = remember_fact(noticed, NoticeKind.BUDGET_NEARLY_SPENT, "refusals 10")
    assert newest == ("first_interruption once", *numbers[1:])
    assert remember_fact(noticed, NoticeKind.ENDED, "") == noticed


def test_a_run_sends_no_others_than_it_should() -> None:
    world = world_with(notify=(NoticeKind.ENDED,))
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    world.tell(2, "Completed", "Completed", training_seconds=600)
    assert [notice["kind"] for notice in world.announcements.notices] == ["ended"]
    assert world.run().noticed == ()


def test_a_spec_decides_over_the_default_of_its_stack() -> None:
    world = World()
    world.service.submit(replace(submission(), notify=()))
    world.tell(1, "Completed", "Completed", training_seconds=600)
    assert world.announcements.notices == []


def test_what_spot_relay_handles_by_itself_is_not_sent_by_default() -> None:
    quiet = set(NoticeKind) - set(DEFAULT_NOTICES)
    assert quiet == {
        NoticeKind.SUBMITTED,
        NoticeKind.FIRST_INTERRUPTION,
        NoticeKind.RELAUNCHED,
        NoticeKind.MOVED_TO_ON_DEMAND,
        NoticeKind.BACK_ON_SPOT,
    }
