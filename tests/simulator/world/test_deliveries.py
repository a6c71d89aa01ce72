"""How the events of a job travel, as a scenario says."""

from __future__ import annotations

from simulator.life.job import Secondary
from simulator.world.deliveries import Deliveries
from simulator.world.scenario import DropRule, EventsRule


def delays(rule: EventsRule, job: str = "churn", events: int = 1) -> list[tuple[float, ...]]:
    deliveries = Deliveries()
    return [deliveries.delays(job, Secondary.TRAINING, rule) for _ in range(events)]


def test_an_event_arrives_once_and_at_once_by_default() -> None:
    assert delays(EventsRule()) == [(0.0,)]


def test_every_copy_is_delayed_by_the_same_time_and_a_random_one() -> None:
    (copies,) = delays(EventsRule(duplicates=9, delay_seconds=5, shuffle_within_seconds=2))

    assert len(set(copies)) == 10
    assert all(5 <= delay <= 7 for delay in copies)


def test_events_of_some_statuses_can_be_lost() -> None:
    deliveries, rule = Deliveries(), EventsRule(drop=DropRule(statuses=(Secondary.TRAINING,)))

    assert deliveries.delays("churn", Secondary.TRAINING, rule) == ()
    assert deliveries.delays("churn", Secondary.UPLOADING, rule) == (0.0,)


def test_a_fraction_of_all_events_can_be_lost() -> None:
    drawn = delays(EventsRule(drop=DropRule(fraction=0.3)), events=1000)

    assert 200 < drawn.count(()) < 400


def test_the_seed_and_the_name_of_the_job_determine_what_is_drawn() -> None:
    rule = EventsRule(duplicates=3, shuffle_within_seconds=10)
    other_seed = rule.model_copy(update={"seed": 1})

    assert delays(rule) == delays(rule)
    assert delays(rule) != delays(rule, job="other")
    assert delays(rule) != delays(other_seed)
