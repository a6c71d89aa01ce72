"""Notices in words that read well on a phone: one sentence, three numbers, what to do, and a link.

EventBridge escapes nothing that it puts into a template, so each text is flat: see `report.flatten`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.money import cost_so_far
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.news import NoticeKind
from spot_relay.domain.run.policy import Budget
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.accounting import savings_of
from spot_relay.domain.shown.notices import MONEY
from spot_relay.domain.shown.report import flatten, job_arn_of
from spot_relay.domain.text import shorten
from spot_relay.pages.console import console_of
from spot_relay.pages.wording import duration, limit, money, percent

if TYPE_CHECKING:
    from spot_relay.domain.run.news import News
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.shown.report import Whereabouts

NOTHING_TO_DO = "Nothing to do."
# In bytes. A phone shows two or three lines, and the status document has the rest.
_LONGEST_REASON = 300
_MARKETS = {Market.SPOT: "on spot", Market.ON_DEMAND: "on-demand"}


def write_notice(run: Run, news: News, where: Whereabouts) -> dict[str, Any]:
    """Return the detail of the Spot Relay Notice event. Its numbers are those of the moment at which it is sent."""
    kind = NoticeKind(news.state)
    title, sentence, to_do = _say(kind, run, news)
    return {
        "kind": kind,
        "run_id": run.id,
        "title": flatten(title),
        "sentence": flatten(sentence),
        "numbers": [flatten(text) for text in (_say_training(run), _say_cost(run), _say_time(run, news.at))],
        "to_do": flatten(to_do),
        "link": _link(run, where),
    }


def _say(kind: NoticeKind, run: Run, news: News) -> tuple[str, str, str]:
    """Return the title of a notice, its sentence, and what to do."""
    match kind:
        case NoticeKind.SUBMITTED | NoticeKind.FIRST_INTERRUPTION | NoticeKind.RELAUNCHED:
            return _say_progress(kind, run, news)
        case NoticeKind.MOVED_TO_ON_DEMAND | NoticeKind.BACK_ON_SPOT:
            return _say_move(kind, run, news)
        case NoticeKind.DEADLINE_AT_RISK | NoticeKind.CHECKPOINT_OVERDUE:
            return _say_delay(kind, run, news)
        case NoticeKind.BUDGET_NEARLY_SPENT:
            return _say_budget(run, news.about)
        case NoticeKind.WAITING_FOR_QUOTA:
            return _say_wait(run, news)
        case NoticeKind.ENDED:
            return _say_end(run)
        case NoticeKind.HOSTING_ENDED:
            return _say_hosting(run)


def _say_progress(kind: NoticeKind, run: Run, news: News) -> tuple[str, str, str]:
    if kind is NoticeKind.SUBMITTED:
        if run.waits_to_begin:
            return f"{run.id} was submitted", "It starts as soon as what it waits for has happened.", NOTHING_TO_DO
        return f"{run.id} was submitted", f"Its first attempt is launched on {run.current.placement}.", NOTHING_TO_DO
    if kind is NoticeKind.FIRST_INTERRUPTION:
        loses = (
            "it continues from its newest checkpoint" if run.checkpoint_uri else "it starts again from the beginning"
        )
        sentence = f"AWS took back its spot capacity for the first time; when there is capacity again, {loses}."
        to_do = NOTHING_TO_DO if run.checkpoint_uri else "Add a CheckpointConfig to the next spec, to lose less."
        return f"{run.id} was interrupted", sentence, to_do
    return (
        f"{run.id} was relaunched",
        f"Attempt {news.attempt} is launched: {_why(run, news)}",
        NOTHING_TO_DO,
    )


def _say_move(kind: NoticeKind, run: Run, news: News) -> tuple[str, str, str]:
    if kind is NoticeKind.BACK_ON_SPOT:
        return f"{run.id} is back on spot", f"It continues on spot: {_why(run, news)}", NOTHING_TO_DO
    return (
        f"{run.id} has moved to on-demand",
        f"It continues on-demand: {_why(run, news)}",
        NOTHING_TO_DO,
    )


def _say_delay(kind: NoticeKind, run: Run, news: News) -> tuple[str, str, str]:
    if kind is NoticeKind.DEADLINE_AT_RISK:
        at = f"{datetime.fromisoformat(news.about):%b %d, %H:%M} UTC"
        sentence = f"Even without further delays, it will barely meet its deadline of {at}, if at all."
        on_spot = run.current.placement.market is Market.SPOT
        act = "Move it on-demand now, or set a later deadline." if on_spot else "Set a later deadline if you can."
        return f"{run.id} may miss its deadline", sentence, act
    job, silence = run.current.job_name, _say_how_long(news)
    sentence = f"{job} has trained for {silence} without a new checkpoint; an interruption would lose that."
    return (
        f"{run.id} saves no checkpoints",
        sentence,
        "Look at its log, and check that it writes to its checkpoint folder.",
    )


def _say_budget(run: Run, about: str) -> tuple[str, str, str]:
    name, size = about.split()
    title = f"{run.id} has nearly spent a budget"
    if name == MONEY:
        whole = limit(float(size))
        sentence = f"It has spent most of its {whole}, and launches no attempt that could cost more than the rest."
        return title, sentence, "If it fails because of that, resume it with a larger policy.budgets.money_usd."
    spent = run.spent.count(Budget(name))
    left = max(0, int(size) - spent)
    then = f"it has {left} left" if left else "it fails if it needs one more"
    sentence = f"{spent} of {size} in policy.budgets.{name} are spent, so {then}."
    return title, sentence, f"Look at why its attempts end. If it fails, resume it with a larger {name}."


def _say_wait(run: Run, news: News) -> tuple[str, str, str]:
    attempt = run.current
    where = "a quota that spans instance types" if attempt.waits_for_any_room else str(attempt.placement.pool)
    sentence = f"{attempt.job_name} has waited for {_say_how_long(news)} for room in {where}."
    return f"{run.id} is waiting for a quota", sentence, "Wait, stop another job, or ask AWS to raise the quota."


def _say_end(run: Run) -> tuple[str, str, str]:
    match run.status:
        case RunStatus.COMPLETED:
            said, to_do = "has completed", NOTHING_TO_DO
        case RunStatus.STOPPED:
            said, to_do = "was stopped", "Resume the run to continue it."
        case _:
            said, to_do = "has failed", "Fix what the reason names, then resume the run."
    return f"{run.id} {said}", _reason(run.reason), to_do


def _say_hosting(run: Run) -> tuple[str, str, str]:
    failed = [task for task in run.hosting if task.status == "Failed"]
    reason = _reason(" ".join(task.reason for task in failed or run.hosting))
    if failed:
        return (
            f"The model of {run.id} is not in use",
            reason,
            "Look at the reason, then register or deploy it yourself.",
        )
    return f"The model of {run.id} is in use", reason, NOTHING_TO_DO


def _say_how_long(news: News) -> str:
    """Return how long something has lasted by the time of its notice, whose fact is when it began."""
    return duration((news.at - datetime.fromisoformat(news.about)).total_seconds())


def _why(run: Run, news: News) -> str:
    return _reason(news.explain(run.reason))


def _reason(text: str) -> str:
    return shorten(text, _LONGEST_REASON)


def _say_training(run: Run) -> str:
    deadline = run.policy.deadline
    if run.status is RunStatus.COMPLETED:
        return "100% trained"
    if deadline is not None:
        return f"{percent(run.progress_seconds / deadline.expected_runtime_seconds)} trained"
    trained = sum(attempt.training_seconds or 0 for attempt in run.attempts)
    live = run.current
    if live.status is not AttemptStatus.ENDED and live.training_started_at is not None:
        trained += max(0, round((run.updated_at - live.training_started_at).total_seconds()))
    return f"{duration(trained)} trained"


def _say_cost(run: Run) -> str:
    cost, budget = cost_so_far(run, run.updated_at) if run.prices else None, run.policy.budgets.money_usd
    if cost is not None:
        of = f" of at most {limit(budget)}" if budget is not None else "" if run.has_ended else " so far"
        return f"{money(cost)}{of}"
    saved = savings_of(run)
    return "no price known" if saved is None else f"{saved:.0f}% saved"


def _say_time(run: Run, at: datetime) -> str:
    """Return how the run lies to its deadline, or how long it has taken."""
    until = run.ended_at or at
    if run.deadline_at is None:
        return f"{duration((until - run.created_at).total_seconds())} since its submission"
    seconds = (run.deadline_at - until).total_seconds()
    return f"{duration(abs(seconds))} {'before' if seconds >= 0 else 'after'} its deadline"


def _link(run: Run, where: Whereabouts) -> str:
    """Return the address of the run's newest training job in the console, or of its status document without one."""
    console = console_of(job_arn_of(run, run.id, where.region))
    launched = [attempt for attempt in run.attempts if attempt.arn or attempt.launched_at]
    key = f"status/{run.id}.json"
    if console is None:
        return f"s3://{where.bucket}/{key}"
    return console.link_job(launched[-1].job_name) if launched else console.link_object(where.bucket, key)
