"""The function submit under a flood of data: a thousand objects in a minute, each event twice and in any order."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile import seeds
from tests.hostile.functions import DATA, TEMPLATE, Context, enter, load
from tests.hostile.handlers import batch
from tests.unit.worlds import World

if TYPE_CHECKING:
    from collections.abc import Iterator

OBJECTS, BATCH = 1000, 5


def flood(world: World, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what the queue delivers: each event of S3 twice, all in any order, in batches."""
    event = json.loads(seeds.event("submit/data-arrived")["Records"][0]["body"])
    bodies = []
    for number in range(OBJECTS):
        put = world.clock() + timedelta(seconds=60 * number / OBJECTS)
        event |= {"time": put.isoformat(timespec="seconds").replace("+00:00", "Z")}
        event["detail"]["object"] |= {"key": f"incoming/{number:04}/_SUCCESS", "version-id": f"version-{number}"}
        bodies += [json.dumps(event)] * 2
    random.Random(seed).shuffle(bodies)  # noqa: S311
    for first in range(0, len(bodies), BATCH):
        yield batch(bodies[first : first + BATCH])


@pytest.mark.parametrize("most", [None, 3])
def test_a_thousand_objects_in_a_minute_whose_events_come_twice_and_out_of_order_are_a_thousand_runs(
    most: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.slots.find = world.store.load
    module: Any = load("submit", world)
    enter(module, world, TEMPLATE | ({} if most is None else {"at_most": {"runs": most}}))
    for event in flood(world, 7):
        assert module.handler(event, Context()) == {"batchItemFailures": []}
        world.clock.passes(60 * BATCH / (2 * OBJECTS))
    capsys.readouterr()
    runs = list(world.store.runs.values())
    assert len(runs) == OBJECTS
    trained = {run.training_job["HyperParameters"]["from"].split()[1] for run in runs}
    assert trained == {f"incoming/{number:04}/_SUCCESS" for number in range(OBJECTS)}
    launched = {f"{run.id}-relay-01" for run in runs if not run.waits_to_begin}
    assert set(world.jobs.jobs) == launched
    assert len(launched) == (OBJECTS if most is None else most)
    assert {run.start.template for run in runs} == {"templates/churn.json"}
    assert {run.training_job["HyperParameters"]["from"].split()[0] for run in runs} == {DATA}
