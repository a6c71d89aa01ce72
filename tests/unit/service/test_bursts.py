"""Bursts of objects, each of which starts one run once it has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.thoroughness import examples
from tests.unit.arriving import BUCKET, Arriving, shuffle_twice

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

SETTLE = timedelta(minutes=5)


def test_all_objects_of_a_folder_start_one_run_once_no_more_arrive() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET, "prefix": "incoming/"})
    for number in range(4):
        arriving.arrives(f"incoming/monday/part-{number}")
        arriving.passes(200)
    assert arriving.launched == []
    assert "Waiting" in arriving.runs[0].reason
    arriving.passes(100)
    assert len(arriving.launched) == len(arriving.runs) == 1
    assert arriving.runs[0].training_job["HyperParameters"]["data"] == "s3://data/incoming/monday/"


def test_each_folder_settles_by_itself() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    for key in ("monday/a", "tuesday/a", "top", "monday/b"):
        arriving.arrives(key)
    arriving.passes(300)
    found = {run.training_job["HyperParameters"]["data"] for run in arriving.runs}
    assert found == {"s3://data/monday/", "s3://data/tuesday/", "s3://data/"}


def test_an_event_that_comes_after_the_run_began_is_of_data_that_it_trained_on() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    first, late = arriving.arrival("monday/a"), arriving.arrival("monday/b")
    arriving.triggers.start_runs(first)
    arriving.passes(300)
    (run,) = arriving.triggers.start_runs(late)
    arriving.ends(run)
    arriving.triggers.start_runs(late)
    arriving.triggers.start_runs(first)
    assert len(arriving.runs) == 1


def test_data_that_arrives_after_the_run_began_starts_the_next_burst() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    arriving.arrives("monday/a")
    arriving.passes(300)
    arriving.world.clock.passes(1)
    arriving.arrives("monday/a", "2")
    arriving.passes(300)
    assert len(arriving.launched) == 2


def test_an_event_that_comes_late_does_not_keep_its_run_waiting_any_longer() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    second = arriving.arrival("monday/b")
    arriving.arrives("monday/a")
    arriving.world.clock.passes(290)
    arriving.triggers.start_runs(second)
    arriving.passes(10)
    assert len(arriving.launched) == 1


def test_data_that_never_stops_arriving_does_not_keep_its_run_waiting_for_ever() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT12H", trigger={"bucket": BUCKET})
    for number in range(5):
        arriving.arrives("monday/a", str(number))
        arriving.passes(6 * 3600)
    assert len(arriving.launched) == 1


@pytest.mark.parametrize("dies_before", ["the run", "the answer"])
def test_a_burst_that_was_noted_before_a_crash_gets_its_run_from_the_next_event(dies_before: str) -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    first, second = arriving.arrival("monday/a"), arriving.arrival("monday/b")
    create = arriving.world.store.create

    def crash(run: Run) -> Run:
        if dies_before == "the answer":
            create(run)
        raise KeyboardInterrupt

    arriving.world.store.create = crash  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        arriving.triggers.start_runs(first)
    arriving.world.store.create = create  # type: ignore[method-assign]
    arriving.triggers.start_runs(second)
    arriving.triggers.start_runs(first)
    arriving.passes(300)
    assert len(arriving.launched) == len(arriving.runs) == 1


def test_a_run_that_its_user_stopped_while_it_waited_is_not_started_again_by_the_same_data() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    arrival = arriving.arrival("monday/a")
    (run,) = arriving.triggers.start_runs(arrival)
    arriving.world.service.stop(run.id)
    arriving.triggers.start_runs(arrival)
    arriving.passes(600)
    assert arriving.launched == []
    assert len(arriving.runs) == 1


def test_the_burst_of_a_run_that_has_expired_is_forgotten() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    (run,) = arriving.arrives("monday/a")
    arriving.passes(300)
    arriving.ends(run)
    del arriving.world.store.runs[run.id]
    arriving.world.clock.passes(91 * 86_400)
    (again,) = arriving.arrives("monday/a", "2")
    assert again.id != run.id


def test_a_run_that_settles_takes_its_place_only_when_it_begins() -> None:
    arriving = Arriving()
    arriving.upload(settle="PT5M", at_most={"runs": 1}, trigger={"bucket": BUCKET})
    arriving.arrives("monday/a")
    arriving.world.clock.passes(10)
    arriving.arrives("tuesday/a")
    arriving.passes(295)
    assert len(arriving.launched) == 1
    arriving.passes(10)
    assert len(arriving.launched) == 1
    arriving.ends(arriving.runs[0])
    assert len(arriving.launched) == 2


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=12), st.integers(0, 1000))
@examples(60)
def test_bursts_train_all_data_once_whatever_the_order_of_their_events(puts: list[int], seed: int) -> None:
    """A run that begins trains on what is in the folder then; each object is there when some run begins."""
    arriving = Arriving()
    arriving.upload(settle="PT5M", trigger={"bucket": BUCKET})
    begin = arriving.world.clock()
    arrivals = [arriving.arrival("monday/a", str(n), begin + timedelta(seconds=put)) for n, put in enumerate(puts)]
    delivered = [(max(arrival.at, begin), arrival) for arrival in shuffle_twice(arrivals, seed)]
    for number, (at, arrival) in enumerate(sorted(delivered, key=lambda pair: pair[0])):
        arriving.world.clock.now = max(arriving.world.clock.now, at + timedelta(seconds=number % 7))
        arriving.ticks()
        arriving.triggers.start_runs(arrival)
    arriving.passes(4000)
    began = [run.began_at for run in arriving.runs]
    assert None not in began
    for arrival in arrivals:
        assert any(at is not None and at >= arrival.at for at in began)
    assert len(arriving.runs) <= len(puts)
    assert len(arriving.launched) == len(arriving.runs)
