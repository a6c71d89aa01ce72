"""What happens to a run is told by events: each change once it is saved, by an id of its own, until it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.news import MOST_NEWS
from spot_relay.domain.run.observation import Due
from spot_relay.domain.run.run import OUTBOX_PATIENCE
from spot_relay.domain.shown.events import ATTEMPT_CHANGE, RUN_CHANGE
from spot_relay.service import NotPublishedError
from tests.event_schemas import find_flaw
from tests.fakes import MemoryAnnouncements
from tests.unit.crashes import Grim, KilledError, guarded
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.shown.events import Event


def told(world: World) -> list[str]:
    """What was told of the run and its attempts, in the order of their numbers."""
    shown = {
        detail["sequence"]: f"{detail.get('attempt', 'run')} {detail.get('state', detail['status'])}"
        for event in world.announcements.events
        for detail in [event.detail]
        if event.detail_type in {RUN_CHANGE, ATTEMPT_CHANGE}
    }
    return [shown[number] for number in sorted(shown)]


def relaunched(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600, billable_seconds=200)
    world.trains(2)
    world.tell(
        2, "Completed", "Completed", training_seconds=600, model_artifacts="s3://models/churn/output/model.tar.gz"
    )


def test_each_change_of_the_run_and_of_its_attempts_is_told_in_order() -> None:
    world = World()
    relaunched(world)
    assert told(world) == [
        *("1 Planned", "run Pending"),
        *("1 Launched", "run InProgress"),
        *("1 Training", "1 Interrupted"),
        *("1 Ended", "2 Planned", "run Pending"),
        *("2 Launched", "run InProgress"),
        *("2 Training", "2 Ended", "run Completed"),
    ]
    assert [find_flaw(event) for event in world.announcements.events] == [None] * len(world.announcements.events)
    ids = [event.id for event in world.announcements.events]
    assert len(ids) == len(set(ids))


def test_the_end_of_an_attempt_is_told_with_its_job_its_cause_and_its_model() -> None:
    world = World()
    relaunched(world)
    one, two = (detail for detail in world.announcements.attempts if detail["state"] == "Ended")
    assert (one["job_name"], one["cause"], one["outcome"]) == ("churn-relay-01", "Submitted", "MaxWaitTimeExceeded")
    assert (one["previous_state"], one["checkpoint"], one["billable_seconds"]) == (
        "Interrupted",
        "churn/checkpoints/a",
        200,
    )
    assert (two["cause"], two["outcome"]) == ("MaxWaitTimeExceeded", "Completed")
    assert two["model_artifacts"] == "s3://models/churn/output/model.tar.gz"
    end = world.announcements.details[-1]
    assert (end["status"], end["previous_status"], end["job_name"]) == ("Completed", "InProgress", "churn-relay-02")
    assert end["model_artifacts"] == two["model_artifacts"]


def test_events_that_the_bus_rejects_are_sent_again_and_the_others_are_not() -> None:
    world = World(announcements=MemoryAnnouncements(rejects=lambda event: event.detail_type == RUN_CHANGE))
    with pytest.raises(NotPublishedError):
        world.service.submit(submission())
    assert told(world) == ["1 Planned"]
    assert [one.number for one in world.run().outbox.news] == [2, 3, 4], "2 was rejected, and came with 1"
    world.announcements.rejects = lambda _: False
    world.clock.passes(360)
    world.advance(Due())
    assert not world.run().outbox.news
    assert told(world) == ["1 Planned", "run Pending", "1 Launched", "run InProgress"]
    assert len(world.announcements.events) == 4


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_a_function_that_dies_leaves_what_it_had_to_tell_to_the_next_one(number: int, after: bool) -> None:
    whole, world = World(), World()
    relaunched(whole)
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    event = world.event(1, "Stopped", "MaxWaitTimeExceeded")
    with pytest.raises(KilledError):
        guarded(world, Grim(number, after=after)).advance("churn", event)
    world.clock.passes(360)
    world.advance(event)
    world.passes(360)
    assert told(world) == told(whole)[: len(told(world))]
    assert told(world)[-1] == "run InProgress"
    facts: dict[str, object] = {}
    for one in world.announcements.events:
        assert facts.setdefault(one.id, (one.detail_type, one.detail["at"])) == (one.detail_type, one.detail["at"])


def test_a_bus_that_takes_nothing_for_long_costs_the_oldest_news_and_nothing_else() -> None:
    world = World(announcements=MemoryAnnouncements(rejects=lambda _: True))
    with pytest.raises(NotPublishedError):
        world.service.submit(submission())
    for phase in ("Training", "Interrupted") * MOST_NEWS:
        world.clock.passes(60)
        with pytest.raises(NotPublishedError):
            world.tell(1, "InProgress", phase)
    assert len(world.run().outbox.news) == MOST_NEWS
    assert world.run().outbox.news[-1].number == world.run().news
    world.announcements.rejects = lambda _: False
    world.tell(1, "Completed", "Completed")
    assert world.announcements.details[-1]["status"] == "Completed"
    world.clock.passes(OUTBOX_PATIENCE.total_seconds())
    world.advance(Due())
    assert not world.run().outbox.news


def test_two_functions_that_work_on_a_run_at_the_same_time_do_not_tell_the_same_news() -> None:
    world = World()
    world.service.submit(submission())
    before = len(world.announcements.events)

    def meanwhile(_: Event) -> bool:
        # While the first function tells, a second one gets the same event of SageMaker.
        world.announcements.rejects = lambda _: False
        world.tell(1, "InProgress", "Training")
        return False

    world.announcements.rejects = meanwhile
    world.tell(1, "InProgress", "Training")
    sent = [event.id for event in world.announcements.events]
    assert len(set(sent)) == len(sent) > before
    assert not world.run().outbox.news


def test_the_news_of_a_function_that_died_is_told_by_another_one_when_it_must_be_dead() -> None:
    world = World()
    world.service.submit(submission())
    before = len(world.announcements.events)

    def die(_: Event) -> bool:
        raise KilledError

    world.announcements.rejects = die
    with pytest.raises(KilledError):
        world.tell(1, "InProgress", "Training")
    world.announcements.rejects = lambda _: False
    world.advance(Due())
    assert len(world.announcements.events) == before
    world.clock.passes(OUTBOX_PATIENCE.total_seconds())
    world.advance(Due())
    assert len(world.announcements.events) > before
    assert not world.run().outbox.news
