"""When a notice is due: what people want to know about a run, each fact once. `notice_text` puts it into words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.rules.money import cost_so_far
from spot_relay.domain.rules.pace import standing_of
from spot_relay.domain.run.news import NoticeKind
from spot_relay.domain.run.policy import Budget
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.forecast import foretell_finish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.run.run import Run

# A wait for room that is shorter than this is nothing to look at.
QUOTA_PATIENCE = timedelta(minutes=10)
# A budget is nearly spent once this share of it is.
NEARLY = 0.8
# How many facts of a kind a run remembers to have told.
KEPT_FACTS = 10
# The name of the money budget, beside those of `Budget`.
MONEY = "money_usd"


def find_notices(before: Run | None, after: Run, now: datetime) -> Iterator[tuple[NoticeKind, str]]:
    """Yield the notices that are due after a decision, each with the fact that it tells, if it has to be remembered.

    ``before`` is None for a run that was just created.
    """
    if not after.notify:
        return
    known = forget_facts(before, after)
    for kind in _find_turns(before, after):
        if kind in after.notify:
            yield kind, ""
    if after.has_ended or after.stop_requested:
        return
    for kind, about in _find_facts(after, now):
        if f"{kind} {about}" not in known:
            yield kind, about


def forget_facts(before: Run | None, after: Run) -> tuple[str, ...]:
    """Return the facts that a run has told; one that is resumed has its budgets anew."""
    if before is None or after.has_ended or not before.has_ended:
        return after.noticed
    return tuple(fact for fact in after.noticed if not fact.startswith(NoticeKind.BUDGET_NEARLY_SPENT))


def remember_fact(noticed: tuple[str, ...], kind: NoticeKind, about: str) -> tuple[str, ...]:
    """Return the facts with one more, and of its kind only the newest."""
    if not about:
        return noticed
    same = [fact for fact in noticed if fact.partition(" ")[0] == kind]
    forgotten = same[: 1 - KEPT_FACTS]
    return (*(fact for fact in noticed if fact not in forgotten), f"{kind} {about}")


def _find_turns(before: Run | None, after: Run) -> Iterator[NoticeKind]:
    """Yield what this decision itself has changed, and so cannot be told again."""
    if before is None:
        yield NoticeKind.SUBMITTED
        return
    if not (after.has_ended or after.waits_to_begin):
        was, market = before.current.placement.market, after.current.placement.market
        if was is not market:
            yield NoticeKind.BACK_ON_SPOT if market is Market.SPOT else NoticeKind.MOVED_TO_ON_DEMAND
        elif len(after.attempts) > len(before.attempts):
            yield NoticeKind.RELAUNCHED
    if after.has_ended and not before.has_ended:
        yield NoticeKind.ENDED
    if after.hosting_status is not None and before.hosting_status is None:
        yield NoticeKind.HOSTING_ENDED


def _find_facts(run: Run, now: datetime) -> Iterator[tuple[NoticeKind, str]]:
    """Yield what holds about an open run now, and may have held for long."""
    attempt, wanted = run.current, run.notify
    if NoticeKind.FIRST_INTERRUPTION in wanted and any(one.interruptions for one in run.attempts):
        yield NoticeKind.FIRST_INTERRUPTION, "once"
    if NoticeKind.DEADLINE_AT_RISK in wanted and (deadline := _find_risk(run, now)):
        yield NoticeKind.DEADLINE_AT_RISK, _name(deadline)
    if NoticeKind.CHECKPOINT_OVERDUE in wanted and attempt.unsaved_since is not None:
        yield NoticeKind.CHECKPOINT_OVERDUE, _name(attempt.unsaved_since)
    if NoticeKind.BUDGET_NEARLY_SPENT in wanted:
        for budget in _list_nearly_spent(run, now):
            yield NoticeKind.BUDGET_NEARLY_SPENT, budget
    if NoticeKind.WAITING_FOR_QUOTA in wanted and run.waits_for is not None:
        since = attempt.waiting_since or attempt.planned_at
        if now - since >= QUOTA_PATIENCE:
            yield NoticeKind.WAITING_FOR_QUOTA, _name(since)


def _find_risk(run: Run, now: datetime) -> datetime | None:
    """Return the deadline of an open run that has less than one start to spare for it, even if nothing delays it."""
    standing = standing_of(run, now)
    if standing is None or standing.time - standing.work >= standing.changeover:
        return None
    finish = foretell_finish(run, now)
    if finish is None or (finish.earliest - now).total_seconds() + standing.changeover <= standing.time:
        return None
    return run.deadline_at


def _list_nearly_spent(run: Run, now: datetime) -> Iterator[str]:
    """Yield the budgets of which little is left, each with its size: the same budget may be set anew."""
    budgets = run.policy.budgets
    for budget in Budget:
        size = budgets.count(budget)
        if size and run.spent.count(budget) >= NEARLY * size:
            yield f"{budget} {size}"
    if budgets.money_usd is not None:
        cost = cost_so_far(run, now)
        if cost is not None and cost >= NEARLY * budgets.money_usd:
            yield f"{MONEY} {budgets.money_usd}"


def _name(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
