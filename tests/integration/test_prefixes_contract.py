"""Every store of runs keeps open runs from sharing a checkpoint prefix, or a folder inside one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.ports import PrefixTakenError, RunExistsError, RunStore
from tests.fakes import NOON, MemoryRunStore
from tests.integration.fake_aws import calls_to
from tests.integration.runs import a_run, sharing
from tests.template import create_runs_table

if TYPE_CHECKING:
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"


@pytest.fixture
def table(aws: FakeAWS) -> DynamoDBRunStore:
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBRunStore(aws.client("dynamodb"), TABLE)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> RunStore:
    return MemoryRunStore() if request.param == "memory" else request.getfixturevalue("table")


def test_an_open_run_holds_its_checkpoint_prefix_alone(store: RunStore) -> None:
    churn = store.create(a_run("churn", NOON))
    with pytest.raises(PrefixTakenError, match="belongs to the run churn"):
        store.create(sharing("copycat", churn))
    assert store.load("copycat") is None


def test_an_id_that_is_taken_is_told_before_the_prefix_is(store: RunStore) -> None:
    churn = store.create(a_run("churn", NOON))
    with pytest.raises(RunExistsError):
        store.create(sharing("churn", churn))


def test_a_run_that_ends_gives_its_checkpoint_prefix_back(store: RunStore) -> None:
    churn = store.create(a_run("churn", NOON))
    store.save(replace(churn, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    assert store.create(sharing("heir", churn)).version == 1


def test_a_run_can_end_more_than_once_and_takes_no_prefix_from_its_heir(store: RunStore) -> None:
    churn = store.create(a_run("churn", NOON))
    ended_once = store.save(replace(churn, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    settled = store.save(ended_once)
    heir = store.create(sharing("heir", churn))
    store.save(settled)
    with pytest.raises(PrefixTakenError, match="belongs to the run heir"):
        store.reopen(replace(settled, version=settled.version + 1, status=RunStatus.PENDING))
    assert store.load("heir") == heir


def test_a_run_that_goes_on_holds_its_prefix_again(store: RunStore) -> None:
    churn = store.create(a_run("churn", NOON))
    stopped = store.save(replace(churn, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    reopened = store.reopen(replace(stopped, status=RunStatus.PENDING, ended_at=None, check_at=NOON))
    assert store.load("churn") == reopened
    with pytest.raises(PrefixTakenError):
        store.create(sharing("copycat", churn))


def test_a_prefix_of_the_greatest_length_is_held_too(store: RunStore) -> None:
    job = a_run("long", NOON).training_job | {"CheckpointConfig": {"S3Uri": "s3://models/" + "模" * 1000 + "/"}}
    long = store.create(a_run("long", NOON, training_job=job))
    with pytest.raises(PrefixTakenError):
        store.create(sharing("copycat", long))


def keeping(run_id: str, uri: str, **changes: Any) -> Run:
    """A run that keeps its checkpoints under a prefix."""
    job = a_run(run_id, NOON).training_job | {"CheckpointConfig": {"S3Uri": uri}}
    return a_run(run_id, NOON, training_job=job, **changes)


def end(store: RunStore, run: Run) -> Run:
    """End a run."""
    return store.save(replace(run, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))


OUTER, INNER = "s3://models/team/", "s3://models/team/churn/deep/"


@pytest.mark.parametrize(("first", "second"), [(OUTER, INNER), (INNER, OUTER)])
def test_a_prefix_inside_another_open_runs_prefix_or_around_it_is_taken(
    store: RunStore, first: str, second: str
) -> None:
    one = store.create(keeping("one", first))
    with pytest.raises(
        PrefixTakenError, match=r"belongs to the run one until that run ends.*restore each other's files"
    ):
        store.create(keeping("two", second))
    assert store.load("two") is None
    end(store, one)
    two = store.create(keeping("two", second))
    with pytest.raises(PrefixTakenError, match="the run two"):
        store.reopen(replace(store.load("one") or one, status=RunStatus.PENDING, ended_at=None, check_at=NOON))
    end(store, two)
    again = store.load("one") or one
    assert store.reopen(replace(again, status=RunStatus.PENDING, ended_at=None, check_at=NOON)).holds_prefix


@pytest.mark.parametrize(
    "other",
    [
        "s3://models/team/churn-2/",
        "s3://models/team/chur/",
        "s3://models/Team/",
        "s3://models-2/team/churn/",
        "s3://models/a/",
    ],
)
def test_a_prefix_beside_another_one_is_free(store: RunStore, other: str) -> None:
    store.create(keeping("one", "s3://models/team/churn/"))
    assert store.create(keeping("two", other)).version == 1


def test_a_folder_is_free_when_the_last_run_inside_it_has_ended(store: RunStore) -> None:
    one, two = (store.create(keeping(name, f"{OUTER}{name}/")) for name in ("one", "two"))
    end(store, two)
    with pytest.raises(PrefixTakenError, match="contains a prefix"):
        store.create(keeping("outer", OUTER))
    settled = end(store, one)
    store.save(settled)
    store.save(store.load("one") or one)
    assert store.create(keeping("outer", OUTER)).holds_prefix
    with pytest.raises(PrefixTakenError, match="the run outer"):
        store.create(keeping("three", f"{OUTER}three/"))


def test_a_run_that_was_not_stored_leaves_no_trace_on_the_folders_above_its_prefix(store: RunStore) -> None:
    one = store.create(keeping("one", INNER))
    for name in ("two", "three"):
        with pytest.raises(PrefixTakenError):
            store.create(keeping(name, INNER))
    with pytest.raises(RunExistsError):
        store.create(keeping("one", "s3://models/other/deep/"))
    end(store, one)
    assert store.create(keeping("outer", OUTER)).version == 1
    assert store.create(keeping("other", "s3://models/other/")).version == 1


def test_an_id_that_is_taken_is_told_before_a_folder_above_the_prefix_is(store: RunStore) -> None:
    store.create(keeping("one", OUTER))
    with pytest.raises(RunExistsError):
        store.create(keeping("one", INNER))


@pytest.mark.parametrize("folders", [3, 90, 91, 500])
def test_the_deepest_prefix_is_held_within_a_few_calls(table: DynamoDBRunStore, aws: FakeAWS, folders: int) -> None:
    deep = "s3://models/" + "a/" * folders
    with calls_to(aws.client("dynamodb")) as calls:
        one = table.create(keeping("one", deep))
    assert len(calls) <= 5
    with calls_to(aws.client("dynamodb")) as calls, pytest.raises(PrefixTakenError):
        table.create(keeping("two", "s3://models/" + "a/" * (folders - 1)))
    assert len(calls) <= 10
    with calls_to(aws.client("dynamodb")) as calls, pytest.raises(PrefixTakenError):
        table.create(keeping("two", deep + "b/"))
    assert len(calls) <= 10
    end(table, one)
    assert table.create(keeping("two", "s3://models/a/")).version == 1


def test_of_two_runs_that_open_at_once_one_inside_the_other_one_is_refused(
    table: DynamoDBRunStore, aws: FakeAWS
) -> None:
    """The second is created while the first has read what there is and has not yet written."""
    client = aws.client("dynamodb")
    waiting = [keeping("two", OUTER)]

    def overtake(**_: Any) -> None:
        if waiting:
            table.create(waiting.pop())

    client.meta.events.register("before-parameter-build.dynamodb.TransactWriteItems", overtake, unique_id="overtake")
    try:
        with pytest.raises(PrefixTakenError, match="the run two"):
            table.create(keeping("one", INNER))
    finally:
        client.meta.events.unregister("before-parameter-build.dynamodb.TransactWriteItems", unique_id="overtake")
    assert table.load("one") is None


def by_the_previous_release(table: DynamoDBRunStore, run: Run) -> Run:
    """Store a run as the previous release did: it counts in no folder."""
    stored = table.create(run)
    items = {item["id"]["S"]: item for item in table.client.scan(TableName=TABLE)["Items"]}
    for key in items:
        if key.startswith("folders#"):
            table.client.delete_item(TableName=TABLE, Key={"id": {"S": key}})
    document = json.loads(items[run.id]["document"]["S"])
    del document["holds_prefix"]
    table.client.update_item(
        TableName=TABLE,
        Key={"id": {"S": run.id}},
        UpdateExpression="SET document = :document, schema_version = :version",
        ExpressionAttributeValues={":document": {"S": json.dumps(document)}, ":version": {"N": "4"}},
    )
    return replace(stored, holds_prefix=False)


def test_a_run_of_the_previous_release_holds_the_prefixes_inside_its_own(table: DynamoDBRunStore) -> None:
    old = by_the_previous_release(table, keeping("old", OUTER))
    with pytest.raises(PrefixTakenError, match="the run old"):
        table.create(keeping("new", INNER))
    end(table, old)
    assert table.create(keeping("new", INNER)).version == 1


def test_a_run_of_the_previous_release_holds_the_folders_above_its_prefix_from_its_next_save(
    table: DynamoDBRunStore,
) -> None:
    by_the_previous_release(table, keeping("old", INNER))
    loaded = table.load("old")
    assert loaded is not None
    old = table.save(loaded)
    assert old.holds_prefix
    with pytest.raises(PrefixTakenError, match="the run old"):
        table.create(keeping("new", OUTER))
    end(table, table.save(old))
    assert table.create(keeping("new", OUTER)).version == 1


def test_a_collision_with_another_run_in_the_same_folder_is_tried_again(table: DynamoDBRunStore, aws: FakeAWS) -> None:
    client = aws.client("dynamodb")
    reasons = [{"Code": "None"}, {"Code": "None"}, {"Code": "None"}, {"Code": "TransactionConflict"}]
    collisions = [
        client.exceptions.TransactionCanceledException(
            {"Error": {"Code": "TransactionCanceledException", "Message": "collision"}, "CancellationReasons": reasons},
            "TransactWriteItems",
        )
    ] * 3

    def collide(**_: Any) -> None:
        if collisions:
            raise collisions.pop()

    client.meta.events.register("before-parameter-build.dynamodb.TransactWriteItems", collide, unique_id="collide")
    try:
        assert table.create(keeping("one", INNER)).version == 1
    finally:
        client.meta.events.unregister("before-parameter-build.dynamodb.TransactWriteItems", unique_id="collide")


def test_runs_without_checkpoints_hold_nothing(store: RunStore) -> None:
    bare = a_run("bare", NOON)
    job = {key: value for key, value in bare.training_job.items() if key != "CheckpointConfig"}
    store.create(replace(bare, training_job=job))
    assert store.create(replace(bare, id="other", training_job=job)).version == 1
