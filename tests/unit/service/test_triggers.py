"""Runs that are started by objects as they arrive."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.template import Appointment, Schedule
from spot_relay.domain.values import No
from spot_relay.ports import ConflictError, RunExistsError
from tests.thoroughness import examples
from tests.unit.arriving import BUCKET, KEY, Arriving, shuffle_twice, template

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

SETTLE = timedelta(minutes=5)


def test_an_object_starts_a_run_with_what_it_is_filled_in() -> None:
    arriving = Arriving()
    arriving.upload()
    (run,) = arriving.arrives()
    assert run.id.startswith("churn-")
    assert run.training_job["HyperParameters"] == {"data": "s3://data/incoming/monday/", "day": "2026-11-23"}
    assert run.checkpoint_uri == f"s3://models/{run.id}/checkpoints/"
    assert run.start.template == KEY
    assert arriving.launched == [f"{run.id}-relay-01"]


def test_what_the_trigger_does_not_name_starts_nothing() -> None:
    arriving = Arriving()
    arriving.upload()
    for key in ("incoming/monday/data.csv", "outgoing/_SUCCESS", "_SUCCESS", "incoming/monday/_success"):
        assert arriving.arrives(key) == []
    elsewhere = replace(arriving.arrival(), bucket="more-data")
    assert arriving.triggers.start_runs(elsewhere) == ()


def test_the_same_version_of_an_object_starts_one_run_however_often_its_event_comes() -> None:
    arriving = Arriving()
    arriving.upload()
    arrival = arriving.arrival()
    for _ in range(3):
        arriving.triggers.start_runs(arrival)
        arriving.world.clock.passes(3600)
    assert len(arriving.launched) == 1
    arriving.ends(arriving.runs[0])
    arriving.triggers.start_runs(arrival)
    assert len(arriving.launched) == 1


def test_a_new_version_of_an_object_starts_another_run() -> None:
    arriving = Arriving()
    arriving.upload()
    (first,), (second,) = arriving.arrives(version="1"), arriving.arrives(version="2")
    assert first.id != second.id
    assert len(arriving.launched) == 2


def test_a_template_that_has_changed_since_does_not_train_the_same_data_again() -> None:
    arriving = Arriving()
    arriving.upload()
    arrival = arriving.arrival()
    arriving.triggers.start_runs(arrival)
    arriving.upload(policy={"budgets": {"expired_waits": 3}})
    arriving.triggers.start_runs(arrival)
    assert len(arriving.launched) == 1


def test_two_functions_that_handle_the_same_event_at_once_start_one_run() -> None:
    """The slower one finds no run, and then that there is one, with another spec."""
    arriving = Arriving()
    arriving.upload()
    arrival, store = arriving.arrival(), arriving.world.store
    (run,) = arriving.triggers.start_runs(arrival)
    arriving.upload(policy={"budgets": {"expired_waits": 3}})
    loads = [None, store.load(run.id)]

    def load(run_id: str) -> Run | None:
        return loads.pop(0) if loads else store.runs[run_id]

    def create(run: Run) -> Run:
        raise RunExistsError(run.id)

    store.load, store.create = load, create  # type: ignore[method-assign]
    assert [one.id for one in arriving.triggers.start_runs(arrival)] == [run.id]
    assert arriving.files.reports == {}


def test_each_template_that_matches_starts_a_run_of_its_own() -> None:
    arriving = Arriving()
    arriving.upload()
    arriving.upload("templates/other.json")
    assert len({run.id for run in arriving.arrives()}) == 2


def test_a_template_is_read_once_until_it_changes_and_starts_nothing_once_it_is_gone() -> None:
    arriving = Arriving()
    arriving.upload()
    arriving.files.reads.clear()
    arriving.arrives(version="1")
    arriving.arrives(version="2")
    assert arriving.files.reads == [KEY]
    arriving.upload(trigger={"bucket": BUCKET, "suffix": ".csv"})
    assert arriving.arrives(version="3") == []
    arriving.upload()
    del arriving.files.files[KEY]
    assert arriving.triggers.check(KEY) is None
    assert arriving.arrives(version="4") == []


def test_a_bad_template_is_reported_when_it_is_uploaded_and_starts_nothing() -> None:
    arriving = Arriving()
    arriving.upload(settle="soon", at_most={"runs": 0})
    assert [problem["path"] for problem in arriving.files.reports[KEY]] == ["settle", "at_most.runs"]
    assert arriving.arrives() == []
    arriving.upload()
    assert arriving.files.reports == {}
    assert len(arriving.arrives()) == 1


def test_a_bad_template_keeps_no_other_one_from_starting() -> None:
    arriving = Arriving()
    arriving.upload("templates/a.json", training_job=None)
    arriving.upload()
    assert len(arriving.arrives()) == 1


def test_a_run_that_what_arrived_makes_invalid_is_reported_for_itself() -> None:
    arriving = Arriving()
    arriving.upload(training_job=template()["training_job"] | {"Tags": [{"Key": "data", "Value": "{key}"}]})
    assert arriving.files.reports == {}
    assert arriving.arrives("incoming/a&b/_SUCCESS") == []
    ((key, problems),) = arriving.files.reports.items()
    assert key.startswith(f"{KEY}/churn-")
    assert problems[0]["path"] == "training_job.Tags[0].Value"
    assert len(arriving.arrives("incoming/a-b/_SUCCESS")) == 1


def test_what_a_key_contains_is_text_and_nothing_else() -> None:
    arriving = Arriving()
    arriving.upload(training_job=template()["training_job"] | {"Environment": {"KEY": "{key} {{key}}"}})
    (run,) = arriving.arrives('incoming/{name}"; {0.__class__} %s/_SUCCESS')
    assert run.training_job["Environment"]["KEY"] == 'incoming/{name}"; {0.__class__} %s/_SUCCESS {key}'


def test_an_error_with_one_template_is_raised_once_the_others_were_tried() -> None:
    arriving = Arriving()
    arriving.upload("templates/a.json", settle="PT5M")
    arriving.upload("templates/b.json")
    arriving.bursts.open = lambda *_, **__: False  # type: ignore[method-assign]
    with pytest.raises(ConflictError):
        arriving.arrives()
    assert [run.start.template for run in arriving.runs] == ["templates/b.json"]


def test_what_exceeds_the_limit_waits_and_begins_when_others_end() -> None:
    arriving = Arriving()
    arriving.upload(at_most={"runs": 2})
    for number in range(5):
        arriving.arrives(version=str(number))
        arriving.world.clock.passes(1)
    assert len(arriving.launched) == len(arriving.under_way) == 2
    waiting = arriving.runs[2]
    assert (waiting.status, waiting.reason) == (
        RunStatus.PENDING,
        "Waiting until fewer than 2 other runs of templates/churn.json are under way.",
    )
    for number, (status, then) in enumerate([("Completed", 3), ("Failed", 4), ("Completed", 5)]):
        arriving.ends(arriving.runs[number], status)
        assert len(arriving.launched) == then
    assert arriving.launched == [f"{run.id}-relay-01" for run in arriving.runs]


def test_a_waiting_run_that_is_stopped_lets_the_others_pass() -> None:
    arriving = Arriving()
    arriving.upload(at_most={"runs": 1})
    for number in range(3):
        arriving.arrives(version=str(number))
        arriving.world.clock.passes(1)
    arriving.world.service.stop(arriving.runs[1].id)
    arriving.ends(arriving.runs[0])
    assert [run.status for run in arriving.runs] == [RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.IN_PROGRESS]


def test_the_tick_repairs_a_lost_wake_up_within_the_hour_and_looks_no_more_often() -> None:
    arriving = Arriving()
    arriving.upload(at_most={"runs": 1})
    arriving.arrives(version="1")
    arriving.world.clock.passes(1)
    arriving.arrives(version="2")
    first, second = arriving.runs
    arriving.passes(60)
    arriving.world.jobs.becomes(f"{first.id}-relay-01", "Completed", "Completed")
    arriving.world.service.advance(first.id, arriving.world.event(1, "Completed", "Completed"))
    assert arriving.world.wakeups.told == [second.id]
    arriving.passes(3500)
    assert len(arriving.launched) == 1
    arriving.passes(100)
    assert len(arriving.launched) == 2


SCHEDULED = template(trigger=None, schedule="rate(1 day)")["training_job"] | {"HyperParameters": {"day": "{date}"}}


def test_a_template_has_the_schedule_that_it_says_as_long_as_it_says_so() -> None:
    arriving = Arriving()
    arriving.upload(trigger=None, schedule="rate(1 day)", training_job=SCHEDULED)
    assert arriving.schedules.schedules == {KEY: Schedule("rate(1 day)")}
    arriving.upload(
        trigger=None, schedule={"expression": "rate(2 days)", "timezone": "Asia/Tokyo"}, training_job=SCHEDULED
    )
    assert arriving.schedules.schedules == {KEY: Schedule("rate(2 days)", "Asia/Tokyo")}
    arriving.upload()
    assert arriving.schedules.schedules == {}


def test_a_schedule_that_is_refused_is_a_problem_of_the_template() -> None:
    arriving = Arriving()
    arriving.schedules.refusal = No("EventBridge Scheduler refuses the schedule: Invalid timezone.")
    arriving.upload(trigger=None, schedule="rate(1 day)", training_job=SCHEDULED)
    assert arriving.files.reports[KEY] == [{"path": "schedule", "message": arriving.schedules.refusal.because}]


def test_a_time_of_a_schedule_starts_one_run_with_its_date() -> None:
    arriving = Arriving()
    arriving.upload(trigger=None, schedule="rate(1 day)", training_job=SCHEDULED)
    at = arriving.world.clock()
    runs = {run.id for _ in range(3) for run in arriving.triggers.start(Appointment(KEY, at))}
    assert len(runs) == len(arriving.launched) == 1
    assert arriving.runs[0].training_job["HyperParameters"] == {"day": "2026-11-23"}
    (later,) = arriving.triggers.start(Appointment(KEY, at + timedelta(days=1)))
    assert later.id not in runs


def test_a_template_that_changes_while_it_is_checked_is_checked_again() -> None:
    """So the schedule is the newest template's, although the older one's check ends last."""
    arriving = Arriving()
    arriving.upload(trigger=None, schedule="rate(1 day)", training_job=SCHEDULED)
    put, newest = arriving.schedules.put, json.dumps(template()).encode()

    def put_late(template: str, schedule: Schedule) -> No | None:
        if arriving.files.files[KEY] != newest:
            # Another function checks what was uploaded meanwhile, before this one puts what it has read.
            arriving.files.files[KEY] = newest
            arriving.triggers.check(KEY)
        return put(template, schedule)

    arriving.schedules.put = put_late  # type: ignore[method-assign]
    arriving.triggers.check(KEY)
    assert arriving.schedules.schedules == {}


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["1", "2", "3"])), min_size=1, max_size=8, unique=True),
    st.integers(0, 1000),
    st.none() | st.integers(1, 3),
    st.lists(st.integers(0, 400), max_size=16),
)
@examples(60)
def test_events_in_any_order_and_number_start_one_run_per_version_and_never_exceed_the_limit(
    versions: list[tuple[str, str]], seed: int, most: int | None, pauses: list[int]
) -> None:
    arriving = Arriving()
    arriving.upload(at_most=None if most is None else {"runs": most})
    arrivals = [arriving.arrival(f"incoming/{folder}/_SUCCESS", version) for folder, version in versions]
    for number, event in enumerate(shuffle_twice(arrivals, seed)):
        arriving.triggers.start_runs(event)
        arriving.passes(pauses[number % len(pauses)] if pauses else 1)
        assert most is None or len(arriving.under_way) <= most
        if number % 3 == 2 and arriving.under_way:
            arriving.ends(arriving.under_way[0])
            assert most is None or len(arriving.under_way) <= most
    while arriving.under_way:
        arriving.ends(arriving.under_way[0])
        assert most is None or len(arriving.under_way) <= most
    assert len(arriving.runs) == len(versions)
    assert {run.status for run in arriving.runs} == {RunStatus.COMPLETED}
    assert sorted(arriving.launched) == sorted(f"{run.id}-relay-01" for run in arriving.runs)


def test_the_reasons_of_a_bad_template_read_as_those_of_a_bad_spec() -> None:
    arriving = Arriving()
    arriving.files.files[KEY] = json.dumps({"name": "churn"}).encode()
    arriving.triggers.check(KEY)
    assert [problem["message"] for problem in arriving.files.reports[KEY]] == [
        "The template has neither trigger nor schedule, so it would never start a run. Add one.",
        "This key is required: it is the CreateTrainingJob request. Add it.",
    ]
