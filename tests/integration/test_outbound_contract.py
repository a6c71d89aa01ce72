"""What is written for others arrives: status documents, error reports, announcements, runs to look at."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from spot_relay.adapters.announcements import EventBridgeAnnouncements
from spot_relay.adapters.due_queue import DelayedCopies, DueQueue, NotQueuedError, SqsWakeups
from spot_relay.adapters.inbound import Upload, read_observation
from spot_relay.adapters.s3 import S3StatusDocuments, SpecFiles, build_report_key
from spot_relay.adapters.waiting_tasks import NotAnsweredError, StepFunctionsTasks
from spot_relay.domain.run.observation import Due, PredecessorEnded, RoomFreed
from spot_relay.domain.run.run import DueRun
from spot_relay.domain.shown.events import HOSTING_CHANGE, RUN_CHANGE, Event
from spot_relay.domain.shown.report import status_document, summarise
from spot_relay.domain.values import No
from tests.fakes import NOON, REGION, MemoryAnnouncements, MemoryDocuments, MemoryTasks, MemoryWakeups
from tests.integration.runs import a_full_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spot_relay.ports import Announcements, StatusDocuments, WaitingTasks, Wakeups
    from tests.integration.fake_aws import FakeAWS

BUCKET = "specs"
RUN = a_full_run("churn")
LONG_AGO = NOON - timedelta(hours=1)


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as its reader sees it."""
    read: dict[str, Any] = json.loads(json.dumps(document))
    return read


@pytest.fixture(params=["memory", "s3"])
def documents(request: pytest.FixtureRequest) -> tuple[StatusDocuments, Callable[[str], dict[str, Any]]]:
    """Status documents, and how they are read."""
    if request.param == "memory":
        memory = MemoryDocuments()
        return memory, lambda run_id: plain(memory.written[run_id])
    client = request.getfixturevalue("aws").client("s3")
    client.create_bucket(Bucket=BUCKET)
    return S3StatusDocuments(client, BUCKET), lambda run_id: json.loads(
        client.get_object(Bucket=BUCKET, Key=f"status/{run_id}.json")["Body"].read()
    )


def test_a_status_document_is_read_as_it_was_written_last(
    documents: tuple[StatusDocuments, Callable[[str], dict[str, Any]]],
) -> None:
    port, read = documents
    port.write("churn", {"status": "Pending"})
    port.write("churn-2", {"status": "Failed"})
    port.write("churn", status_document(RUN, REGION))
    assert read("churn") == plain(status_document(RUN, REGION))
    assert read("churn-2") == {"status": "Failed"}


def test_a_status_document_says_that_it_is_json_and_keeps_its_characters(aws: FakeAWS) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    S3StatusDocuments(aws.client("s3"), BUCKET).write("churn", status_document(RUN, REGION))
    answer = aws.client("s3").get_object(Bucket=BUCKET, Key="status/churn.json")
    assert answer["ContentType"] == "application/json"
    assert "日本語" in answer["Body"].read().decode()


@pytest.fixture(params=["memory", "eventbridge"])
def announced(request: pytest.FixtureRequest) -> tuple[Announcements, Callable[[], list[dict[str, Any]]]]:
    """Announcements, and what a rule of a program hears of them."""
    if request.param == "memory":
        memory = MemoryAnnouncements()
        return memory, lambda: [plain(detail) for detail in (*memory.details, *memory.hosting)]
    client = request.getfixturevalue("aws").client
    queue = client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["spot-relay"]})
    client("events").put_rule(Name="heard", EventPattern=pattern)
    client("events").put_targets(Rule="heard", Targets=[{"Id": "queue", "Arn": arn}])

    def heard() -> list[dict[str, Any]]:
        found = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["detail"] for message in found]

    return EventBridgeAnnouncements(client("events")), heard


def test_an_announcement_is_heard_by_whoever_listens(
    announced: tuple[Announcements, Callable[[], list[dict[str, Any]]]],
) -> None:
    port, heard = announced
    failed = summarise(RUN) | {"status": "Failed"}
    assert port.announce((Event(RUN_CHANGE, "one", failed),)) == {}
    assert heard() == [plain(failed)]


def test_what_has_become_of_a_model_is_heard_by_whoever_listens(
    announced: tuple[Announcements, Callable[[], list[dict[str, Any]]]],
) -> None:
    port, heard = announced
    failed = {"run_id": "churn", "status": "Failed", "summary": "The hosting of run churn has failed."}
    assert port.announce((Event(HOSTING_CHANGE, "one", failed),)) == {}
    (told,) = heard()
    assert (told["run_id"], told["status"]) == ("churn", "Failed")


def test_an_announcement_that_the_bus_refuses_is_not_taken_for_done(aws: FakeAWS) -> None:
    with Stubber(aws.client("events")) as stub:
        refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "not now"}
        stub.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"EventId": "taken"}, refused]})
        events = tuple(Event(RUN_CHANGE, name, {"run_id": "churn"}) for name in ("one", "two"))
        assert EventBridgeAnnouncements(aws.client("events")).announce(events) == {"two": "not now"}


@pytest.fixture(params=["memory", "step functions"])
def tasks(request: pytest.FixtureRequest) -> tuple[WaitingTasks, Callable[[str], Any]]:
    """Tasks, of which one waits, and how its answer is read."""
    if request.param == "memory":
        memory = MemoryTasks({"waiting": None})
        return memory, memory.waiting.get
    aws = request.getfixturevalue("aws")
    aws.step_functions.waiting.add("waiting")
    return StepFunctionsTasks(aws.client("stepfunctions")), aws.step_functions.answers.get


@pytest.mark.parametrize("error", [None, "SpotRelay.RunFailed"])
def test_a_task_is_answered_once_and_then_waits_no_longer(
    tasks: tuple[WaitingTasks, Callable[[str], Any]], error: str | None
) -> None:
    port, answer_of = tasks
    assert port.answer("waiting", error, plain(summarise(RUN))) is None
    assert answer_of("waiting") == (error, plain(summarise(RUN)))
    assert port.answer("waiting", None, {}) == No("TaskTimedOut")
    assert answer_of("waiting") == (error, plain(summarise(RUN)))


def test_a_token_that_no_task_has_is_refused(tasks: tuple[WaitingTasks, Callable[[str], Any]]) -> None:
    port, _ = tasks
    assert port.answer("other", None, {}) is not None


def test_a_task_that_step_functions_cannot_take_an_answer_for_is_not_taken_for_done(aws: FakeAWS) -> None:
    aws.step_functions.refuse = lambda: ("AccessDeniedException", "not authorized: very-secret-token")
    with pytest.raises(NotAnsweredError) as caught:
        StepFunctionsTasks(aws.client("stepfunctions")).answer("very-secret-token", None, {})
    assert str(caught.value) == "AccessDeniedException"


@pytest.mark.parametrize("many", [0, 1, 10, 11, 25])
def test_every_due_run_is_queued_once_as_observe_reads_it(aws: FakeAWS, many: int) -> None:
    url = aws.client("sqs").create_queue(QueueName="observe")["QueueUrl"]
    with delays_of(aws.client("sqs")) as delays:
        queued = DueQueue(aws.client("sqs"), url).put(
            (DueRun(f"run-{number}", LONG_AGO) for number in range(many)), NOON
        )
    assert queued == many
    assert delays == [number // 5 for number in range(many)]
    found = []
    while batch := aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [read_observation(message["Body"]) for message in batch]
    assert sorted(found, key=str) == sorted([(f"run-{number}", Due()) for number in range(many)], key=str)


def test_a_due_run_that_the_queue_refuses_is_named_once_the_others_were_tried(aws: FakeAWS) -> None:
    refused = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "not now"}
    taken = {"Id": "0", "MessageId": "m", "MD5OfMessageBody": "0" * 32}
    with Stubber(aws.client("sqs")) as stub:
        stub.add_response("send_message_batch", {"Successful": [], "Failed": [refused]})
        stub.add_response("send_message_batch", {"Successful": [taken], "Failed": []})
        with pytest.raises(NotQueuedError, match=r"^run-1: not now$"):
            DueQueue(aws.client("sqs"), "http://queue").put(
                [DueRun(f"run-{number}", LONG_AGO) for number in range(11)], NOON
            )
        stub.assert_no_pending_responses()


class FailingOnce:
    """A client of SQS that raises in its third call, and takes all else."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl
        self.batches.append([json.loads(entry["MessageBody"])["detail"]["run_id"] for entry in Entries])
        if len(self.batches) == 3:
            error: Any = {"Error": {"Code": "InternalError", "Message": "not now"}}
            raise ClientError(error, "SendMessageBatch")
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def test_the_other_batches_are_sent_if_one_fails_and_the_failure_is_told_at_the_end() -> None:
    client: Any = FailingOnce()
    with pytest.raises(NotQueuedError, match=r"^run-20: .*not now.*; run-29: .*not now$"):
        DueQueue(client, "http://queue").put([DueRun(f"run-{number}", LONG_AGO) for number in range(95)], NOON)
    assert [run_id for batch in client.batches for run_id in batch] == [f"run-{number}" for number in range(95)]


def test_what_is_told_of_many_failures_stays_short() -> None:
    client: Any = FailingOnce()
    client.send_message_batch = None
    with pytest.raises(NotQueuedError, match=r"and 9990 more$") as raised:
        DueQueue(client, "http://queue").put([DueRun(f"run-{number}", LONG_AGO) for number in range(10_000)], NOON)
    assert len(str(raised.value)) < 1000


def test_the_runs_that_are_known_are_queued_if_the_rest_cannot_be_listed() -> None:
    def listed() -> Iterator[DueRun]:
        yield from (DueRun(f"run-{number}", LONG_AGO) for number in range(13))
        message = "throttled"
        raise ConnectionError(message)

    client: Any = FailingOnce()
    with pytest.raises(NotQueuedError, match=r"^the list of due runs is incomplete: throttled$"):
        DueQueue(client, "http://queue").put(listed(), NOON)
    assert [len(batch) for batch in client.batches] == [10, 3]


@pytest.fixture(params=["memory", "sqs"])
def wakeups(request: pytest.FixtureRequest) -> tuple[Wakeups, Callable[[], list[str]]]:
    """Wakeups, and which runs `observe` is told of."""
    if request.param == "memory":
        memory = MemoryWakeups()
        return memory, lambda: memory.woken
    sqs = request.getfixturevalue("aws").client("sqs")
    url = sqs.create_queue(QueueName="observe")["QueueUrl"]

    def woken() -> list[str]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        told = [read_observation(message["Body"]) for message in found]
        assert {observation for _, observation in filter(None, told)} <= {RoomFreed(), Due()}
        return [run_id for run_id, _ in filter(None, told)]

    return SqsWakeups(sqs, url), woken


def test_each_run_that_is_woken_is_told_of_room_as_observe_reads_it(
    wakeups: tuple[Wakeups, Callable[[], list[str]]],
) -> None:
    port, woken = wakeups
    for run_id in ("churn", "churn-2", "churn"):
        port.wake(run_id)
    assert sorted(woken()) == ["churn", "churn", "churn-2"]


def test_all_runs_that_come_after_one_are_told_of_its_end(aws: FakeAWS) -> None:
    sqs = aws.client("sqs")
    port = SqsWakeups(sqs, sqs.create_queue(QueueName="observe")["QueueUrl"])
    port.tell(tuple(f"run-{number}" for number in range(23)))
    told = []
    while found := sqs.receive_message(QueueUrl=port.url, MaxNumberOfMessages=10).get("Messages"):
        told += [read_observation(message["Body"]) for message in found]
    assert set(told) == {(f"run-{number}", PredecessorEnded()) for number in range(23)}


def test_runs_that_could_not_be_told_of_an_end_are_named_and_the_others_are_told() -> None:
    client: Any = FailingOnce()
    with pytest.raises(NotQueuedError, match=r"^run-20: "):
        SqsWakeups(client, "http://queue").tell(tuple(f"run-{number}" for number in range(33)))
    assert [len(batch) for batch in client.batches] == [10, 10, 10, 3]


def test_a_run_that_is_to_be_looked_at_hears_of_it_as_the_tick_says_it(aws: FakeAWS) -> None:
    sqs = aws.client("sqs")
    port = SqsWakeups(sqs, sqs.create_queue(QueueName="observe")["QueueUrl"])
    with delays_of(sqs) as delays:
        for seconds in (0.0, 0.2, 1.0, 74.01, 3600.0):
            port.look("churn", timedelta(seconds=seconds))
    assert delays == [0, 1, 1, 75, 900], "whole seconds, and never more than SQS can delay"
    found = sqs.receive_message(QueueUrl=port.url, MaxNumberOfMessages=10)["Messages"]
    assert [read_observation(message["Body"]) for message in found] == [("churn", Due())] * 5


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 30), (0.5, 45), (0.999, 60)])
def test_a_message_that_is_put_off_comes_again_as_it_was(aws: FakeAWS, draw: float, seconds: int) -> None:
    sqs = aws.client("sqs")
    delayed_copies = DelayedCopies(sqs, sqs.create_queue(QueueName="observe")["QueueUrl"])
    with delays_of(sqs) as delays:
        delayed_copies.put_off('{"any": "event"}', draw)
    assert delays == [seconds]
    (found,) = sqs.receive_message(QueueUrl=delayed_copies.url)["Messages"]
    assert found["Body"] == '{"any": "event"}'


@contextmanager
def delays_of(sqs: Any) -> Iterator[list[int]]:
    """Record the delays of messages, which then come at once."""
    delays: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        delays.extend(message.pop("DelaySeconds") for message in params.get("Entries", [params]))

    operations = ("provide-client-params.sqs.SendMessage", "provide-client-params.sqs.SendMessageBatch")
    for operation in operations:
        sqs.meta.events.register(operation, note)
    try:
        yield delays
    finally:
        for operation in operations:
            sqs.meta.events.unregister(operation, note)


def test_a_wakeup_that_the_queue_refuses_is_not_taken_for_done(aws: FakeAWS) -> None:
    with pytest.raises(ClientError, match="NonExistentQueue"):
        SqsWakeups(aws.client("sqs"), "https://sqs.us-east-1.amazonaws.com/123456789012/nowhere").wake("churn")


def test_a_spec_is_read_up_to_one_byte_more_than_the_limit(aws: FakeAWS) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key="runs/a.json", Body=b"x" * 100)
    files = SpecFiles(aws.client("s3"))
    assert files.read(Upload(BUCKET, "runs/a.json", None), 100) == b"x" * 100
    assert files.read(Upload(BUCKET, "runs/a.json", None), 50) == b"x" * 51
    assert files.read(Upload(BUCKET, "runs/b.json", None), 50) is None


def test_a_spec_in_a_bucket_that_cannot_be_read_is_not_taken_for_gone(aws: FakeAWS) -> None:
    with pytest.raises(ClientError):
        SpecFiles(aws.client("s3")).read(Upload("nowhere", "runs/a.json", None), 100)


@pytest.mark.parametrize("key", ["runs/a.json", "runs/" + "é" * 500 + ".yaml", "runs/" + "x" * 1010 + ".yaml"])
def test_the_report_of_a_spec_of_any_name_is_written_and_removed(aws: FakeAWS, key: str) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    files, upload = SpecFiles(aws.client("s3")), Upload(BUCKET, key, "v1")
    files.report(upload, [{"path": "name", "message": "«bad»"}], NOON)
    assert len(build_report_key(key).encode()) <= 1024
    read = json.loads(aws.client("s3").get_object(Bucket=BUCKET, Key=build_report_key(key))["Body"].read())
    assert read == {
        "key": key,
        "version_id": "v1",
        "reported_at": "2026-11-23T12:00:00.000Z",
        "errors": [{"path": "name", "message": "«bad»"}],
    }
    files.clear(upload)
    files.clear(upload)
    assert aws.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
