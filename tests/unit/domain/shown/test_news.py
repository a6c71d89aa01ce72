"""What is new about a run is told once, in order, by numbers that no other news of it has."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask
from spot_relay.domain.run.news import AttemptState, News, NewsKind, NoticeKind
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.shown.news import owe_news, state_of, tell_news
from spot_relay.domain.text import MAX_MESSAGE_BYTES
from spot_relay.domain.values import replace
from tests.fakes import NOON
from tests.unit.worlds import submission

SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT, 10)
ON_DEMAND = replace(SPOT, market=Market.ON_DEMAND)
LATER = NOON + timedelta(minutes=10)
ACCEPTED = accept(submission(), "one", NOON, notify=())
FIRST = replace(ACCEPTED.current, status=AttemptStatus.IN_PROGRESS)
OPEN = replace(
    ACCEPTED, status=RunStatus.IN_PROGRESS, reason="It trains.", attempts=(FIRST,), outbox=Outbox(), updated_at=LATER
)
SECOND = Attempt(2, "churn-relay-02", ON_DEMAND, LATER, Cause.BEHIND_PACE)
SETTLED = HostingTask(HostingKind.DEPLOY, HostingStep.FOLLOW, HostingStatus.SUCCEEDED, "It serves.", NOON, NOON, None)
DEPLOYING = replace(SETTLED, status=HostingStatus.IN_PROGRESS)


def of_attempt(number: int, state: AttemptState, before: AttemptState | None = None, attempt: Attempt = FIRST) -> News:
    """News of an attempt of the open run."""
    return News(
        number,
        NewsKind.ATTEMPT,
        state,
        LATER,
        before,
        attempt.number,
        "It trains.",
        attempt.placement,
        attempt.cause,
    )


def test_of_a_run_that_is_accepted_its_attempt_and_its_status_are_told() -> None:
    reason = "Accepted. Launching churn-relay-01."
    assert ACCEPTED.outbox.news == (
        News(1, NewsKind.ATTEMPT, "Planned", NOON, None, 1, reason, ACCEPTED.current.placement, Cause.SUBMITTED),
        News(2, NewsKind.RUN, "Pending", NOON, None, 1, reason),
    )
    assert ACCEPTED.news == 2


def test_the_attempt_of_a_run_that_waits_to_begin_is_told_once_it_begins() -> None:
    waits = accept(replace(submission(), start=Start(after=("prep",))), "one", NOON, notify=())
    assert waits.outbox.news == (News(1, NewsKind.RUN, "Pending", NOON, None, 1, "Accepted."),)
    begun = replace(OPEN, news=1)
    assert tell_news(waits, begun, LATER) == (
        replace(begun, news=3),
        Outbox(
            news=(
                of_attempt(2, AttemptState.LAUNCHED),
                News(3, NewsKind.RUN, "InProgress", LATER, "Pending", 1, "It trains."),
            )
        ),
    )
    assert tell_news(waits, replace(waits, reason="It still waits."), LATER)[1] == Outbox()


def test_what_nobody_has_to_know_leaves_a_run_as_it_is_and_is_not_told() -> None:
    changed = OPEN.with_attempt(replace(FIRST, phase="Downloading", heard_at=LATER))
    assert tell_news(OPEN, changed, LATER) == (changed, Outbox())


def test_each_change_has_a_number_of_its_own_after_those_of_all_earlier_ones() -> None:
    ended = replace(FIRST, status=AttemptStatus.ENDED)
    relaunched = replace(OPEN, status=RunStatus.PENDING, attempts=(ended, SECOND))
    assert tell_news(OPEN, relaunched, LATER) == (
        replace(relaunched, news=5),
        Outbox(
            news=(
                of_attempt(3, AttemptState.ENDED, AttemptState.LAUNCHED),
                of_attempt(4, AttemptState.PLANNED, attempt=SECOND),
                News(5, NewsKind.RUN, "Pending", LATER, "InProgress", 2, "It trains."),
            )
        ),
    )


def test_of_an_attempt_that_is_moved_before_its_launch_the_new_place_and_cause_are_told() -> None:
    planned = replace(FIRST, status=AttemptStatus.PLANNED)
    moved = replace(planned, placement=ON_DEMAND, cause=Cause.SAFETY_NET)
    _, owes = tell_news(OPEN.with_attempt(planned), OPEN.with_attempt(moved), LATER)
    assert owes == Outbox(news=(of_attempt(3, AttemptState.PLANNED, AttemptState.PLANNED, moved),))


def test_a_notice_is_told_after_the_change_and_the_fact_that_it_tells_is_remembered() -> None:
    wanted = (NoticeKind.FIRST_INTERRUPTION, NoticeKind.BACK_ON_SPOT)
    before = replace(OPEN.with_attempt(replace(FIRST, placement=ON_DEMAND)), notify=wanted, noticed=("ended at",))
    after = before.with_attempt(replace(FIRST, interruptions=1, phase="Interrupted"))
    assert tell_news(before, after, LATER) == (
        replace(after, news=5, noticed=("ended at", "first_interruption once")),
        Outbox(
            news=(
                of_attempt(3, AttemptState.INTERRUPTED, AttemptState.LAUNCHED),
                News(4, NewsKind.NOTICE, "back_on_spot", LATER, None, 1, "It trains."),
                News(5, NewsKind.NOTICE, "first_interruption", LATER, None, 1, "It trains.", about="once"),
            )
        ),
    )


def test_the_budgets_of_a_resumed_run_can_be_told_anew_even_if_it_has_no_other_news() -> None:
    told = ("budget_nearly_spent refusals 5", "first_interruption once")
    ended = replace(OPEN, status=RunStatus.STOPPED, noticed=told)
    resumed, _ = tell_news(ended, replace(OPEN, noticed=told), LATER)
    assert resumed.noticed == ("first_interruption once",)


def test_what_has_become_of_the_model_is_told_once_all_of_it_is_settled() -> None:
    completed = replace(OPEN, status=RunStatus.COMPLETED, hosting=(DEPLOYING,))
    settled = replace(completed, hosting=(SETTLED,))
    assert tell_news(OPEN, completed, LATER)[1] == Outbox(
        news=(News(3, NewsKind.RUN, "Completed", LATER, "InProgress", 1, "It trains."),)
    )
    assert tell_news(completed, settled, LATER) == (
        replace(settled, news=3),
        Outbox(news=(News(3, NewsKind.HOSTING, "Succeeded", LATER, None, 1, "It trains."),)),
    )
    assert tell_news(settled, replace(settled, reason="It is done."), LATER)[1] == Outbox()


def test_news_keep_as_much_of_a_long_reason_as_there_is_room_for() -> None:
    _, owes = tell_news(OPEN, replace(OPEN, status=RunStatus.FAILED, reason="x" * 1000), LATER)
    (told,) = owes.news
    assert told.reason == "x" * (MAX_MESSAGE_BYTES - 3) + "…"


@pytest.mark.parametrize(
    ("attempt", "state"),
    [
        (SECOND, AttemptState.PLANNED),
        (replace(SECOND, waits_for_room=True), AttemptState.QUEUED),
        (replace(SECOND, waits_for_any_room=True), AttemptState.QUEUED),
        (FIRST, AttemptState.LAUNCHED),
        (replace(FIRST, phase="Starting"), AttemptState.LAUNCHED),
        (replace(FIRST, phase="Starting", interruptions=1), AttemptState.INTERRUPTED),
        (replace(FIRST, phase="Training", interruptions=1), AttemptState.TRAINING),
        (replace(FIRST, phase="Uploading", interruptions=1), AttemptState.ENDING),
        (replace(FIRST, phase="Stopping"), AttemptState.ENDING),
        (replace(FIRST, phase="MaxWaitTimeExceeded"), AttemptState.ENDING),
        (replace(FIRST, phase="Training", status=AttemptStatus.ENDED), AttemptState.ENDED),
    ],
)
def test_others_are_told_how_far_an_attempt_is_in_few_words(attempt: Attempt, state: AttemptState) -> None:
    assert state_of(attempt) is state


RUN_NEWS = (NewsKind.RUN, "Completed")
HOSTING_NEWS = (NewsKind.HOSTING, "Succeeded")


@pytest.mark.parametrize(
    ("hosting", "of_run", "of_hosting", "told"),
    [
        ((SETTLED,), True, True, (RUN_NEWS, HOSTING_NEWS)),
        ((SETTLED,), False, True, (HOSTING_NEWS,)),
        ((SETTLED,), True, False, (RUN_NEWS,)),
        ((DEPLOYING,), True, True, (RUN_NEWS,)),
        ((SETTLED,), False, False, ()),
    ],
)
def test_what_an_earlier_release_owed_is_owed_as_news_with_the_other_duties(
    hosting: tuple[HostingTask, ...], of_run: bool, of_hosting: bool, told: tuple[tuple[NewsKind, str], ...]
) -> None:
    stored = replace(OPEN, status=RunStatus.COMPLETED, hosting=hosting, news=0, outbox=Outbox(status=True))
    news = tuple(
        News(number, kind, state, LATER, None, 1, "It trains.") for number, (kind, state) in enumerate(told, start=1)
    )
    assert owe_news(stored, of_run=of_run, of_hosting=of_hosting) == replace(
        stored, news=len(told), outbox=Outbox(status=True, news=news)
    )
