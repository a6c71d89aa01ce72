"""Every store of runs finds the oldest run that waits for room: the one in memory, and the table of the template."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.run_items import SCHEMA_VERSION
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.run import Run, RunStatus, Waiting
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import EVERY_POOL, Market, Placement, Pool
from tests.fakes import NOON, MemoryRunStore
from tests.integration.fake_aws import calls_to
from tests.integration.runs import a_run, waiting
from tests.template import create_runs_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.ports import RunStore
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
SECOND = timedelta(seconds=1)


@pytest.fixture
def table(aws: FakeAWS) -> DynamoDBRunStore:
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBRunStore(aws.client("dynamodb"), TABLE)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> RunStore:
    return MemoryRunStore() if request.param == "memory" else request.getfixturevalue("table")


POOL = Pool("ml.m5.xlarge", Market.SPOT)
OTHERS = [(), (Pool("ml.m5.xlarge", Market.ON_DEMAND),)]


def test_the_oldest_run_that_waits_for_room_is_found_whenever_it_began_to_wait(store: RunStore) -> None:
    for name, seconds in {"b": 1, "a": 60, "oldest": -1, "c": 0}.items():
        store.create(waiting(a_run(name, NOON + seconds * SECOND)))
    assert store.oldest_waiting(POOL) == {POOL: Waiting(NOON - SECOND, "oldest")}


def test_of_runs_of_one_age_that_wait_for_room_the_first_by_name_is_the_oldest(store: RunStore) -> None:
    moment = NOON + timedelta(microseconds=1)
    for name in ("b", "a-2", "a"):
        store.create(waiting(a_run(name, moment)))
    assert store.oldest_waiting(POOL) == {POOL: Waiting(moment, "a")}


def following(name: str, *others: str, completed: tuple[str, ...] = ()) -> Run:
    """A run that waits for others to complete."""
    return replace(a_run(name, NOON), start=Start(after=others), waits_to_begin=True, completed=completed)


def followers(store: RunStore, run_id: str) -> list[str]:
    """All runs that wait for the end of a run."""
    found, until = store.list_followers(run_id, "", 1000)
    assert until is None
    return sorted(found)


def test_the_runs_that_wait_for_another_one_are_found_by_its_name(store: RunStore) -> None:
    for run in (following("a", "prep"), following("b", "prep", "labels"), following("c", "labels"), a_run("d", NOON)):
        store.create(run)
    assert followers(store, "prep") == ["a", "b"]
    assert followers(store, "Labels") == ["b", "c"]
    assert followers(store, "a") == []


def test_a_run_that_waits_for_several_is_found_by_each_of_them_until_it_has_completed(store: RunStore) -> None:
    run = store.create(following("a", "prep", "Labels", "more"))
    assert [followers(store, name) for name in ("prep", "labels", "more")] == [["a"]] * 3
    store.save(replace(run, completed=("prep",)))
    assert [followers(store, name) for name in ("prep", "labels", "more")] == [[], ["a"], ["a"]]


def test_a_run_that_has_begun_waits_for_no_other(store: RunStore) -> None:
    run = store.create(following("a", "prep"))
    store.save(replace(run, completed=("prep",), waits_to_begin=False))
    assert followers(store, "prep") == []


def test_the_entries_for_further_runs_expire_and_are_no_runs(table: DynamoDBRunStore) -> None:
    table.create(following("A", "prep", "labels", "more"))
    items = table.client.scan(TableName=TABLE)["Items"]
    entries = {item["id"]["S"]: item for item in items if "schema_version" not in item and "waits_for" in item}
    assert entries.keys() == {"follows#A#2", "follows#A#3"}
    assert {entry["waits_for"]["S"] for entry in entries.values()} == {"run#labels", "run#more"}
    year = NOON + timedelta(days=366)
    assert {entry["expires_at"]["N"] for entry in entries.values()} == {str(int(year.timestamp()))}
    assert [run["run_id"] for run in table.page(None, 10, None)[0]] == ["A"]
    assert [due.run_id for due in table.list_due(NOON + timedelta(days=1000))] == ["A"]
    assert table.load("follows#A#2") is None


def test_a_run_that_has_ended_waits_for_no_other(store: RunStore) -> None:
    run = store.create(following("a", "prep"))
    store.save(replace(run, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    assert followers(store, "prep") == []


def queued(name: str, template: str = "templates/a.yaml", **start: Any) -> Run:
    """A run that waits for others of its template."""
    return replace(a_run(name, NOON), start=Start(template=template, at_most=1, **start), waits_to_begin=True)


def test_the_oldest_runs_that_wait_for_others_of_their_template_are_found_by_it(store: RunStore) -> None:
    for name, seconds in {"b": 1, "a": 60, "oldest": -1, "c": 0}.items():
        store.create(replace(queued(name), created_at=NOON + seconds * SECOND))
    store.create(queued("other", "templates/A.yaml"))
    store.create(replace(queued("has-begun"), waits_to_begin=False))
    store.create(queued("prep", after=("oldest",)))
    store.create(queued("settling", at=NOON + SECOND))
    assert store.list_queued("templates/a.yaml", 3) == ("oldest", "c", "b")
    assert store.list_queued("templates/a.yaml", 9) == ("oldest", "c", "b", "a")
    assert store.list_queued("templates/A.yaml", 9) == ("other",)
    assert store.list_queued("templates/b.yaml", 9) == ()


@pytest.mark.parametrize("at_most", [1, 7, 10, 30, 31])
def test_the_list_of_the_runs_that_wait_for_another_one_is_read_part_by_part(store: RunStore, at_most: int) -> None:
    for number in reversed(range(30)):
        run = following(f"run-{number:02}", "prep")
        store.create(replace(run, created_at=NOON + number // 3 * SECOND))
    listed, told = list[str](), ""
    while True:
        part, until = store.list_followers("prep", told, at_most)
        assert len(part) <= at_most
        listed += part
        if until is None:
            break
        told = until
    assert listed == [f"run-{number:02}" for number in range(30)]


def test_where_no_run_waits_for_room_there_is_no_oldest(store: RunStore) -> None:
    assert store.oldest_waiting(POOL) == {}
    store.create(a_run("churn", NOON))
    assert store.oldest_waiting(POOL) == {}


@pytest.mark.parametrize(
    "elsewhere", [Placement("ml.m5.xlarge", 1, Market.ON_DEMAND), Placement("ml.m5.4xlarge", 1, Market.SPOT)]
)
def test_a_run_waits_for_room_in_its_own_pool_alone(store: RunStore, elsewhere: Placement) -> None:
    store.create(waiting(a_run("churn", NOON)))
    other = elsewhere.pool
    store.create(waiting(a_run("elsewhere", NOON - SECOND), placement=elsewhere))
    assert store.oldest_waiting(POOL) == {POOL: Waiting(NOON, "churn")}
    assert store.oldest_waiting(other) == {other: Waiting(NOON - SECOND, "elsewhere")}
    both = {POOL: Waiting(NOON, "churn"), other: Waiting(NOON - SECOND, "elsewhere")}
    assert store.oldest_waiting(POOL, other) == both
    assert store.oldest_waiting(Pool("ml.p3.2xlarge", Market.SPOT), other) == {other: both[other]}


def launched(run: Run) -> Run:
    return run.with_attempt(replace(run.current, status=AttemptStatus.IN_PROGRESS, launched_at=NOON))


@pytest.mark.parametrize(
    "settled",
    [
        launched,
        lambda run: run.with_attempt(replace(run.current, waits_for_room=False)),
        lambda run: replace(run, stop_requested=True, status=RunStatus.STOPPING),
        lambda run: replace(run, status=RunStatus.FAILED, ended_at=NOON, check_at=None),
        lambda run: waiting(run, placement=replace(run.current.placement, market=Market.ON_DEMAND)),
    ],
    ids=["launched", "refused-for-another-reason", "stopped", "ended", "moved"],
)
def test_a_run_that_waits_for_that_room_no_more_makes_way_for_the_next(
    store: RunStore, settled: Callable[[Run], Run]
) -> None:
    oldest = store.create(waiting(a_run("oldest", NOON)))
    store.create(waiting(a_run("next", NOON + SECOND)))
    store.save(settled(oldest))
    assert store.oldest_waiting(POOL) == {POOL: Waiting(NOON + SECOND, "next")}


def test_a_run_that_has_to_wait_again_has_its_old_place(store: RunStore) -> None:
    oldest = store.create(waiting(a_run("oldest", NOON)))
    store.create(waiting(a_run("next", NOON + SECOND)))
    oldest = store.save(launched(oldest))
    second = replace(oldest.current, number=2, status=AttemptStatus.PLANNED)
    store.save(oldest.with_attempt(second))
    assert store.oldest_waiting(POOL) == {POOL: Waiting(NOON, "oldest")}


def test_the_index_is_asked_once_for_each_pool_and_reads_no_run_that_waits_elsewhere_or_for_another_run(
    table: DynamoDBRunStore,
) -> None:
    on_demand = Placement(POOL.instance_type, 1, Market.ON_DEMAND)
    for number in range(30):
        table.create(waiting(a_run(f"before-{number:02}", NOON - SECOND), placement=on_demand))
        table.create(following(f"follower-{number:02}", "prep", "labels"))
        table.create(queued(f"queued-{number:02}"))
    table.create(waiting(a_run("churn", NOON)))
    with read_entries(table.client) as read:
        assert table.oldest_waiting(Pool("ml.p3.2xlarge", Market.SPOT), POOL) == {POOL: Waiting(NOON, "churn")}
    assert read == [0, 1]
    with read_entries(table.client) as read:
        assert table.oldest_waiting(EVERY_POOL, on_demand.pool) == {on_demand.pool: Waiting(NOON - SECOND, "before-00")}
    assert read == [0, 2]


@contextmanager
def read_entries(client: DynamoDBClient) -> Iterator[list[int]]:
    """Collect how many entries each query of an index has read."""
    read: list[int] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        read.append(parsed["ScannedCount"])

    client.meta.events.register("after-call.dynamodb.Query", note)
    yield read
    client.meta.events.unregister("after-call.dynamodb.Query", note)


def test_a_run_waits_for_another_one_first_and_for_room_later(store: RunStore) -> None:
    run = store.create(following("a", "prep", "labels"))
    assert store.oldest_waiting(POOL) == {}
    run = store.save(replace(waiting(run), completed=("prep", "labels"), waits_to_begin=False))
    assert store.oldest_waiting(POOL) == {POOL: Waiting(NOON, "a")}
    assert followers(store, "prep") == []


def test_a_run_stored_with_an_attribute_that_no_index_has_any_more_is_read_and_saved(table: DynamoDBRunStore) -> None:
    table.create(following("a", "prep"))
    table.client.update_item(
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET follows = :prep REMOVE waits_for, waits_since",
        ExpressionAttributeValues={":prep": {"S": "prep"}},
    )
    run = table.load("a")
    assert run is not None
    assert run.waits_for_run == "prep"
    table.save(run)
    assert followers(table, "prep") == ["a"]


@pytest.mark.parametrize("others", OTHERS, ids=["one-pool", "two-pools"])
def test_of_runs_that_the_index_still_shows_so_many_are_looked_up_and_no_more(
    table: DynamoDBRunStore, others: tuple[Pool, ...]
) -> None:
    for number in range(30):
        table.create(waiting(a_run(f"run-{number:02}", NOON + number * SECOND)))
    pages = [{"Items": [item]} for item in shown(table)]
    for run_id in [f"run-{number:02}" for number in range(25)]:
        table.save(launched(table.load(run_id)))  # type: ignore[arg-type]
    client: Any = LaggingIndex(table.client, pages)
    with calls_to(table.client) as asked:
        assert replace(table, client=client).oldest_waiting(POOL, *others) == {}
    assert asked == ["GetItem"] * 20


def shown(table: DynamoDBRunStore) -> list[dict[str, Any]]:
    """Return the entries of the index, the oldest run first."""
    items: list[Any] = table.client.scan(TableName=TABLE, IndexName="waiting")["Items"]
    return sorted(items, key=lambda item: item["waits_since"]["S"])


@dataclass
class LaggingIndex:
    """A client for which the index of waiting runs stays as it was."""

    client: Any
    pages: list[dict[str, Any]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get_paginator(self, operation: str) -> LaggingIndex:
        assert operation == "query"
        return self

    def paginate(self, **query: Any) -> list[dict[str, Any]]:
        assert query["IndexName"] == "waiting"
        pool = query["ExpressionAttributeValues"][":pool"]
        listed = [page for page in self.pages if page["Items"][0]["waits_for"] == pool]
        return listed[: query["PaginationConfig"]["MaxItems"]]


@pytest.mark.parametrize("others", OTHERS, ids=["one-pool", "two-pools"])
def test_a_run_that_the_index_still_shows_but_that_waits_no_more_is_not_found(
    table: DynamoDBRunStore, others: tuple[Pool, ...]
) -> None:
    oldest = table.create(waiting(a_run("oldest", NOON)))
    second = table.create(waiting(a_run("second", NOON + SECOND)))
    for name, seconds in {"third": 2, "fourth": 3}.items():
        table.create(waiting(a_run(name, NOON + seconds * SECOND)))
    client: Any = LaggingIndex(table.client, [{"Items": [item]} for item in shown(table)])
    table.save(launched(oldest))
    table.save(waiting(second, placement=replace(second.current.placement, market=Market.ON_DEMAND)))
    assert replace(table, client=client).oldest_waiting(POOL, *others) == {POOL: Waiting(NOON + 2 * SECOND, "third")}


def test_a_run_that_waits_as_a_newer_release_has_stored_it_keeps_nobody_waiting(table: DynamoDBRunStore) -> None:
    for name, seconds in {"newer": 0, "next": 1}.items():
        table.create(waiting(a_run(name, NOON + seconds * SECOND)))
    table.client.update_item(
        TableName=TABLE,
        Key={"id": {"S": "newer"}},
        UpdateExpression="SET schema_version = :newer",
        ExpressionAttributeValues={":newer": {"N": str(SCHEMA_VERSION + 1)}},
    )
    assert table.oldest_waiting(POOL) == {POOL: Waiting(NOON + SECOND, "next")}


def test_the_index_of_waiting_runs_holds_no_other(table: DynamoDBRunStore) -> None:
    table.create(a_run("churn", NOON))
    table.create(waiting(a_run("waits", NOON)))
    (item,) = table.client.scan(TableName=TABLE, IndexName="waiting")["Items"]
    assert item == {
        "id": {"S": "waits"},
        "waits_for": {"S": "ml.m5.xlarge/spot"},
        "waits_since": {"S": "2026-11-23T12:00:00.000000Z#waits"},
    }
