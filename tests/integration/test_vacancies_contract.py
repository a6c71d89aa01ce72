"""Every reader of vacancies sees the same: the one in memory, and the one of the template's table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.adapters.slots import DynamoDBSlots
from spot_relay.adapters.vacancies import DynamoDBVacancies
from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.run.run import Run, RunStatus, Waiting
from spot_relay.domain.sagemaker.job import Market, Pool
from spot_relay.ports import PrefixTakenError
from tests.fakes import NOON, MemoryRunStore, MemorySlots, MemoryVacancies
from tests.integration.runs import a_run, waiting
from tests.template import create_runs_table

if TYPE_CHECKING:
    from spot_relay.ports import RunStore, Slots, Vacancies
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
POOL, PAID = Pool("ml.m5.xlarge", Market.SPOT), Pool("ml.m5.xlarge", Market.ON_DEMAND)
LIMITS = Limits({"ml.m5.xlarge": 3})
OUTER, INNER = "s3://models/team/", "s3://models/team/churn/deep/"


@dataclass
class Scene:
    """A store of runs and their slots, and what is read from both."""

    store: RunStore
    slots: Slots
    vacancies: Vacancies


@pytest.fixture(params=["memory", "dynamodb"])
def scene(request: pytest.FixtureRequest) -> Scene:
    if request.param == "memory":
        store, slots = MemoryRunStore(), MemorySlots(LIMITS)
        return Scene(store, slots, MemoryVacancies(store, slots))
    aws: FakeAWS = request.getfixturevalue("aws")
    client = aws.client("dynamodb")
    create_runs_table(client, TABLE)
    table = DynamoDBRunStore(client, TABLE)
    return Scene(table, DynamoDBSlots(client, TABLE, LIMITS, table.load), DynamoDBVacancies(client, TABLE))


def keeping(run_id: str, uri: str, **changes: Any) -> Run:
    job = a_run(run_id, NOON).training_job | {"CheckpointConfig": {"S3Uri": uri}}
    return a_run(run_id, NOON, training_job=job, **changes)


def test_the_runs_that_wait_in_a_pool_are_listed_the_oldest_first(scene: Scene) -> None:
    for name, seconds in {"b": 1, "a": 60, "oldest": -1}.items():
        scene.store.create(waiting(a_run(name, NOON + timedelta(seconds=seconds))))
    scene.store.create(a_run("launched", NOON))
    assert [found.run_id for found in scene.vacancies.list_waiting(POOL)] == ["oldest", "b", "a"]
    assert scene.vacancies.list_waiting(POOL)[0] == Waiting(NOON - timedelta(seconds=1), "oldest")
    assert scene.vacancies.list_waiting(PAID) == ()


def test_attempts_are_counted_by_their_slots(scene: Scene) -> None:
    assert scene.vacancies.count_attempts("ml.m5.xlarge") == 0
    for name in ("a-relay-01", "b-relay-01"):
        assert scene.slots.take("ml.m5.xlarge", name) is None
    assert scene.vacancies.count_attempts("ml.m5.xlarge") == 2
    scene.slots.give_back("ml.m5.xlarge", "a-relay-01")
    assert scene.vacancies.count_attempts("ml.m5.xlarge") == 1
    assert scene.vacancies.count_attempts("ml.p3.2xlarge") == 0


@pytest.mark.parametrize(("held", "wanted"), [(OUTER, OUTER), (OUTER, INNER), (INNER, OUTER)])
def test_a_prefix_is_free_exactly_when_a_run_could_take_it(scene: Scene, held: str, wanted: str) -> None:
    scene.vacancies.check_prefix(wanted, "two")
    one = scene.store.create(keeping("one", held))
    with pytest.raises(PrefixTakenError, match="belongs to the run one") as refused:
        scene.vacancies.check_prefix(wanted, "two")
    with pytest.raises(PrefixTakenError) as taken:
        scene.store.create(keeping("two", wanted))
    assert str(refused.value) == str(taken.value)
    scene.store.save(replace(one, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    scene.vacancies.check_prefix(wanted, "two")
    assert scene.store.create(keeping("two", wanted)).version == 1


def test_a_run_does_not_stand_in_its_own_way(scene: Scene) -> None:
    scene.store.create(keeping("one", INNER))
    scene.vacancies.check_prefix(INNER, "one")


def test_a_prefix_beside_another_is_free(scene: Scene) -> None:
    scene.store.create(keeping("one", INNER))
    scene.vacancies.check_prefix("s3://models/team/churn/other/", "two")
    scene.vacancies.check_prefix("s3://models/team-2/", "two")
