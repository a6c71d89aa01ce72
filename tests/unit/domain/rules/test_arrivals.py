"""What an arrival starts: the name of its run, what is filled into the template, and what it is to its burst."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.arrivals import (
    MAX_TEMPLATE_NAME,
    Step,
    folder_of,
    join_burst,
    name_run_of,
    name_scheduled_run,
    values_of,
    values_of_burst,
    values_of_schedule,
)
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.run.template import Arrival, Burst, Template
from spot_relay.domain.sagemaker.job import MAX_JOB_NAME
from tests.fakes import NOON
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = Template("templates/churn.json", "churn", {})
ARRIVAL = Arrival("data", "incoming/monday/_SUCCESS", "1", NOON)
BURST = Burst("churn-burst", NOON)
RETENTION = timedelta(days=90)
MOMENT = timedelta(milliseconds=1)
BEGUN = accept(submission(), "one", NOON + timedelta(minutes=5))
WAITING = replace(BEGUN, waits_to_begin=True)


def test_a_runs_name_is_the_same_in_every_release_and_for_every_event_about_one_version_of_an_object() -> None:
    late = replace(ARRIVAL, at=NOON + timedelta(hours=1))
    assert name_run_of(TEMPLATE, ARRIVAL) == name_run_of(TEMPLATE, late) == snapshot("churn-14206feb83f01be3")


def test_another_template_bucket_key_or_version_is_another_run() -> None:
    changes = ({"bucket": "more-data"}, {"key": "incoming/monday/_DONE"}, {"version": "2"})
    names = {name_run_of(TEMPLATE, replace(ARRIVAL, **change)) for change in ({}, *changes)}  # type: ignore[arg-type]
    assert len(names | {name_run_of(replace(TEMPLATE, key="templates/other.json"), ARRIVAL)}) == 5


def test_the_longest_name_of_a_template_leaves_room_for_its_runs_names() -> None:
    longest = replace(TEMPLATE, name="x" * MAX_TEMPLATE_NAME)
    assert len(name_run_of(longest, ARRIVAL)) == MAX_JOB_NAME
    assert name_run_of(longest, ARRIVAL).startswith(f"{longest.name}-")


def test_a_time_of_the_schedule_has_one_run_in_whatever_zone_it_is_told() -> None:
    in_berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    name = name_scheduled_run(TEMPLATE, NOON)
    assert name == name_scheduled_run(TEMPLATE, in_berlin) == snapshot("churn-68d766d42e06545a")
    assert name != name_scheduled_run(TEMPLATE, NOON + timedelta(seconds=1))


@pytest.mark.parametrize(("key", "folder"), [("a", ""), ("a/b", "a/"), ("a/b/c", "a/b/"), ("a//c", "a//")])
def test_the_folder_of_an_object_is_its_key_up_to_the_last_slash(key: str, folder: str) -> None:
    assert folder_of(key) == folder


def test_placeholders_stand_for_where_the_object_is_when_it_was_put_and_the_run() -> None:
    assert values_of(ARRIVAL, "churn-1") == {
        "key": "incoming/monday/_SUCCESS",
        "bucket": "data",
        "prefix": "incoming/monday/",
        "name": "churn-1",
        "date": "2026-11-23",
    }


def test_placeholders_stand_for_the_same_in_a_burst_whichever_of_its_objects_is_heard_of() -> None:
    next_day = replace(ARRIVAL, key="incoming/monday/b", at=NOON + timedelta(days=1))
    expected = {"bucket": "data", "prefix": "incoming/monday/", "name": "churn-burst", "date": "2026-11-23"}
    assert values_of_burst(ARRIVAL, BURST) == values_of_burst(next_day, BURST) == expected


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine be in a time zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_zone")
def test_a_scheduled_run_is_named_and_dated_in_utc_wherever_the_machine_is() -> None:
    late = datetime(2026, 11, 24, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert values_of_schedule(late, "churn-1") == {"name": "churn-1", "date": "2026-11-23"}
    assert name_scheduled_run(TEMPLATE, late) == snapshot("churn-bf76b2bef5c7171e")


@pytest.mark.parametrize(
    ("burst", "run", "at", "step"),
    [
        (None, None, timedelta(), Step.OPEN),
        (BURST, None, timedelta(), Step.CREATE),
        (BURST, WAITING, timedelta(), Step.EXTEND),
        (BURST, BEGUN, timedelta(minutes=5), Step.NOTHING),
        (BURST, BEGUN, timedelta(minutes=5) + MOMENT, Step.OPEN),
        (BURST, replace(WAITING, status=RunStatus.STOPPED, ended_at=NOON), timedelta(), Step.NOTHING),
        (BURST, replace(WAITING, status=RunStatus.STOPPED, ended_at=NOON), MOMENT, Step.OPEN),
        (BURST, replace(WAITING, status=RunStatus.FAILED), timedelta(), Step.OPEN),
    ],
    ids=[
        "the first of its folder",
        "its burst is noted, but has no run",
        "its run waits",
        "it was there when its run began",
        "it came after its run had begun",
        "it was there when its run was stopped",
        "it came after its run was stopped",
        "nobody knows what its run has covered",
    ],
)
def test_an_arrival_opens_a_burst_belongs_to_one_or_was_trained_on(
    burst: Burst | None, run: Run | None, at: timedelta, step: Step
) -> None:
    assert join_burst(burst, run, replace(ARRIVAL, at=NOON + at), NOON + timedelta(days=1), RETENTION) is step


def test_a_burst_whose_run_may_have_been_deleted_is_over() -> None:
    assert join_burst(BURST, None, ARRIVAL, NOON + RETENTION, RETENTION) is Step.CREATE
    assert join_burst(BURST, None, ARRIVAL, NOON + RETENTION + MOMENT, RETENTION) is Step.OPEN
