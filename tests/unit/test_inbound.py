"""Events from AWS are read; anything else raises an error that names it, and nothing worse."""

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
    PageQuery,
    UnreadableEventError,
    Upload,
    read_delivery,
    read_observation,
    read_page_query,
    read_upload,
    write_predecessor_ended,
    write_room_freed,
    write_run_due,
    write_template_due,
)
from spot_relay.domain.run.observation import (
    CanaryChanged,
    Due,
    EndpointChanged,
    JobChanged,
    Observation,
    PredecessorEnded,
    RoomFreed,
)
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.template import Appointment, Arrival

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = Path(__file__).resolve().parents[2] / "events"
OBSERVED = sorted((EVENTS / "observe").glob("*.json"))
OTHERS = {
    *("run-due", "room-freed", "predecessor-ended", "foreign-job", "canary-training", "endpoint-in-service"),
}
STATE_CHANGES = [path for path in OBSERVED if path.stem not in OTHERS]


def body(path: Path) -> str:
    """Return the body of the only message in a document."""
    (record,) = json.loads(path.read_text("utf-8"))["Records"]
    text: str = record["body"]
    return text


def state_change(path: Path | None = None, **detail: Any) -> str:
    """Return a state change with changes to its detail; None removes a key."""
    event = json.loads(body(path or EVENTS / "observe" / "completed.json"))
    event["detail"] = {key: value for key, value in (event["detail"] | detail).items() if value is not None}
    return json.dumps(event)


@pytest.mark.parametrize("path", STATE_CHANGES, ids=lambda path: path.stem)
def test_a_state_change_is_read_with_its_status_and_time(path: Path) -> None:
    detail = json.loads(body(path))["detail"]
    moment = datetime.fromtimestamp(int(detail["LastModifiedTime"]) / 1000, UTC)
    expected = JobChanged(1, detail["TrainingJobStatus"], detail["SecondaryStatus"], moment)
    assert read_observation(body(path)) == ("churn", expected)


FOREIGN = EVENTS / "observe" / "foreign-job.json"


@pytest.mark.parametrize("name", ["sensors-relay-07", "sensors-canary-07"])
def test_a_job_with_only_foreign_tags_is_ignored_even_if_it_is_named_like_ours(name: str) -> None:
    assert read_observation(state_change(FOREIGN, TrainingJobName=name)) is None


FOREIGN_TAGS = [{"Key": "team", "Value": "growth"}]
OUR_TAGS = [*FOREIGN_TAGS, {"Key": "spot-relay:run-id", "Value": "Sensors"}]


@pytest.mark.parametrize("name", ["sensors-relay-07", "sensors-canary-07"])
def test_tags_are_read_as_an_object_and_as_a_list(name: str) -> None:
    for foreign in (FOREIGN_TAGS, [{"key": "team", "value": "growth"}], {"team": "growth"}):
        assert read_observation(state_change(FOREIGN, TrainingJobName=name, Tags=foreign)) is None
    for ours in (OUR_TAGS, [{"key": "spot-relay:run-id", "value": "Sensors"}], {"spot-relay:run-id": "Sensors"}):
        observed = read_observation(state_change(FOREIGN, TrainingJobName=name, Tags=ours))
        assert observed is not None
        assert observed[0] == "Sensors", "as the tag spells it"


@pytest.mark.parametrize("run_id", ["other", "", None, 7, ["sensors"]])
def test_the_tag_of_another_run_does_not_change_which_run_a_job_belongs_to(run_id: object) -> None:
    tags = {"spot-relay:run-id": run_id}
    run, _ = read_observation(state_change(FOREIGN, TrainingJobName="sensors-relay-07", Tags=tags)) or ("", None)
    assert run == "sensors"


@pytest.mark.parametrize("tags", [{}, None, [], "all of them", [7, {"Key": 7}, {}]])
def test_a_job_without_tags_is_judged_by_its_name_alone(tags: object) -> None:
    run_id, observation = read_observation(state_change(FOREIGN, Tags=tags)) or ("", None)
    assert run_id == "sensors"
    assert isinstance(observation, JobChanged)
    assert observation.attempt == 7


def test_the_message_for_a_due_run_is_read_as_it_is_written() -> None:
    assert read_observation(body(EVENTS / "observe" / "run-due.json")) == ("churn", Due())
    assert json.loads(write_run_due("churn")) == json.loads(body(EVENTS / "observe" / "run-due.json"))


def test_the_message_for_freed_room_is_read_as_it_is_written() -> None:
    assert read_observation(body(EVENTS / "observe" / "room-freed.json")) == ("churn", RoomFreed())
    assert json.loads(write_room_freed("churn")) == json.loads(body(EVENTS / "observe" / "room-freed.json"))


@pytest.mark.parametrize(
    ("write", "observation"),
    [
        (write_run_due, Due()),
        (write_room_freed, RoomFreed()),
        (write_predecessor_ended, PredecessorEnded()),
    ],
)
@pytest.mark.parametrize("run_id", ["churn", "a", 'a"b', "é\n", "run-relay-1"])
def test_our_own_messages_are_read_back_for_any_run_id(
    write: Callable[[str], str], observation: Observation, run_id: str
) -> None:
    assert read_observation(write(run_id)) == (run_id, observation)


def test_a_state_change_of_a_canary_is_read_with_its_number_and_status() -> None:
    change = read_observation(body(EVENTS / "observe" / "canary-training.json"))
    assert change == ("churn", CanaryChanged(1, "Training"))
    stopped = state_change(TrainingJobName="churn-canary-17", SecondaryStatus="MaxWaitTimeExceeded")
    assert read_observation(stopped) == ("churn", CanaryChanged(17, "MaxWaitTimeExceeded"))


def test_the_end_of_a_job_name_distinguishes_attempts_from_canaries() -> None:
    run_id, observation = read_observation(state_change(TrainingJobName="a-canary-02-relay-13")) or ("", None)
    assert run_id == "a-canary-02"
    assert isinstance(observation, JobChanged)
    change = read_observation(state_change(TrainingJobName="a-relay-02-canary-13"))
    assert change == ("a-relay-02", CanaryChanged(13, "Completed"))


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
def test_a_job_named_like_neither_an_attempt_nor_a_canary_is_ignored(name: str) -> None:
    assert read_observation(state_change(TrainingJobName=name)) is None


def test_the_last_number_in_a_job_name_is_the_number_of_the_attempt() -> None:
    run_id, observation = read_observation(state_change(TrainingJobName="a-relay-02-relay-13")) or ("", None)
    assert run_id == "a-relay-02"
    assert isinstance(observation, JobChanged)
    assert observation.attempt == 13


@pytest.mark.parametrize(
    "moment",
    [
        *("1748949251137", 1748949251137, 1748949251137.0, "1748949251137.0"),
        *(1748949251.137, "1748949251.137", "2025-06-03T11:14:11.137Z", "2025-06-03T13:14:11.137+02:00"),
    ],
)
def test_a_time_is_read_from_text_and_from_a_number_in_milliseconds_seconds_and_iso_8601(moment: object) -> None:
    _, observation = read_observation(state_change(LastModifiedTime=moment)) or ("", None)
    assert isinstance(observation, JobChanged)
    assert observation.at == datetime(2025, 6, 3, 11, 14, 11, 137_000, UTC)


@pytest.mark.parametrize("moment", [None, ""])
def test_a_change_without_a_time_gets_the_time_of_its_event(moment: object) -> None:
    event = json.loads(state_change(LastModifiedTime=moment)) | {"time": "2025-06-03T13:14:12+02:00"}
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
        state_change(TrainingJobName=7),
        state_change(TrainingJobName=["churn-relay-01"]),
        state_change(TrainingJobStatus=None),
        state_change(SecondaryStatus=None),
        state_change(TrainingJobName="churn-canary-01", SecondaryStatus=None),
        state_change(TrainingJobName="churn-canary-01", SecondaryStatus=5),
        state_change(TrainingJobStatus={"a": 1}),
        state_change(SecondaryStatus=5),
        state_change(LastModifiedTime="yesterday"),
        state_change(LastModifiedTime=[]),
        state_change(LastModifiedTime=10**30),
        state_change(LastModifiedTime="1" * 5000),
        state_change(LastModifiedTime=1e400),
        state_change(LastModifiedTime=None).replace('"time"', '"moment"'),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": ["churn"]}}),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": ""}}),
        json.dumps({"source": "spot-relay", "detail-type": "Room Freed", "detail": {"run_id": ""}}),
        json.dumps({"source": "spot-relay", "detail-type": "Room Freed", "detail": {}}),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": "\ud800"}}),
        json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": "x" * 1025}}),
        state_change(SecondaryStatus="\udfff"),
        state_change(SecondaryStatus="x" * 1025),
        state_change(TrainingJobStatus="x" * 100_000),
    ],
    ids=lambda text: text[:40],
)
def test_a_malformed_observation_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_observation(text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"source": "x" * 100_000, "detail-type": "y" * 100_000, "detail": {}}),
        json.dumps({"source": "\ud800", "detail-type": {"a": 1}, "detail": {}}),
        state_change(LastModifiedTime="y" * 100_000),
        state_change(LastModifiedTime="é" * 100_000),
        state_change(LastModifiedTime=None).replace('"time": "', '"time": "' + "y" * 100_000),
        "x" * 100_000,
    ],
    ids=["source", "surrogate", "moment", "moment-in-another-script", "time", "not JSON"],
)
def test_the_error_for_an_unreadable_message_is_short_and_can_be_logged(text: str) -> None:
    for read in (read_observation, read_upload, lambda text: read_delivery(text, "specs")):
        with pytest.raises(UnreadableEventError) as raised:
            read(text)
        assert len(str(raised.value).encode()) < 300
        assert raised.value.__cause__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KINDS = ["Run Due", "Room Freed", "Predecessor Ended", "SageMaker Training Job State Change", "Object Created"]
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
def test_any_text_yields_an_observation_none_or_an_unreadable_event_error(text: str) -> None:
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
            assert observation in (Due(), RoomFreed(), PredecessorEnded())


@given(text=st.text() | JSON.map(json.dumps) | ENVELOPES)
def test_any_text_yields_an_upload_or_an_unreadable_event_error(text: str) -> None:
    try:
        upload = read_upload(text)
    except UnreadableEventError:
        return
    assert isinstance(upload.bucket, str)
    assert isinstance(upload.key, str)
    assert upload.version_id is None or isinstance(upload.version_id, str)


@given(text=st.text() | JSON.map(json.dumps) | ENVELOPES)
def test_any_text_yields_an_arrival_or_an_upload_or_an_unreadable_event_error(text: str) -> None:
    try:
        delivered = read_delivery(text, "specs")
    except UnreadableEventError:
        return
    if not isinstance(delivered, Appointment):
        assert isinstance(delivered, Upload) == (delivered.bucket == "specs")


def arrival_event(**changes: Any) -> str:
    """Return the event of an object that has arrived, with changes to the object; None removes a key."""
    event = json.loads(body(EVENTS / "submit" / "data-arrived.json"))
    stored = event["detail"]["object"] | changes
    event["detail"]["object"] = {key: value for key, value in stored.items() if value is not None}
    return json.dumps(event)


def test_a_schedule_says_which_template_is_due_and_when() -> None:
    text = write_template_due("templates/churn.yaml", "2025-06-04T06:00:00Z")
    at = datetime(2025, 6, 4, 6, tzinfo=UTC)
    assert read_delivery(text, "specs") == Appointment("templates/churn.yaml", at)
    assert read_delivery(text.replace("06:00:00Z", "08:00:00+02:00"), "specs") == Appointment(
        "templates/churn.yaml", at
    )


@pytest.mark.parametrize("at", ["<aws.scheduler.scheduled-time>", "2025-06-04T06:00:00", ""])
def test_a_schedule_that_does_not_say_when_is_refused(at: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_delivery(write_template_due("templates/churn.yaml", at), "specs")


def test_a_schedule_of_what_is_no_template_is_refused() -> None:
    with pytest.raises(UnreadableEventError, match="template is not under templates/"):
        read_delivery(write_template_due("runs/churn.yaml", "2025-06-04T06:00:00Z"), "specs")


def test_the_arrival_of_an_object_says_which_version_of_it_when() -> None:
    arrival = read_delivery(arrival_event(), "specs")
    assert arrival == Arrival(
        "arriving-data",
        "incoming/2025-06-03/_SUCCESS",
        "Hk2Vd8Rm4ZsBw0XyTn6Qf9Lc3Jp7Ga1",
        datetime(2025, 6, 3, 9, 30, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize("version", [None, "", "null"])
def test_a_version_without_an_id_is_told_by_its_entity_tag_and_its_sequencer(version: str | None) -> None:
    arrival = read_delivery(arrival_event(**{"version-id": version}), "specs")
    assert isinstance(arrival, Arrival)
    assert arrival.version == "d41d8cd98f00b204e9800998ecf8427e 00683EC20A9D41E7B3"


@pytest.mark.parametrize(
    "text",
    [
        arrival_event(**{"version-id": None, "sequencer": None}),
        arrival_event(**{"version-id": 7}),
        arrival_event(key=None),
        arrival_event().replace("Object Created", "Object Deleted"),
        arrival_event().replace('"time": "2025', '"time": "x'),
        json.dumps(
            {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "a"}, "object": []}}
        ),
        json.dumps({"source": "aws.s3", "detail": {"bucket": "a"}}),
    ],
    ids=["no version", "odd version", "no key", "deleted", "no time", "no object", "no bucket"],
)
def test_an_arrival_that_does_not_say_all_that_is_refused(text: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_delivery(text, "specs")


def upload_event(**changes: Any) -> str:
    """Return an upload event with changes to its object; None removes a key."""
    event = json.loads(body(EVENTS / "submit" / "spec-uploaded.json"))
    stored = event["detail"]["object"] | {key.replace("_", "-"): value for key, value in changes.items()}
    event["detail"]["object"] = {key: value for key, value in stored.items() if value is not None}
    return json.dumps(event)


def test_an_upload_is_read_with_its_bucket_key_and_version() -> None:
    read = read_upload(body(EVENTS / "submit" / "spec-uploaded.json"))
    assert read == Upload(
        "spot-relay-specs-000000000000-us-east-1", "runs/churn.json", "mR3nXq0Lz7VtYc2Hk5WbJd8Fs1Pg4Ua"
    )


def test_an_upload_to_a_bucket_without_versioning_has_no_version() -> None:
    assert read_upload(upload_event(version_id=None)).version_id is None
    for nothing in (None, ""):
        event = json.loads(upload_event())
        event["detail"]["object"]["version-id"] = nothing
        assert read_upload(json.dumps(event)).version_id is None


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
def test_an_object_anywhere_under_runs_with_a_known_suffix_is_a_spec(key: str) -> None:
    upload = read_upload(upload_event(key=key))
    assert upload.is_spec
    assert upload.key == key


@pytest.mark.parametrize(
    "key", ["runs/", "runs/a", "runs/a.txt", "runs/json", "a.json", "Runs/a.json", "errors/runs/a.json"]
)
def test_an_object_elsewhere_or_with_another_suffix_is_not_a_spec(key: str) -> None:
    upload = read_upload(upload_event(key=key))
    assert not upload.is_spec
    assert upload.key == key


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "{}",
        body(EVENTS / "observe" / "completed.json"),
        upload_event(key=None),
        upload_event(key=5),
        upload_event(version_id=["a"]),
        upload_event(key="runs/\ud800.json"),
        upload_event(key="runs/" + "x" * 1020 + ".json"),
        upload_event(version_id="\udfff"),
        upload_event().replace('"bucket"', '"pail"'),
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_a_malformed_upload_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableEventError):
        read_upload(text)


TOKEN = "2025-06-03T09:14:00.000000Z#churn"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, PageQuery(None, 25, None)),
        ({"status": "Stopping"}, PageQuery(RunStatus.STOPPING, 25, None)),
        ({"limit": "1"}, PageQuery(None, 1, None)),
        ({"limit": "100", "token": TOKEN}, PageQuery(None, 100, TOKEN)),
        ({"limit": "007"}, PageQuery(None, 7, None)),
    ],
)
def test_a_valid_query_is_read(query: dict[str, str], expected: PageQuery) -> None:
    assert read_page_query(query) == expected


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
def test_an_invalid_query_is_refused_with_the_name_of_the_parameter(query: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidQueryError, match=named) as raised:
        read_page_query(query)
    assert len(str(raised.value)) < 200


@given(query=st.dictionaries(st.sampled_from(["status", "limit", "token", "more"]) | st.text(), st.text(), max_size=4))
def test_any_query_yields_a_page_query_or_an_invalid_query_error(query: dict[str, str]) -> None:
    try:
        wanted = read_page_query(query)
    except InvalidQueryError:
        return
    assert 1 <= wanted.limit <= 100


def endpoint_event(config: object) -> str:
    """A state change of an endpoint with this configuration."""
    event: dict[str, Any] = json.loads(body(EVENTS / "observe" / "endpoint-in-service.json"))
    event["detail"]["EndpointConfigName"] = config
    return json.dumps(event)


@pytest.mark.parametrize(
    ("config", "run_id"), [("churn-relay-01", "churn"), ("a-b-relay-50", "a-b"), ("their-config", None)]
)
def test_an_event_of_an_endpoint_is_about_the_run_that_its_configuration_is_named_after(
    config: str, run_id: str | None
) -> None:
    assert read_observation(endpoint_event(config)) == (None if run_id is None else (run_id, EndpointChanged()))


@pytest.mark.parametrize("config", [None, 7, "", "x" * 2000])
def test_an_event_of_an_endpoint_without_a_readable_configuration_is_unreadable(config: object) -> None:
    with pytest.raises(UnreadableEventError):
        read_observation(endpoint_event(config))
