"""What a decision owes: how duties add up, and which of them a run can't go on without."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.sagemaker.job import Market, Pool

POOL = Pool("ml.m5.xlarge", Market.SPOT)
A, B = Room(POOL, "a"), Room(POOL, "b")
ONE, TWO = Measure("One", 1, Market.SPOT, "ml.m5.xlarge"), Measure("Two", 2, Market.SPOT, "ml.m5.xlarge")
ACTS: list[dict[str, Any]] = [{"freed": (A,)}, {"launch": 1}, {"canary": 1}, {"stop": "a"}, {"stop_canary": "a"}]
PUBLICATIONS: list[dict[str, Any]] = [{"status": True}]
ALL = Outbox((A,), 1, 2, "a", "b", status=True, measures=(ONE,))


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


def test_metrics_are_neither_but_are_owed() -> None:
    owed = Outbox(measures=(ONE,))
    assert (bool(owed), owed.acts) == (True, False)
    assert (owed.actions, owed.publications) == (Outbox(), Outbox())


def test_nothing_is_owed_by_an_empty_one() -> None:
    assert (bool(Outbox()), Outbox().acts) == (False, False)


def test_of_all_duties_each_part_has_its_own() -> None:
    assert ALL.actions == Outbox((A,), 1, 2, "a", "b")
    assert ALL.publications == Outbox(status=True)


@pytest.mark.parametrize("duty", [*ACTS, *PUBLICATIONS, {"measures": (ONE,)}], ids=named)
def test_what_either_owes_both_owe(duty: dict[str, Any]) -> None:
    owed, other = Outbox(**duty), Outbox(status=True)
    expected = Outbox(**{"status": True} | duty)
    assert owed.then(other) == other.then(owed) == expected


def test_what_is_owed_later_takes_the_place_of_what_was_owed_before() -> None:
    later = Outbox((B,), 3, 4, "c", "d", measures=(TWO,))
    assert ALL.then(later) == Outbox((A, B), 3, 4, "c", "d", status=True, measures=(ONE, TWO))


def test_room_is_given_back_once_however_often_it_is_owed() -> None:
    assert Outbox(freed=(A, B)).then(Outbox(freed=(B, A))).freed == (A, B)
