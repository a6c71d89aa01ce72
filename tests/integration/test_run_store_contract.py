"""Every store of runs keeps the same promises: the one in memory, and the table of the template."""

from __future__ import annotations

import json
import re
import types
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from spot_relay.adapters.inbound import read_page_query
from spot_relay.adapters.run_items import SCHEMA_VERSION
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE, Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import short_id_of
from spot_relay.ports import ConflictError, RunExistsError, RunStore
from tests.fakes import NOON, MemoryRunStore
from tests.integration.runs import SOME_NEWS, a_full_run, a_run, sharing
from tests.template import create_runs_table, properties_of
from tests.thoroughness import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
RETENTION = timedelta(days=7)
SECOND = timedelta(seconds=1)


@pytest.fixture
def table(aws: FakeAWS) -> DynamoDBRunStore:
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBRunStore(aws.client("dynamodb"), TABLE, RETENTION)


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> RunStore:
    return MemoryRunStore() if request.param == "memory" else request.getfixturevalue("table")


def ended(run_id: str, status: RunStatus = RunStatus.STOPPED, **changes: Any) -> Run:
    return a_run(run_id, NOON, status=status, ended_at=NOON, check_at=None, **changes)


def item_of(table: DynamoDBRunStore, run_id: str) -> dict[str, Any]:
    item: dict[str, Any] = table.client.get_item(TableName=TABLE, Key={"id": {"S": run_id}})["Item"]
    return item


def test_a_run_that_was_created_is_loaded_as_it_was_with_its_version(store: RunStore) -> None:
    created = store.create(a_run("churn", NOON))
    assert created == replace(a_run("churn", NOON), version=1, holds_prefix=True)
    assert store.load("churn") == created


def test_a_run_that_was_never_created_is_none(store: RunStore) -> None:
    store.create(a_run("churn", NOON))
    assert store.load("churn-2") is None


def test_an_id_can_be_created_once(store: RunStore) -> None:
    created = store.create(a_run("churn", NOON))
    with pytest.raises(RunExistsError):
        store.create(replace(created, reason="another"))
    assert store.load("churn") == created


@pytest.mark.parametrize(("first", "second"), [("churn", "Churn"), ("Churn", "churn"), ("Churn", "CHURN")])
def test_ids_that_differ_only_in_case_are_one_id(store: RunStore, first: str, second: str) -> None:
    created = store.create(a_run(first, NOON))
    with pytest.raises(RunExistsError, match=f"^{first}$"):
        store.create(a_run(second, NOON))
    with pytest.raises(RunExistsError, match=f"^{first}$"):
        store.create(sharing(second, created))
    assert [store.load(name) for name in ("churn", "Churn", "CHURN")] == [created] * 3
    summaries, _ = store.page(None, 10, None)
    assert [summary["run_id"] for summary in summaries] == [first]


LONG = "Sagemaker-xgboost-" + "x" * 35 + "-2024-01-1"


def test_a_short_id_stands_for_its_run_in_any_case(store: RunStore) -> None:
    created, other = store.create(a_run(LONG, NOON)), store.create(a_run(f"{LONG[:-1]}2", NOON))
    short, others = short_id_of(LONG), short_id_of(other.id)
    assert short is not None
    assert others is not None
    assert [store.load(name) for name in (short, short.lower(), short.upper())] == [created] * 3
    assert store.load(others) == other
    assert store.load(short[:-1]) is None


@pytest.mark.parametrize("second", [LONG.lower(), LONG, LONG.upper()])
@pytest.mark.parametrize("first", [LONG.lower(), LONG])
def test_a_long_id_is_free_in_every_spelling_once_its_run_has_expired(
    table: DynamoDBRunStore, first: str, second: str
) -> None:
    expired, short = table.create(a_run(first, NOON)), short_id_of(first)
    table.client.delete_item(TableName=TABLE, Key={"id": {"S": first}})
    assert short is not None
    assert table.load(short) is None
    created = table.create(sharing(second, expired))
    assert table.load(short) == created
    with pytest.raises(RunExistsError, match=f"^{second}$"):
        table.create(a_run(LONG.swapcase(), NOON))


def test_two_ids_never_share_a_short_id(table: DynamoDBRunStore) -> None:
    table.create(a_run(LONG, NOON))
    item = {"id": {"S": f"names#{short_id_of(LONG)}".lower()}, "run_id": {"S": "another"}}
    table.client.put_item(TableName=TABLE, Item=item)
    table.client.delete_item(TableName=TABLE, Key={"id": {"S": LONG}})
    with pytest.raises(ConflictError):
        table.create(a_run(LONG, NOON))


def test_an_id_in_another_case_is_told_after_the_run_has_ended_too(store: RunStore) -> None:
    done = store.save(replace(ended("Churn"), version=store.create(a_run("Churn", NOON)).version))
    with pytest.raises(RunExistsError, match=r"^Churn$"):
        store.create(a_run("churn", NOON))
    assert store.reopen(replace(done, status=RunStatus.PENDING, ended_at=None)).id == "Churn"


def test_a_run_that_was_saved_meanwhile_is_not_reopened(store: RunStore) -> None:
    churn = store.create(a_run("churn", NOON))
    stopped = store.save(replace(churn, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    store.save(stopped)
    with pytest.raises(ConflictError):
        store.reopen(replace(stopped, status=RunStatus.PENDING))


def test_a_save_gives_the_run_with_its_next_version(store: RunStore) -> None:
    created = store.create(a_run("churn", NOON))
    saved = store.save(replace(created, reason="saved"))
    assert (saved.version, saved.reason) == (2, "saved")
    assert store.load("churn") == saved


def test_of_two_writers_that_loaded_the_same_version_the_second_meets_a_conflict(store: RunStore) -> None:
    created = store.create(a_run("churn", NOON))
    first = store.save(replace(created, reason="first"))
    with pytest.raises(ConflictError):
        store.save(replace(created, reason="second"))
    assert store.load("churn") == first
    assert store.save(replace(first, reason="second")).version == 3


def test_a_run_that_does_not_exist_cannot_be_saved(store: RunStore) -> None:
    with pytest.raises(ConflictError):
        store.save(a_run("churn", NOON))
    assert store.load("churn") is None


def test_a_run_in_which_every_field_is_set_comes_back_equal(store: RunStore) -> None:
    created = store.create(a_full_run("churn"))
    assert store.load("churn") == created
    assert replace(created, version=a_full_run("churn").version) == a_full_run("churn")


def test_in_the_full_run_every_field_really_is_set() -> None:
    def unset(value: Any, path: str) -> list[str]:
        if isinstance(value, tuple):
            return [found for index, item in enumerate(value) for found in unset(item, f"{path}[{index}]")]
        if not is_dataclass(value):
            return [path] if value in (None, (), {}, "", False) or value is False else []
        return [found for f in fields(value) for found in unset(getattr(value, f.name), f"{path}.{f.name}")]

    assert unset(a_full_run("churn"), "run") == []


def test_the_runs_whose_time_has_come_are_due_the_longest_due_first(store: RunStore) -> None:
    for name, seconds in {"b": -1, "a": -60, "later": 1, "c": 0, "much-later": 9000}.items():
        store.create(a_run(name, NOON, check_at=NOON + seconds * SECOND))
    assert listed(store, NOON) == ["a", "b", "c"]


def test_a_part_of_a_second_counts(store: RunStore) -> None:
    store.create(a_run("early", NOON, check_at=NOON + timedelta(microseconds=1)))
    store.create(a_run("late", NOON, check_at=NOON + timedelta(microseconds=999_999)))
    assert listed(store, NOON) == []
    assert listed(store, NOON + timedelta(microseconds=2)) == ["early"]
    assert listed(store, NOON + SECOND) == ["early", "late"]


def test_a_run_that_owes_something_is_due_when_who_saved_it_must_be_dead(store: RunStore) -> None:
    store.create(a_run("open", NOON, check_at=NOON + timedelta(hours=1), outbox=Outbox(launch=1)))
    store.create(ended("over", outbox=Outbox(news=(SOME_NEWS,))))
    assert listed(store, NOON + OUTBOX_PATIENCE - SECOND) == []
    assert sorted(listed(store, NOON + OUTBOX_PATIENCE)) == ["open", "over"]


def test_a_run_that_has_ended_and_owes_nothing_is_never_due_again_unless_it_is_resumed(store: RunStore) -> None:
    run = store.create(a_run("churn", NOON, check_at=NOON))
    run = store.save(replace(run, status=RunStatus.STOPPED, ended_at=NOON, check_at=None))
    assert listed(store, NOON + timedelta(days=3650)) == []
    store.save(replace(run, status=RunStatus.PENDING, ended_at=None, check_at=NOON + SECOND))
    assert listed(store, NOON + SECOND) == ["churn"]


def test_more_runs_are_due_than_one_page_holds(store: RunStore) -> None:
    for number in range(15):
        store.create(a_run(f"run-{number:02d}", NOON, check_at=NOON + number * SECOND))
    with pages_of(4, store):
        assert listed(store, NOON + timedelta(hours=1)) == [f"run-{number:02d}" for number in range(15)]


def listed(store: RunStore, until: datetime) -> list[str]:
    """Name the runs that are due by then, each of which is listed with its own time."""
    found = list(store.list_due(until))
    for due in found:
        run = store.load(due.run_id)
        assert run is not None
        assert due.at == run.due_at
    return [due.run_id for due in found]


@contextmanager
def pages_of(size: int, store: RunStore) -> Iterator[None]:
    """Let each page of a query of the table hold `size` items, as if the items were large."""

    def limit(params: dict[str, Any], **_: Any) -> None:
        params["Limit"] = size

    if not isinstance(store, DynamoDBRunStore):
        yield
        return
    hook = "before-parameter-build.dynamodb.Query"
    store.client.meta.events.register(hook, limit, unique_id="pages")
    try:
        yield
    finally:
        store.client.meta.events.unregister(hook, unique_id="pages")


def fill(store: RunStore) -> list[str]:
    """Create runs of every status; give their ids, newest first."""
    for number in range(13):
        status = list(RunStatus)[number * 5 % 6]
        store.create(a_run(f"run-{number:02d}", NOON + number * SECOND, status=status))
    return [f"run-{number:02d}" for number in reversed(range(13))]


@pytest.mark.parametrize("limit", [1, 4, 12, 13, 100])
def test_the_pages_of_all_statuses_are_merged_newest_first_with_nothing_lost_or_twice(
    store: RunStore, limit: int
) -> None:
    newest_first = fill(store)
    found: list[str] = []
    token: str | None = None
    for page_number in count():
        page, token = store.page(None, limit, token)
        assert len(page) == limit or token is None
        found += [summary["run_id"] for summary in page]
        if token is None:
            break
        assert read_page_query({"token": token}).created_before == token
        assert page_number < 20
    assert found == newest_first


@pytest.mark.parametrize("status", RunStatus)
def test_a_page_of_one_status_holds_the_runs_of_that_status(store: RunStore, status: RunStatus) -> None:
    newest_first = fill(store)
    first, token = store.page(status, 1, None)
    rest, end = store.page(status, 100, token) if token else ([], None)
    assert {summary["status"] for summary in [*first, *rest]} == {str(status)}
    expected = [run_id for run_id in newest_first if store.load(run_id).status is status]  # type: ignore[union-attr]
    assert [summary["run_id"] for summary in [*first, *rest]] == expected
    assert end is None


def test_runs_that_were_created_at_the_same_moment_are_all_listed(store: RunStore) -> None:
    for name in ("a", "b", "c"):
        store.create(a_run(name, NOON))
    first, token = store.page(None, 2, None)
    second, end = store.page(None, 2, token)
    assert [summary["run_id"] for summary in [*first, *second]] == ["c", "b", "a"]
    assert end is None


def test_a_summary_tells_what_a_listing_shows(store: RunStore) -> None:
    store.create(replace(a_run("churn", NOON, reason="it is «new»"), updated_at=NOON + SECOND))
    assert store.page(None, 10, None) == (
        [
            {
                "run_id": "churn",
                "status": "Pending",
                "reason": "it is «new»",
                "attempts": 1,
                "created_at": "2026-11-23T12:00:00.000Z",
                "updated_at": "2026-11-23T12:00:01.000Z",
            }
        ],
        None,
    )


@pytest.mark.parametrize("second", ["churn", "Churn", "CHURN"])
def test_an_id_is_free_in_every_spelling_once_its_run_has_expired(table: DynamoDBRunStore, second: str) -> None:
    first = table.create(a_run("Churn", NOON))
    table.client.delete_item(TableName=TABLE, Key={"id": {"S": "Churn"}})
    assert table.load("churn") is None
    created = table.create(sharing(second, first))
    assert table.load("chURN") == created
    with pytest.raises(RunExistsError, match=f"^{second}$"):
        table.create(a_run("CHurn", NOON))


def test_an_id_in_lower_case_is_free_once_its_run_has_expired_although_it_owned_the_prefix(
    table: DynamoDBRunStore,
) -> None:
    first = table.create(a_run("churn", NOON))
    table.client.delete_item(TableName=TABLE, Key={"id": {"S": "churn"}})
    created = table.create(sharing("Churn", first))
    assert table.load("churn") == created


def test_a_run_from_before_names_were_one_in_every_case_keeps_its_key(table: DynamoDBRunStore) -> None:
    legacy = table.create(a_run("Churn", NOON))
    table.client.delete_item(TableName=TABLE, Key={"id": {"S": "names#churn"}})
    assert table.load("Churn") == legacy
    assert table.save(legacy).version == 2
    with pytest.raises(RunExistsError):
        table.create(a_run("Churn", NOON))


def test_only_an_ended_run_that_owes_nothing_expires(table: DynamoDBRunStore) -> None:
    table.create(a_run("open", NOON))
    table.create(ended("owing", outbox=Outbox(news=(SOME_NEWS,))))
    table.create(ended("over"))
    assert "expires_at" not in item_of(table, "open")
    assert "expires_at" not in item_of(table, "owing")
    assert item_of(table, "over")["expires_at"] == {"N": str(int((NOON + RETENTION).timestamp()))}


def test_a_resumed_run_no_longer_expires(table: DynamoDBRunStore) -> None:
    run = table.create(ended("churn"))
    table.save(replace(run, status=RunStatus.PENDING, ended_at=None, check_at=NOON))
    assert "expires_at" not in item_of(table, "churn")


def test_the_template_lets_dynamodb_expire_by_the_attribute_that_is_written() -> None:
    assert properties_of("RunsTable")["TimeToLiveSpecification"] == {"Enabled": True, "AttributeName": "expires_at"}


def test_the_index_of_due_runs_holds_open_runs_only(table: DynamoDBRunStore) -> None:
    table.create(a_run("open", NOON))
    table.create(ended("over"))
    items = table.client.scan(TableName=TABLE, IndexName="due")["Items"]
    assert [item["id"]["S"] for item in items] == ["open"]
    assert set(items[0]) == {"id", "open", "check_at"}


def test_an_item_tells_the_schema_of_its_document(table: DynamoDBRunStore) -> None:
    table.create(a_run("churn", NOON))
    item = item_of(table, "churn")
    assert item["schema_version"] == {"N": str(SCHEMA_VERSION)}
    assert json.loads(item["document"]["S"])["id"] == "churn"


NAMES = st.from_regex(re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,60}", re.ASCII), fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def built(kind: type[Any], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Build values of a dataclass, and of those in it; moments are aware and numbers finite, as in the domain."""
    hints = get_type_hints(kind)
    return st.builds(kind, **({f.name: value_of(hints[f.name]) for f in fields(kind) if f.name not in given} | given))


def value_of(hint: Any) -> st.SearchStrategy[Any]:
    """Build values of a type."""
    inner = get_args(hint)
    match get_origin(hint):
        case types.UnionType:
            return st.one_of(*map(value_of, inner))
        case origin if origin is tuple:
            return st.lists(value_of(inner[0]), max_size=2).map(tuple)
        case origin if origin is dict:
            return st.dictionaries(TEXT, value_of(inner[1]), max_size=2)
        case _ if hint is Start:
            return built(Start, after=st.lists(NAMES, max_size=2).map(tuple))  # an index holds the first of them
        case _ if isinstance(hint, type) and is_dataclass(hint):
            return built(hint)
        case _ if isinstance(hint, type) and issubclass(hint, tuple):
            return st.builds(hint, **{name: value_of(inner) for name, inner in get_type_hints(hint).items()})
        case _:
            return {datetime: MOMENTS, float: FLOATS, Any: JSON}.get(hint, st.from_type(hint))


SERIAL = count()
ANY_RUN = built(
    Run,
    id=NAMES,
    training_job=st.dictionaries(TEXT, JSON, max_size=3),
    reason=TEXT,
    attempts=st.lists(built(Attempt), min_size=1, max_size=3).map(tuple),
    version=st.just(0),
    start=built(Start, after=st.lists(NAMES, max_size=3).map(tuple)),
)


@examples(25, suppress_health_check=list(HealthCheck))
@given(run=ANY_RUN)
def test_any_run_comes_back_equal(table: DynamoDBRunStore, run: Run) -> None:
    run = replace(run, id=f"{run.id}-{next(SERIAL)}")
    created = table.create(run)
    assert table.load(run.id) == created == replace(run, version=1, holds_prefix=created.holds_prefix)
