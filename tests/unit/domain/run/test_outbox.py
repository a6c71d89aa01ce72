"""What a decision owes: how duties add up, and which of them a run can't go on without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spot_relay.domain.run.hosting import HostingKind
from spot_relay.domain.run.news import News, NewsKind
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.sagemaker.job import Market, Pool
from tests.fakes import NOON

POOL = Pool("ml.m5.xlarge", Market.SPOT)
A, B = Room(POOL, "a"), Room(POOL, "b")
ONE, TWO = Measure("One", 1, Market.SPOT, "ml.m5.xlarge"), Measure("Two", 2, Market.SPOT, "ml.m5.xlarge")
ACTS: list[dict[str, Any]] = [
    *({"freed": (A,)}, {"launch": 1}, {"canary": 1}, {"stop": "a"}, {"stop_canary": "a"}),
    *({"tell_followers": True}, {"copy": True}, {"host": (HostingKind.DEPLOY,)}),
]
PUBLICATIONS: list[dict[str, Any]] = [{"status": True}]


def news(*numbers: int, state: str = "Completed") -> tuple[News, ...]:
    return tuple(News(number, NewsKind.RUN, state, NOON) for number in numbers)


TOLD: list[dict[str, Any]] = [{"news": news(1)}, {"tasks": ("token",)}]
ALL = Outbox(
    freed=(A,),
    launch=1,
    canary=2,
    stop="a",
    stop_canary="b",
    status=True,
    news=news(1),
    tell_followers=True,
    told="c",
    copy=True,
    host=(HostingKind.DEPLOY,),
    tasks=("token",),
    measures=(ONE,),
)


def named(duty: dict[str, Any]) -> str:
    return next(iter(duty))


@pytest.mark.parametrize("duty", ACTS, ids=named)
def test_what_changes_the_world_has_to_be_done_before_a_run_can_go_on(duty: dict[str, Any]) -> None:
    owed = Outbox(**duty)
    assert (bool(owed), owed.acts) == (True, True)
    assert owed.actions == owed
    assert not owed.publications


@pytest.mark.parametrize("duty", PUBLICATIONS, ids=named)
def test_what_is_published_is_owed_to_those_who_read_of_the_run(duty: dict[str, Any]) -> None:
    owed = Outbox(**duty)
    assert (bool(owed), owed.acts) == (True, False)
    assert owed.publications == owed
    assert not owed.actions


@pytest.mark.parametrize("duty", TOLD, ids=named)
def test_what_is_told_once_it_is_saved_is_owed_and_keeps_no_run_from_going_on(duty: dict[str, Any]) -> None:
    owed = Outbox(**duty)
    assert (bool(owed), owed.acts) == (True, False)
    assert (owed.actions, owed.publications) == (owed, Outbox())


def test_metrics_are_neither_but_are_owed() -> None:
    owed = Outbox(measures=(ONE,))
    assert (bool(owed), owed.acts) == (True, False)
    assert (owed.actions, owed.publications) == (Outbox(), Outbox())


@pytest.mark.parametrize("duty", [*ACTS, *PUBLICATIONS, *TOLD], ids=named)
def test_metrics_are_published_with_the_decision_if_nothing_else_is_owed(duty: dict[str, Any]) -> None:
    assert Outbox(measures=(ONE,)).measures_alone == (ONE,)
    assert Outbox(**duty, measures=(ONE,)).measures_alone == ()


def test_nothing_is_owed_by_an_empty_one() -> None:
    assert (bool(Outbox()), Outbox().acts) == (False, False)


def test_of_all_duties_each_part_has_its_own() -> None:
    assert ALL.actions == replace(ALL, status=False, measures=())
    assert ALL.publications == Outbox(status=True)


@pytest.mark.parametrize("duty", [*ACTS, *PUBLICATIONS, *TOLD, {"measures": (ONE,)}], ids=named)
def test_what_either_owes_both_owe(duty: dict[str, Any]) -> None:
    owed, other = Outbox(**duty), Outbox(status=True)
    expected = Outbox(**{"status": True} | duty)
    assert owed.then(other) == other.then(owed) == expected
    assert owed.then(Outbox()) == Outbox().then(owed) == owed


def test_what_is_owed_later_takes_the_place_of_what_was_owed_before_or_comes_after_it() -> None:
    later = Outbox(
        freed=(B,),
        launch=3,
        canary=4,
        stop="c",
        stop_canary="d",
        news=news(2),
        tell_followers=True,
        told="d",
        host=(HostingKind.REGISTER_MODEL,),
        tasks=("other",),
        measures=(TWO,),
    )
    assert ALL.then(later) == replace(
        later,
        freed=(A, B),
        status=True,
        news=news(1, 2),
        copy=True,
        host=(HostingKind.DEPLOY, HostingKind.REGISTER_MODEL),
        tasks=("token", "other"),
        measures=(ONE, TWO),
    )


def test_what_is_owed_stays_if_something_else_is_owed_later() -> None:
    assert ALL.then(Outbox(measures=(TWO,))) == replace(ALL, measures=(ONE, TWO))


def test_a_duty_is_done_once_however_often_it_is_owed() -> None:
    a, b, *_ = HostingKind
    assert Outbox(freed=(A, B), host=(a, b), tasks=("a", "b"), news=news(1, 2)).then(
        Outbox(freed=(B, A), host=(b, a), tasks=("b", "a"), news=news(2, 1))
    ) == Outbox(freed=(A, B), host=(a, b), tasks=("a", "b"), news=news(1, 2))


def test_of_news_with_one_number_the_later_is_told_and_all_in_their_order() -> None:
    both = Outbox(news=news(2, 4)).then(Outbox(news=news(3, 4, 1, state="Failed")))
    assert both.news == (*news(1, state="Failed"), *news(2), *news(3, 4, state="Failed"))


def test_the_oldest_news_is_dropped_once_there_is_too_much() -> None:
    assert Outbox(news=news(*range(1, 41))).then(Outbox(news=news(41))).news == news(*range(2, 42))
    assert Outbox(news=news(*range(1, 40))).then(Outbox(news=news(40))).news == news(*range(1, 41))
