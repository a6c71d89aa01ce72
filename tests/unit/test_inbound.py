"""AWS's events are read as what they tell; whatever else arrives is an error that names it, and nothing worse."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spot_relay.adapters.inbound import (
    InvalidQueryError,
    PageWanted,
    UnreadableEventError,
    Upload,
    read_observation,
    read_page,
    read_upload,
    room_freed,
    run_due,
)
from spot_relay.domain.run.observation import CanaryChanged, Due, JobChanged, Observation, RoomFreed
from spot_relay.domain.run.run import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = Path(__file__).resolve().parents[2] / "events"
OBSERVED = sorted((EVENTS / "observe").glob("*.json"))
OTHERS = {"run-due", "room-freed", "foreign-job", "canary-training"}
STATE_CHANGES = [path for path in OBSERVED if path.stem not in OTHERS]


def body(path: Path) -> str:
    """Give the body of a document's one message."""
    (record,) = json.loads(path.read_text("utf-8"))["Records"]
    text: str = record["body"]
    return text


def changed(path: Path | None = None, **detail: Any) -> str:
    """Give a state change with changes to its detail; a change to None removes the key."""
    event = json.loads(body(path or EVENTS / "observe" / "completed.json"))
    event["detail"] = {key: value for key, value in (event["detail"] | detail).items() if value is not None}
    return json.dumps(event)


@pytest.mark.parametrize("path", STATE_CHANGES, ids=lambda path: path.stem)
def test_a_state_change_is_read_as_what_its_detail_says(path: Path) -> None:
    detail = json.loads(body(path))["detail"]
    moment = datetime.fromtimestamp(int(detail["LastModifiedTime"]) / 1000, UTC)
    expected = JobChanged(1, detail["TrainingJobStatus"], detail["SecondaryStatus"], moment)
    assert read_observation(body(path)) == ("churn", expected)


FOREIGN = EVENTS / "observe" / "foreign-job.json"


@pytest.mark.parametrize("name", ["sensors-relay-07", "sensors-canary-07"])
def test_a_job_whose_tags_are_all_anothers_is_nobodys_whatever_its_name(name: str) -> None:
    assert read_observation(changed(FOREIGN, TrainingJobName=name)) is None


@pytest.mark.parametrize("tags", [{}, None, [], "all of them"])
def test_a_job_without_tags_whose_name_looks_like_an_attempts_is_left_to_the_table_to_tell(tags: object) -> None:
    run_id, observation = read_observation(changed(FOREIGN, Tags=tags)) or ("", None)
    assert run_id == "sensors"
    assert isinstance(observation, JobChanged)
    assert observation.attempt == 7


def test_a_due_run_is_read_as_the_tick_writes_it() -> None:
    assert read_observation(body(EVENTS / "observe" / "run-due.json")) == ("churn", Due())
    assert json.loads(run_due("churn")) == json.loads(body(EVENTS / "observe" / "run-due.json"))


def test_freed_room_is_read_as_it_is_written() -> None:
    assert read_observation(body(EVENTS / "observe" / "room-freed.json")) == ("churn", RoomFreed())
    assert json.loads(room_freed("churn")) == json.loads(body(EVENTS / "observe" / "room-freed.json"))


@pytest.mark.parametrize(("write", "observation"), [(run_due, Due()), (room_freed, RoomFreed())])
@pytest.mark.parametrize("run_id", ["churn", "a", 'a"b', "é\n", "run-relay-1"])
def test_a_message_of_our_own_is_read_back(write: Callable[[str], str], observation: Observation, run_id: str) -> None:
    assert read_observation(write(run_id)) == (run_id, observation)


def test_a_state_change_of_a_canary_tells_its_number_and_how_it_is() -> None:
    told = read_observation(body(EVENTS / "observe" / "canary-training.json"))
    assert told == ("churn", CanaryChanged(1, "Training"))
    stopped = changed(TrainingJobName="churn-canary-17", SecondaryStatus="MaxWaitTimeExceeded")
    assert read_observation(stopped) == ("churn", CanaryChanged(17, "MaxWaitTimeExceeded"))


def test_the_end_of_a_jobs_name_tells_an_attempt_from_a_canary() -> None:
    run_id, observation = read_observation(changed(TrainingJobName="a-canary-02-relay-13")) or ("", None)
    assert run_id == "a-canary-02"
    assert isinstance(observation, JobChanged)
    told = read_observation(changed(TrainingJobName="a-relay-02-canary-13"))
    assert told == ("a-relay-02", CanaryChanged(13, "Completed"))


@pytest.mark.parametrize(
    "name",
    [
        "churn",
        *("churn-relay-\N{ARABIC-INDIC DIGIT ZERO}\N{ARABIC-INDIC DIGIT ONE}", "churn-relay-01\n"),
        *("churn-canary-\N{ARABIC-INDIC DIGIT ZERO}\N{ARABIC-INDIC DIGIT ONE}", "churn-canary-01\n"),
        *("churn-relay-1", "churn-relay-001", "-relay-01", "churn-relay-01-x", "churn-relay-aa", "é-relay-01"),
        *("churn-canary-1", "churn-canary-001", "-canary-01", "churn-canary-01-x", "churn-canary-aa", "é-canary-01"),
    ],
)
def test_a_job_that_neither_an_attempt_nor_a_canary_can_be_is_nobodys(name: str) -> None:
    assert read_observation(changed(TrainingJobName=name)) is None


def test_the_last_number_of_a_name_is_the_attempts() -> None:
    run_id, observation = read_observation(changed(TrainingJobName="a-relay-02-relay-13")) or ("", None)
    assert run_id == "a-relay-02"
    assert isinstance(observation, JobChanged)
    assert observation.attempt == 13


@pytest.mark.parametrize("moment", ["1748949251137", 1748949251137])
def test_a_moment_is_read_from_text_and_from_a_number(moment: object) -> None:
    _, observation = read_observation(changed(LastModifiedTime=moment)) or ("", None)
    assert isinstance(observation, JobChanged)
    assert observation.at == datetime(2025, 6, 3, 11, 14, 11, 137_000, UTC)


def test_without_a_moment_of_its_own_a_change_has_that_of_its_event() -> None:
    event = json.loads(changed(LastModifiedTime=None)) | {"time": "2025-06-03T13:14:12+02:00"}
    _, observation = read_observation(json.dumps(event)) or ("", None)
    assert isinstance(observation, JobChanged)
    assert observation.at == datetime(2025, 6, 3, 11, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "null",
        "[]",
        "1",
        "{}",
        '{"detail": null}',
        '{"detail": {}}',
        '{"detail": {}, "source": ["aws.sagemaker"], "detail-type": {}}',
        '{"detail": {}, "source": "spot-relay", "detail-type": "Run Due"}',
        '{"detail": {}, "source": "spot-relay", "detail-type": "Spot Relay Run State Change"}',
        '{"detail": {}, "source": "aws.sagemaker", "detail-type": "SageMaker Training Job State Change"}',
        "[" * 100_000,
        '{"detail": {"a": ' + "1" * 5000 + "}}",
        changed(TrainingJobName=7),
        changed(TrainingJobName=["churn-relay-01"]),
        changed(TrainingJobStatus=None),
        changed(SecondaryStatus=None),
        changed(TrainingJobName="churn-canary-01", SecondaryStatus=None),
        changed(TrainingJobName="churn-canary-01", SecondaryStatus=5),
        changed(TrainingJobStatus={"a": 1}),
        changed(SecondaryStatus=5),
        changed(LastModifiedTime="yesterday"),
        changed(LastModifiedTime=[]),
        changed(LastModifiedTime=10**30),
        changed(LastModifiedTime="1" * 5000),
        changed(LastModifiedTime=1e400),
        changed(LastModifiedTime=None).replace('"time"', '"moment"'),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": ["churn"]}}),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": ""}}),
        json.dumps({"source": "spot-relay", "detail-type": "Room Freed", "detail": {"run_id": ""}}),
        json.dumps({"source": "spot-relay", "detail-type": "Room Freed", "detail": {}}),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": "\ud800"}}),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": "x" * 1025}}),
        changed(SecondaryStatus="\udfff"),
        changed(SecondaryStatus="x" * 1025),
        changed(TrainingJobStatus="x" * 100_000),
    ],
    ids=lambda text: text[:40],
)
def test_a_message_that_tells_nothing_readable_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_observation(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"source": "x" * 100_000, "detail-type": "y" * 100_000, "detail": {}}),
        json.dumps({"source": "\ud800", "detail-type": {"a": 1}, "detail": {}}),
        changed(LastModifiedTime="y" * 100_000),
        changed(LastModifiedTime="é" * 100_000),
        changed(LastModifiedTime=None).replace('"time": "', '"time": "' + "y" * 100_000),
        "x" * 100_000,
    ],
    ids=["source", "surrogate", "moment", "moment-in-another-script", "time", "no JSON"],
)
def test_what_is_said_of_an_unreadable_message_is_short_and_can_be_logged(text: str) -> None:
    for read in (read_observation, read_upload):
        with pytest.raises(UnreadableEventError) as raised:
            read(text)
        assert len(str(raised.value).encode()) < 300
        assert raised.value.__cause__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KINDS = ["Run Due", "Room Freed", "SageMaker Training Job State Change", "Object Created"]
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "TrainingJobName": JSON | st.sampled_from(["churn-relay-01", "churn-canary-01"]),
        "TrainingJobStatus": JSON | st.just("Stopped"),
        "SecondaryStatus": JSON | st.just("MaxWaitTimeExceeded"),
        "LastModifiedTime": JSON | st.integers().map(str),
        "run_id": JSON,
        "bucket": JSON | st.fixed_dictionaries({}, optional={"name": JSON}),
        "object": JSON | st.fixed_dictionaries({}, optional={"key": JSON | st.just("runs/a.yaml"), "version-id": JSON}),
    },
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "source": JSON | st.sampled_from(["spot-relay", "aws.sagemaker", "aws.s3"]),
        "detail-type": JSON | st.sampled_from(KINDS),
        "time": JSON | st.just("2025-06-03T11:14:12Z"),
        "detail": DETAILS | JSON,
    },
).map(json.dumps)


@given(text=st.text() | JSON.map(json.dumps) | ENVELOPES)
@example(text="\ud800")
def test_any_text_gives_an_observation_none_or_an_unreadable_event_and_nothing_else(text: str) -> None:
    try:
        observed = read_observation(text)
    except UnreadableEventError:
        return
    if observed is not None:
        run_id, observation = observed
        assert isinstance(run_id, str)
        assert run_id
        if isinstance(observation, JobChanged):
            assert isinstance(observation.status, str)
            assert isinstance(observation.secondary_status, str)
            assert observation.at.tzinfo is UTC
        elif isinstance(observation, CanaryChanged):
            assert isinstance(observation.secondary_status, str)
        else:
            assert observation in (Due(), RoomFreed())


@given(text=st.text() | JSON.map(json.dumps) | ENVELOPES)
def test_any_text_gives_an_upload_or_an_unreadable_event_and_nothing_else(text: str) -> None:
    try:
        upload = read_upload(text)
    except UnreadableEventError:
        return
    assert isinstance(upload.bucket, str)
    assert isinstance(upload.key, str)
    assert upload.version_id is None or isinstance(upload.version_id, str)


def uploaded(**changes: Any) -> str:
    """Give the event of an upload with changes to its object; a change to None removes the key."""
    event = json.loads(body(EVENTS / "submit" / "spec-uploaded.json"))
    stored = event["detail"]["object"] | {key.replace("_", "-"): value for key, value in changes.items()}
    event["detail"]["object"] = {key: value for key, value in stored.items() if value is not None}
    return json.dumps(event)


def test_an_upload_is_read_with_its_bucket_key_and_version() -> None:
    read = read_upload(body(EVENTS / "submit" / "spec-uploaded.json"))
    assert read == Upload(
        "spot-relay-specs-000000000000-us-east-1", "runs/churn.json", "mR3nXq0Lz7VtYc2Hk5WbJd8Fs1Pg4Ua"
    )


def test_an_upload_into_a_bucket_without_versions_has_none() -> None:
    assert read_upload(uploaded(version_id=None)).version_id is None


@pytest.mark.parametrize(
    "key",
    [
        "runs/" + "x" * 1014 + ".json",
        "runs/a.json",
        "runs/a.YAML",
        "runs/team/a b+é.yml",
        "runs/.json",
        "runs/a.b.json",
    ],
)
def test_a_spec_is_one_wherever_it_lies_under_runs(key: str) -> None:
    upload = read_upload(uploaded(key=key))
    assert upload.is_spec
    assert upload.key == key


@pytest.mark.parametrize(
    "key", ["runs/", "runs/a", "runs/a.txt", "runs/json", "a.json", "Runs/a.json", "errors/runs/a.json"]
)
def test_an_object_elsewhere_or_of_another_ending_is_no_spec(key: str) -> None:
    upload = read_upload(uploaded(key=key))
    assert not upload.is_spec
    assert upload.key == key


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "{}",
        body(EVENTS / "observe" / "completed.json"),
        uploaded(key=None),
        uploaded(key=5),
        uploaded(version_id=["a"]),
        uploaded(key="runs/\ud800.json"),
        uploaded(key="runs/" + "x" * 1020 + ".json"),
        uploaded(version_id="\udfff"),
        uploaded().replace('"bucket"', '"pail"'),
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_a_message_that_tells_of_no_upload_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_upload(text)


TOKEN = "2025-06-03T09:14:00.000000Z#churn"


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, PageWanted(None, 25, None)),
        ({"status": "Stopping"}, PageWanted(RunStatus.STOPPING, 25, None)),
        ({"limit": "1"}, PageWanted(None, 1, None)),
        ({"limit": "100", "token": TOKEN}, PageWanted(None, 100, TOKEN)),
        ({"limit": "007"}, PageWanted(None, 7, None)),
    ],
)
def test_the_query_of_a_listing_is_read(query: dict[str, str], wanted: PageWanted) -> None:
    assert read_page(query) == wanted


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"status": "completed"}, "status"),
        ({"status": ""}, "status"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"limit": "5 "}, "limit"),
        ({"limit": "\N{ARABIC-INDIC DIGIT FIVE}"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"token": ""}, "token"),
        ({"token": TOKEN + "\n"}, "token"),
        ({"token": TOKEN.replace("#churn", "")}, "token"),
        ({"token": "\N{ARABIC-INDIC DIGIT TWO}025-06-03T09:14:00.000000Z#churn"}, "token"),
        ({"Status": "Completed"}, "Status"),
        ({"x" * 9000: ""}, "xxx"),
        ({"\ud800": ""}, "ud800"),
        ({"next_token": TOKEN}, "next_token"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused_and_named(query: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidQueryError, match=named) as raised:
        read_page(query)
    assert len(str(raised.value)) < 200


@given(query=st.dictionaries(st.sampled_from(["status", "limit", "token", "more"]) | st.text(), st.text(), max_size=4))
def test_any_query_gives_a_page_or_an_invalid_query_and_nothing_else(query: dict[str, str]) -> None:
    try:
        wanted = read_page(query)
    except InvalidQueryError:
        return
    assert 1 <= wanted.limit <= 100
