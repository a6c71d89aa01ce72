"""The words of notices: what they say of each run, and that they fit on a phone."""

from __future__ import annotations

from datetime import timedelta
from textwrap import fill
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask
from spot_relay.domain.run.news import News, NewsKind, NoticeKind
from spot_relay.domain.run.policy import Budgets, Deadline, Policy, Spent
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.notice_text import write_notice
from spot_relay.domain.shown.report import Whereabouts
from spot_relay.domain.values import replace
from tests.fakes import NOON, REGION
from tests.unit.worlds import TRAINING_JOB, submission

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.run import Run

HERE = Whereabouts(REGION, "specs")
REASON = "So it was decided."


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


ACCEPTED = accept(submission(), "one", NOON)
PLANNED = replace(ACCEPTED.current, number=1)
LIVES = replace(PLANNED, status=AttemptStatus.IN_PROGRESS, launched_at=NOON, training_started_at=at(10))
ENDED = replace(LIVES, status=AttemptStatus.ENDED, training_seconds=5400, billable_seconds=1800)
ON_DEMAND = replace(LIVES, placement=replace(LIVES.placement, market=Market.ON_DEMAND))
OPEN = replace(ACCEPTED, status=RunStatus.IN_PROGRESS, reason=REASON, attempts=(LIVES,), updated_at=at(40))
UNSAVED = {name: value for name, value in TRAINING_JOB.items() if name != "CheckpointConfig"}
PRICES = PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.24, 0.08)})
SETTLED = HostingTask(HostingKind.DEPLOY, HostingStep.FOLLOW, HostingStatus.SUCCEEDED, "It serves.", NOON, NOON, None)
REGISTERED = replace(SETTLED, kind=HostingKind.REGISTER_MODEL, reason="It is registered.")


def notice(
    run: Run, kind: NoticeKind = NoticeKind.SUBMITTED, about: str = "", where: Whereabouts = HERE
) -> dict[str, Any]:
    """The notice that is written an hour after noon."""
    return write_notice(run, News(5, NewsKind.NOTICE, kind, at(60), attempt=1, reason=REASON, about=about), where)


def said(run: Run, kind: NoticeKind, about: str = "") -> str:
    """What a notice says, and what to do."""
    found = notice(run, kind, about)
    return "\n".join(fill(found[part], 100) for part in ("title", "sentence", "to_do"))


def test_a_notice_has_each_of_its_parts() -> None:
    assert notice(OPEN) == snapshot(
        {
            "kind": NoticeKind.SUBMITTED,
            "run_id": "churn",
            "title": "churn was submitted",
            "sentence": "Its first attempt is launched on 1 x ml.m5.xlarge (spot).",
            "numbers": ["30 min trained", "no price known", "1 h since its submission"],
            "to_do": "Nothing to do.",
            "link": "https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/churn-relay-01",
        }
    )


def test_whatever_a_notice_quotes_breaks_no_template() -> None:
    run = replace(OPEN, id="a<b>", reason='It "broke"\n\\now')
    news = News(5, NewsKind.NOTICE, NoticeKind.RELAUNCHED, at(60), attempt=1, reason=run.reason)
    found = write_notice(run, news, HERE)
    assert (found["title"], found["sentence"]) == snapshot(
        ("a\u2039b\u203a was relaunched", "Attempt 1 is launched: It 'broke' /now")
    )


@pytest.mark.parametrize(
    ("run", "kind", "about", "words"),
    [
        (
            OPEN,
            NoticeKind.SUBMITTED,
            "",
            snapshot("""\
churn was submitted
Its first attempt is launched on 1 x ml.m5.xlarge (spot).
Nothing to do.\
"""),
        ),
        (
            replace(OPEN, waits_to_begin=True),
            NoticeKind.SUBMITTED,
            "",
            snapshot("""\
churn was submitted
It starts as soon as what it waits for has happened.
Nothing to do.\
"""),
        ),
        (
            OPEN,
            NoticeKind.FIRST_INTERRUPTION,
            "once",
            snapshot("""\
churn was interrupted
AWS took back its spot capacity for the first time; when there is capacity again, it continues from
its newest checkpoint.
Nothing to do.\
"""),
        ),
        (
            replace(OPEN, training_job=UNSAVED),
            NoticeKind.FIRST_INTERRUPTION,
            "once",
            snapshot("""\
churn was interrupted
AWS took back its spot capacity for the first time; when there is capacity again, it starts again
from the beginning.
Add a CheckpointConfig to the next spec, to lose less.\
"""),
        ),
        (
            OPEN,
            NoticeKind.RELAUNCHED,
            "",
            snapshot("""\
churn was relaunched
Attempt 1 is launched: So it was decided.
Nothing to do.\
"""),
        ),
        (
            OPEN,
            NoticeKind.MOVED_TO_ON_DEMAND,
            "",
            snapshot("""\
churn has moved to on-demand
It continues on-demand: So it was decided.
Nothing to do.\
"""),
        ),
        (
            OPEN,
            NoticeKind.BACK_ON_SPOT,
            "",
            snapshot("""\
churn is back on spot
It continues on spot: So it was decided.
Nothing to do.\
"""),
        ),
        (
            OPEN,
            NoticeKind.DEADLINE_AT_RISK,
            at(300).isoformat(),
            snapshot("""\
churn may miss its deadline
Even without further delays, it will barely meet its deadline of Nov 23, 17:00 UTC, if at all.
Move it on-demand now, or set a later deadline.\
"""),
        ),
        (
            OPEN.with_attempt(ON_DEMAND),
            NoticeKind.DEADLINE_AT_RISK,
            at(300).isoformat(),
            snapshot("""\
churn may miss its deadline
Even without further delays, it will barely meet its deadline of Nov 23, 17:00 UTC, if at all.
Set a later deadline if you can.\
"""),
        ),
        (
            OPEN,
            NoticeKind.CHECKPOINT_OVERDUE,
            at(15).isoformat(),
            snapshot("""\
churn saves no checkpoints
churn-relay-01 has trained for 45 min without a new checkpoint; an interruption would lose that.
Look at its log, and check that it writes to its checkpoint folder.\
"""),
        ),
        (
            replace(OPEN, spent=Spent(8)),
            NoticeKind.BUDGET_NEARLY_SPENT,
            "expired_waits 10",
            snapshot("""\
churn has nearly spent a budget
8 of 10 in policy.budgets.expired_waits are spent, so it has 2 left.
Look at why its attempts end. If it fails, resume it with a larger expired_waits.\
"""),
        ),
        (
            replace(OPEN, spent=Spent(10)),
            NoticeKind.BUDGET_NEARLY_SPENT,
            "expired_waits 10",
            snapshot("""\
churn has nearly spent a budget
10 of 10 in policy.budgets.expired_waits are spent, so it fails if it needs one more.
Look at why its attempts end. If it fails, resume it with a larger expired_waits.\
"""),
        ),
        (
            replace(OPEN, spent=Spent(11)),
            NoticeKind.BUDGET_NEARLY_SPENT,
            "expired_waits 10",
            snapshot("""\
churn has nearly spent a budget
11 of 10 in policy.budgets.expired_waits are spent, so it fails if it needs one more.
Look at why its attempts end. If it fails, resume it with a larger expired_waits.\
"""),
        ),
        (
            OPEN,
            NoticeKind.BUDGET_NEARLY_SPENT,
            "money_usd 12.0",
            snapshot("""\
churn has nearly spent a budget
It has spent most of its $12, and launches no attempt that could cost more than the rest.
If it fails because of that, resume it with a larger policy.budgets.money_usd.\
"""),
        ),
        (
            OPEN,
            NoticeKind.WAITING_FOR_QUOTA,
            at(15).isoformat(),
            snapshot("""\
churn is waiting for a quota
churn-relay-01 has waited for 45 min for room in ml.m5.xlarge (spot).
Wait, stop another job, or ask AWS to raise the quota.\
"""),
        ),
        (
            OPEN.with_attempt(replace(PLANNED, waits_for_any_room=True)),
            NoticeKind.WAITING_FOR_QUOTA,
            at(15).isoformat(),
            snapshot("""\
churn is waiting for a quota
churn-relay-01 has waited for 45 min for room in a quota that spans instance types.
Wait, stop another job, or ask AWS to raise the quota.\
"""),
        ),
        (
            replace(OPEN, status=RunStatus.COMPLETED),
            NoticeKind.ENDED,
            "",
            snapshot("""\
churn has completed
So it was decided.
Nothing to do.\
"""),
        ),
        (
            replace(OPEN, status=RunStatus.STOPPED),
            NoticeKind.ENDED,
            "",
            snapshot("""\
churn was stopped
So it was decided.
Resume the run to continue it.\
"""),
        ),
        (
            replace(OPEN, status=RunStatus.FAILED),
            NoticeKind.ENDED,
            "",
            snapshot("""\
churn has failed
So it was decided.
Fix what the reason names, then resume the run.\
"""),
        ),
        (
            replace(OPEN, hosting=(REGISTERED, SETTLED)),
            NoticeKind.HOSTING_ENDED,
            "",
            snapshot("""\
The model of churn is in use
It is registered. It serves.
Nothing to do.\
"""),
        ),
        (
            replace(
                OPEN,
                hosting=(REGISTERED, replace(SETTLED, status=HostingStatus.FAILED, reason="The image is missing.")),
            ),
            NoticeKind.HOSTING_ENDED,
            "",
            snapshot("""\
The model of churn is not in use
The image is missing.
Look at the reason, then register or deploy it yourself.\
"""),
        ),
    ],
)
def test_a_notice_says_what_has_come_and_what_to_do(run: Run, kind: NoticeKind, about: str, words: str) -> None:
    assert said(run, kind, about) == words


def test_a_long_reason_is_cut_for_a_phone_to_show_it() -> None:
    assert notice(replace(OPEN, reason="x" * 500), NoticeKind.ENDED)["sentence"] == "x" * 297 + "…"


def test_the_reason_of_a_notice_is_the_runs_of_that_time() -> None:
    later = replace(OPEN, reason="Something else has happened since.")
    assert said(later, NoticeKind.RELAUNCHED) == said(OPEN, NoticeKind.RELAUNCHED)


def with_deadline(hours: int, run: Run = OPEN, **changes: Any) -> Run:
    """The run with a deadline so many hours after noon; it trains for two hours."""
    policy = replace(run.policy, deadline=Deadline(7200, within_seconds=hours * 3600))
    return replace(run, policy=policy, deadline_at=at(60 * hours), **changes)


def paid(run: Run, budget: float | None = None) -> Run:
    return replace(run, prices=PRICES, policy=Policy(Budgets(money_usd=budget)))


TRAINED_TWICE = replace(OPEN, attempts=(ENDED, replace(LIVES, number=2, training_started_at=at(30))))


@pytest.mark.parametrize(
    ("run", "numbers"),
    [
        (OPEN, snapshot(["30 min trained", "no price known", "1 h since its submission"])),
        (OPEN.with_attempt(PLANNED), snapshot(["0 s trained", "no price known", "1 h since its submission"])),
        (replace(OPEN, updated_at=at(5)), snapshot(["0 s trained", "no price known", "1 h since its submission"])),
        (OPEN.with_attempt(ENDED), snapshot(["1 h 30 min trained", "67% saved", "1 h since its submission"])),
        (
            replace(OPEN, attempts=(ENDED, replace(ENDED, number=2))),
            snapshot(["3 h trained", "67% saved", "1 h since its submission"]),
        ),
        (TRAINED_TWICE, snapshot(["1 h 40 min trained", "67% saved", "1 h since its submission"])),
        (
            replace(TRAINED_TWICE, attempts=(ENDED, replace(LIVES, number=2, training_started_at=None))),
            snapshot(["1 h 30 min trained", "67% saved", "1 h since its submission"]),
        ),
        (
            replace(OPEN, status=RunStatus.COMPLETED, ended_at=at(45)),
            snapshot(["100% trained", "no price known", "45 min since its submission"]),
        ),
        (
            with_deadline(4, progress_seconds=1800),
            snapshot(["25% trained", "no price known", "3 h before its deadline"]),
        ),
        (
            with_deadline(4, progress_seconds=9000),
            snapshot(["100% trained", "no price known", "3 h before its deadline"]),
        ),
        (with_deadline(1), snapshot(["0% trained", "no price known", "0 s before its deadline"])),
        (
            with_deadline(1, status=RunStatus.FAILED, ended_at=at(75)),
            snapshot(["0% trained", "no price known", "15 min after its deadline"]),
        ),
        (paid(OPEN), snapshot(["30 min trained", "$0.0400 so far", "1 h since its submission"])),
        (paid(OPEN.with_attempt(ENDED)), snapshot(["1 h 30 min trained", "$0.12 so far", "1 h since its submission"])),
        (
            paid(OPEN.with_attempt(ENDED), 12.0),
            snapshot(["1 h 30 min trained", "$0.12 of at most $12", "1 h since its submission"]),
        ),
        (
            paid(replace(OPEN, status=RunStatus.STOPPED, ended_at=at(45), attempts=(ENDED,))),
            snapshot(["1 h 30 min trained", "$0.12", "45 min since its submission"]),
        ),
        (
            paid(replace(OPEN, status=RunStatus.STOPPED, ended_at=at(45), attempts=(ENDED,)), 12.5),
            snapshot(["1 h 30 min trained", "$0.12 of at most $12.50", "45 min since its submission"]),
        ),
        (
            replace(paid(OPEN.with_attempt(ENDED)), prices=replace(PRICES, by_instance_type={})),
            snapshot(["1 h 30 min trained", "67% saved", "1 h since its submission"]),
        ),
    ],
)
def test_a_notice_has_three_numbers_of_training_of_cost_and_of_time(run: Run, numbers: list[str]) -> None:
    assert notice(run)["numbers"] == numbers


@pytest.mark.parametrize(
    ("attempts", "region", "link"),
    [
        (
            (ENDED, replace(LIVES, number=2, job_name="churn-relay-02")),
            REGION,
            snapshot("https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/churn-relay-02"),
        ),
        (
            (ENDED, replace(PLANNED, number=2, job_name="churn-relay-02")),
            REGION,
            snapshot("https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/churn-relay-01"),
        ),
        (
            (ENDED, replace(PLANNED, number=2, job_name="churn-relay-02", arn="arn:its")),
            REGION,
            snapshot("https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1#/jobs/churn-relay-02"),
        ),
        (
            (PLANNED,),
            REGION,
            snapshot(
                "https://us-east-1.console.aws.amazon.com/s3/object/specs?region=us-east-1&prefix=status%2Fchurn.json"
            ),
        ),
        ((LIVES,), "nowhere", snapshot("s3://specs/status/churn.json")),
    ],
)
def test_a_notice_links_to_the_newest_job_or_to_the_status_document(
    attempts: tuple[Any, ...], region: str, link: str
) -> None:
    assert notice(replace(OPEN, attempts=attempts), where=Whereabouts(region, "specs"))["link"] == link
