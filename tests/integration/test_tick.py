"""`tick` queues a look at exactly the runs whose time has come."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from tests.integration.runs import SOME_NEWS, a_run
from tests.integration.stack import TABLE, document

if TYPE_CHECKING:
    from tests.integration.stack import Stack

EVENT = document("tick/every-minute")


@pytest.fixture(autouse=True)
def queue(stack: Stack) -> None:
    stack.make_queue()


def test_the_tick_queues_exactly_the_due_runs_the_longest_due_first(stack: Stack) -> None:
    store, now = DynamoDBRunStore(stack.client("dynamodb"), TABLE), stack.clock()
    for seconds in (-300, -1, 0, 1, 60, 61, 300):
        store.create(a_run(f"checked-{seconds}", now, check_at=now + timedelta(seconds=seconds)))
    store.create(a_run("ended", now, status=RunStatus.STOPPED, ended_at=now, check_at=None))
    earlier = now - timedelta(minutes=5)
    owing: dict[str, Any] = {"status": RunStatus.FAILED, "ended_at": earlier, "outbox": Outbox(news=(SOME_NEWS,))}
    store.create(replace(a_run("owing", earlier, check_at=None, **owing), updated_at=earlier))
    assert stack.invoke("tick", EVENT) == {"queued": 6}
    bodies = [json.loads(body) for body in stack.queued()]
    assert {(body["source"], body["detail-type"]) for body in bodies} == {("spot-relay", "Run Due")}
    named = ["checked--1", "checked--300", "checked-0", "checked-1", "checked-60", "owing"]
    assert sorted(body["detail"]["run_id"] for body in bodies) == named
    assert stack.delays == [0, 0, 5, 5, 1, 60], "a run that becomes due before the next tick is looked at when it does"


def test_the_tick_queues_more_runs_than_one_message_batch_or_one_page_holds(stack: Stack) -> None:
    store, now = DynamoDBRunStore(stack.client("dynamodb"), TABLE), stack.clock()
    for number in range(33):
        store.create(a_run(f"run-{number}", now, check_at=now - timedelta(seconds=30)))
    assert stack.invoke("tick", EVENT) == {"queued": 33}
    assert len({json.loads(body)["detail"]["run_id"] for body in stack.queued()}) == 33
    assert (stack.delays[0], stack.delays[-1]) == (0, 6), "they come one after the other"


def test_the_tick_repairs_a_run_whose_event_was_lost(stack: Stack) -> None:
    stack.submit()
    stack.clock.passes(60)
    assert stack.tick() == 0
    stack.clock.passes(300)
    assert stack.tick() == 1
    assert stack.run().status is RunStatus.COMPLETED
    stack.clock.passes(3600)
    assert stack.tick() == 1, "the status document is written once more"
    stack.clock.passes(3600)
    assert stack.tick() == 0


@pytest.mark.parametrize("seconds", [0, 300, 86_400])
def test_nothing_is_queued_when_there_are_no_runs(stack: Stack, seconds: float) -> None:
    stack.clock.passes(seconds)
    assert stack.invoke("tick", EVENT) == {"queued": 0}
    assert stack.queued() == []
