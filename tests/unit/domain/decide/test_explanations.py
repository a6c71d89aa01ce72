"""Why a run is where it is: each decision that changed it is kept, with its time, its observation and its reason."""

from __future__ import annotations

import ast
import copy
import re
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay import domain
from spot_relay.domain.decide.decision import decide, settle
from spot_relay.domain.decide.steps import KEPT_DECISIONS, explain
from spot_relay.domain.run.observation import Due, Launched
from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.domain.run.run import Explanation, ProgressPoint, Run
from spot_relay.domain.sagemaker.job import Transition
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.thoroughness import examples
from tests.unit.any_run import facts, moments, runs
from tests.unit.crowds import SPOT, Crowd
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts

CAPACITY = "CapacityError: Unable to provision."


@pytest.fixture
def world() -> World:
    return World()


def told(run: Run) -> list[tuple[str, str]]:
    return [(entry.observation, entry.reason) for entry in run.decisions]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_run_tells_its_story_from_the_launch_to_the_end(world: World) -> None:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Stopped", "MaxWaitTimeExceeded", training_seconds=600)
    world.clock.passes(10)
    run = world.tell(2, "Completed", "Completed", training_seconds=60)
    assert told(run) == snapshot(
        [
            ("Launched", "Created churn-relay-01 for the submitted spec."),
            ("JobChanged", "churn-relay-01 is Training."),
            (
                "JobChanged",
                "churn-relay-01 reached MaxWaitTimeInSeconds before it finished. churn-relay-02 continues from the checkpoint churn/checkpoints/a.",
            ),
            ("Launched", "Created churn-relay-02 because the attempt before it reached MaxWaitTimeInSeconds."),
            ("JobChanged", "churn-relay-02 completed the training."),
        ]
    )
    assert [entry.at for entry in run.decisions] == [NOON, after(60), after(660), after(660), after(670)]
    assert {(entry.times, entry.until) for entry in run.decisions} == {(1, None)}


def test_the_newest_explanation_is_the_reason_of_the_run(world: World) -> None:
    world.service.submit(submission())
    for status, secondary in (("InProgress", "Training"), ("InProgress", "Interrupted"), ("Stopped", "Stopped")):
        world.clock.passes(60)
        run = world.tell(1, status, secondary)
        assert run.decisions[-1].reason == run.reason
        assert run.decisions[-1].at == run.updated_at == world.clock()


def test_a_backoff_and_what_a_user_asks_for_are_explained_too(world: World) -> None:
    world.service.submit(submission())
    world.clock.passes(1)
    world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    world.service.stop("churn")
    run = world.service.resume("churn")
    assert [entry.observation for entry in run.decisions] == [
        "Launched",
        "JobChanged",
        "StopRequested",
        "ResumeRequested",
        "Launched",
    ]


def test_what_changes_nothing_is_not_explained(world: World) -> None:
    world.service.submit(submission())
    event = world.event(1, "InProgress", "Training")
    world.clock.passes(60)
    world.tell(1, "InProgress", "Training")
    known = world.run().decisions
    world.advance(event)
    world.advance(Launched(1, "arn"))
    world.advance(Due())
    assert world.run().decisions == known


def test_a_decision_that_repeats_itself_stands_once_with_its_times_and_its_last_time(world: World) -> None:
    world.service.submit(submission())
    world.clock.passes(60)
    world.tell(1, "InProgress", "Training", training_started_at=world.clock())
    for _ in range(12):
        world.clock.passes(300)
        world.tick()
    looked = world.run().decisions[-1]
    assert looked == Explanation(after(360), "Due", "churn-relay-01 is Training.", times=12, until=after(3660))
    assert len(world.run().decisions) == 3


def test_the_same_reason_for_another_observation_is_another_decision(world: World) -> None:
    world.service.submit(submission())
    run = explain(explain(world.run(), "Due", "because", after(1)), "JobChanged", "because", after(2))
    assert told(run)[-2:] == snapshot([("Due", "because"), ("JobChanged", "because")])


def test_a_wait_for_room_of_a_day_stands_in_a_few_lines_and_leaves_the_story_before_it() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second")
    crowd.minutes(24 * 60)
    second = crowd.run("second")
    kinds = [(entry.observation, entry.times) for entry in second.decisions]
    assert kinds == [("Refused", 24 * 60 + 1), ("Due", 24 * 60)]
    assert second.decisions[0].at == after(2)
    assert second.decisions[0].until == after(2 + 24 * 3600)
    crowd.ends("first")
    crowd.deliver()
    assert [entry.observation for entry in crowd.run("second").decisions] == ["Refused", "Due", "RoomFreed", "Launched"]


def test_a_launch_that_is_put_off_again_and_again_stands_in_a_few_lines(world: World) -> None:
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded")] * 30
    world.service.submit(submission())
    for _ in range(600):
        world.clock.passes(60)
        world.tick()
    assert [(entry.observation, entry.times) for entry in world.run().decisions[:3]] == [
        ("Refused", 30),
        ("Due", 30),
        ("Launched", 1),
    ]


def test_the_newest_decisions_are_kept_and_no_more_than_forty(world: World) -> None:
    world.service.submit(submission(Policy(Budgets(expired_waits=50))))
    for number in range(1, 31):
        world.clock.passes(60)
        world.tell(number, "Stopped", "MaxWaitTimeExceeded")
    run = world.run()
    assert len(run.decisions) == KEPT_DECISIONS == 40
    assert [(entry.observation, entry.at) for entry in run.decisions[::39]] == [
        ("JobChanged", after(11 * 60)),
        ("Launched", after(30 * 60)),
    ]


def test_the_status_document_shows_the_decisions(world: World) -> None:
    world.service.submit(submission())
    world.clock.passes(60)
    world.tell(1, "InProgress", "Training", training_started_at=world.clock())
    for _ in range(2):
        world.clock.passes(300)
        world.tick()
    assert world.documents.written["churn"]["decisions"] == snapshot(
        [
            {
                "at": "2026-11-23T12:00:00.000Z",
                "observation": "Launched",
                "reason": "Created churn-relay-01 for the submitted spec.",
                "times": 1,
                "until": None,
            },
            {
                "at": "2026-11-23T12:01:00.000Z",
                "observation": "JobChanged",
                "reason": "churn-relay-01 is Training.",
                "times": 1,
                "until": None,
            },
            {
                "at": "2026-11-23T12:06:00.000Z",
                "observation": "Due",
                "reason": "churn-relay-01 is Training.",
                "times": 2,
                "until": "2026-11-23T12:11:00.000Z",
            },
        ]
    )


def test_an_explanation_hides_what_the_reason_hides(world: World) -> None:
    world.service.submit(submission())
    world.tell(1, "Failed", "Failed", failure_reason="ClientError: the value very-secret of api_key is not allowed")
    assert "very-secret" not in repr(world.documents.written["churn"]["decisions"])


@given(said=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"])), max_size=150))
def test_whatever_is_said_the_list_is_bounded_in_order_and_ends_with_what_was_said_last(
    said: list[tuple[str, str]],
) -> None:
    run = World().service.submit(submission())
    run = replace(run, decisions=())
    for second, (observation, reason) in enumerate(said):
        run = explain(run, observation, reason, after(second))
    assert len(run.decisions) <= KEPT_DECISIONS
    assert [entry.at for entry in run.decisions] == sorted(entry.at for entry in run.decisions)
    if len(said) <= KEPT_DECISIONS:
        assert sum(entry.times for entry in run.decisions) == len(said)
    if said:
        newest = max(run.decisions, key=lambda entry: entry.until or entry.at)
        assert ((newest.observation, newest.reason), newest.until or newest.at) == (said[-1], after(len(said) - 1))


# A decision depends on nothing but what it is given


@examples(200)
@given(run=runs(), known=facts, now=moments)
def test_the_same_run_facts_and_time_give_the_same_decision_and_stay_as_they_were(
    run: Run, known: Facts, now: datetime
) -> None:
    given_before = copy.deepcopy((run, known, now))
    first = decide(run, known, now)
    assert decide(*copy.deepcopy((run, known, now))) == first
    assert (run, known, now) == given_before
    if run.outbox.launch is None:
        assert settle(run, (known.observation,), known, now) == settle(run, (known.observation,), known, now)


@examples(200)
@given(run=runs(), known=facts, now=moments)
def test_every_decision_that_changes_a_run_is_its_newest_explanation(run: Run, known: Facts, now: datetime) -> None:
    decision = decide(run, known, now)
    if decision.run is run:
        return
    newest = max(decision.run.decisions, key=lambda entry: entry.until or entry.at)
    assert (newest.observation, newest.reason) == (type(known.observation).__name__, decision.reason)
    assert (newest.until or newest.at) == now


def moved(value: Any, by: timedelta, *, speechless: bool = False) -> Any:
    """The same value, with all moments in it moved; speechless, its texts lose their digits: some tell of moments."""
    if isinstance(value, datetime):
        return value + by
    if isinstance(value, str) and not isinstance(value, Enum):
        return re.sub(r"[0-9]", "", value) if speechless else value
    if isinstance(value, dict):
        return {key: moved(item, by, speechless=speechless) for key, item in value.items()}
    if isinstance(value, Transition | ProgressPoint):
        return type(value)(*moved(tuple(value), by, speechless=speechless))
    if isinstance(value, tuple | list):
        return type(value)(moved(item, by, speechless=speechless) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes = {field.name: moved(getattr(value, field.name), by, speechless=speechless) for field in fields(value)}
    return replace(value, **changes)


@examples(200)
@given(run=runs(), known=facts, now=moments, years=st.integers(-100, 400))
def test_a_decision_made_at_another_time_with_all_moments_moved_is_the_same_decision(
    run: Run, known: Facts, now: datetime, years: int
) -> None:
    # Whoever asked a clock would decide otherwise in another century.
    by = timedelta(days=365 * years)
    here = decide(run, known, now)
    there = decide(moved(run, by), moved(known, by), now + by)
    assert moved(there, timedelta(0), speechless=True) == moved(here, by, speechless=True)


DOMAIN = Path(next(iter(domain.__path__)))
SOURCES = sorted(DOMAIN.rglob("*.py"))


def test_no_module_of_the_domain_asks_a_clock_or_draws_a_number() -> None:
    for source in SOURCES:
        nodes = list(ast.walk(ast.parse(source.read_text())))
        named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        assert not named & {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"}, source
        modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not modules & {"time", "random", "secrets", "uuid", "os"}, source


def test_the_modules_of_the_domain_are_found() -> None:
    found = {str(path.relative_to(DOMAIN)) for path in SOURCES}
    assert {"sagemaker/job.py", "run/run.py", "rules/after_end.py", "shown/report.py", "decide/decision.py"} <= found
