"""Upgrades: runs that earlier releases have stored are read and carried on; what a newer one has stored is left alone.

The documents are real ones (see stored/README.md), put into the table beside a SageMaker in which the same was done.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from spot_relay.adapters.run_items import SCHEMA_VERSION
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import ENDED_STATUSES
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.report import status_document
from tests.fakes import REGION
from tests.integration.scenes import metrics
from tests.integration.stack import CHECKPOINTS, TABLE, body_of, document, messages
from tests.thoroughness import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run
    from tests.integration.stack import Stack

FOLDER = Path(__file__).parent / "stored"
NEWEST = f"schema-{SCHEMA_VERSION}"
FORMS = sorted(path.stem for path in FOLDER.glob("schema-*.json"))
# What becomes of the runs that are open, or owe something, and with how many attempts.
ENDS = {
    "training": (RunStatus.COMPLETED, 1),
    "interrupted": (RunStatus.COMPLETED, 2),
    "relaunched": (RunStatus.COMPLETED, 2),
    "owing_a_launch": (RunStatus.COMPLETED, 2),
    "backing_off": (RunStatus.COMPLETED, 2),
    "without_room": (RunStatus.COMPLETED, 1),
    "stopping": (RunStatus.STOPPED, 1),
    "owing_news_of_its_end": (RunStatus.COMPLETED, 1),
    "down_the_ladder": (RunStatus.COMPLETED, 3),
    "on_demand_beside_a_canary": (RunStatus.COMPLETED, 2),
}
# Which of them live on until a job of theirs completes, and which can be resumed.
LIVE = ("training", "relaunched", "down_the_ladder", "on_demand_beside_a_canary")
RESUMABLE = ("never_created", "failed", "stopped")
DAY = 86_400


@cache
def form(name: str) -> dict[str, dict[str, Any]]:
    """Read the documents of one form, by the states of their runs."""
    read: dict[str, dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return read


def stored(*states: str, turn: int | None = None) -> pytest.MarkDecorator:
    """Have a test for each form, and each of the states that it has; without states for all of them.

    A run that is not thorough tries the share of them that has its ``turn``, if there is one.
    """
    cases = [(name, state) for name in FORMS for state in form(name) if not states or state in states]
    tried = cases if turn is None else share(cases, turn)
    return pytest.mark.parametrize("case", [Case(*case) for case in tried], ids=str)


@dataclass(frozen=True)
class Case:
    """A run in one state, as one release has stored it."""

    form: str
    state: str

    def __str__(self) -> str:
        """Name the case as pytest does."""
        return f"{self.form}-{self.state}"

    @property
    def kept(self) -> dict[str, Any]:
        """All that was kept of it."""
        return form(self.form)[self.state]

    @property
    def spec(self) -> dict[str, Any]:
        """What was submitted."""
        found: dict[str, Any] = copy.deepcopy(self.kept["spec"])
        return found

    @property
    def item(self) -> dict[str, Any]:
        """The run's item."""
        [found] = [item for item in self.kept["items"] if item["id"]["S"] == "churn"]
        return copy.deepcopy(found)

    @property
    def document(self) -> dict[str, Any]:
        """What is stored of the run."""
        read: dict[str, Any] = json.loads(self.item["document"]["S"])
        return read

    def put_back(self, stack: Stack) -> None:
        """Do again what was done to training jobs, and put back what was stored then."""
        stack.aws.simulator.play(**self.kept["scenario"])
        sagemaker = stack.client("sagemaker")
        calls = {"CreateTrainingJob": sagemaker.create_training_job, "StopTrainingJob": sagemaker.stop_training_job}
        for call in self.kept["calls"]:
            stack.clock.now = datetime.fromisoformat(call["at"])
            calls[call["operation"]](**call["params"])
        stack.clock.now = datetime.fromisoformat(self.kept["now"])
        for item in self.kept["items"]:
            stack.client("dynamodb").put_item(TableName=TABLE, Item=item)
        stack.client("s3").create_bucket(Bucket=CHECKPOINTS)
        for key in self.kept["checkpoints"]:
            stack.client("s3").put_object(Bucket=CHECKPOINTS, Key=key, Body=b"model")


def holds(now: Any, then: Any) -> bool:
    """Whether a current value contains everything of an earlier one."""
    if isinstance(then, dict):
        return all(key in now and holds(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return bool(now == then)


def encoded(run: Run) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(msgspec.json.encode(run))
    return read


def item_of(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.client("dynamodb").get_item(TableName=TABLE, Key={"id": {"S": "churn"}})["Item"]
    return found


def to_its_end(stack: Stack) -> Run:
    """Let the tick alone come, until the run has ended and owes nothing."""
    for _ in range(DAY // 1500):
        stack.clock.passes(1500)
        stack.tick()
        run = stack.run()
        if run.has_ended and not run.outbox:
            return run
    pytest.fail(f"the run does not end: it is {stack.run().status}, {stack.run().reason}")


def check(stack: Stack, run: Run, attempts: int, jobs: Sequence[Attempt] | None = None) -> None:
    """All that holds for a run of today holds for it; each attempt has a job, or those that are given."""
    assert len(run.attempts) == attempts
    assert [attempt.status for attempt in run.attempts] == [AttemptStatus.ENDED] * attempts
    assert stack.status() == json.loads(json.dumps(status_document(run, REGION)))
    item, newest = item_of(stack), Case(NEWEST, "training").document
    assert item["schema_version"] == {"N": str(SCHEMA_VERSION)}
    saved = json.loads(item["document"]["S"])
    assert saved.keys() == newest.keys()
    assert all(attempt.keys() == newest["attempts"][0].keys() for attempt in saved["attempts"])
    stack.clock.passes(1)
    created = stack.aws.simulator.created()
    assert len(created) == len(set(created))
    with_job = run.attempts if jobs is None else jobs
    assert [attempt.job_name for attempt in with_job] == [name for name in created if "-relay-" in name]
    assert stack.aws.simulator.most_live("churn-relay-*") == min(1, len(with_job))
    described = [stack.client("sagemaker").describe_training_job(TrainingJobName=name) for name in created]
    assert {job["TrainingJobStatus"] for job in described if job["TrainingJobName"] != "holder"} <= set(ENDED_STATUSES)


def test_each_schema_version_has_its_documents() -> None:
    versions = {int(Case(name, state).item["schema_version"]["N"]) for name in FORMS for state in form(name)}
    assert versions == set(range(1, SCHEMA_VERSION + 1))


def test_what_is_stored_today_is_of_the_newest_form_else_the_schema_version_has_to_be_raised(stack: Stack) -> None:
    for state in form(NEWEST):
        case = Case(NEWEST, state)
        stack.begin()
        case.put_back(stack)
        assert encoded(stack.run()) == case.document, "raise SCHEMA_VERSION, and see stored/README.md"


@stored(turn=3)
def test_a_stored_run_is_read_with_all_that_it_holds_and_shown_and_listed(stack: Stack, case: Case) -> None:
    case.put_back(stack)
    document = case.document
    # Before version 8 a run owed one event at most, which is news since then.
    owed = document["outbox"].pop("announce", False)
    document["outbox"].pop("announce_hosting", None)
    assert holds(encoded(stack.run()), document)
    assert not owed or [one.state for one in stack.run().outbox.news] == [document["status"]]
    status, shown = stack.call("get-run")
    assert (status, shown["status"], shown["reason"]) == (200, case.document["status"], case.document["reason"])
    [listed] = stack.call("list-runs", query={})[1]["runs"]
    assert (listed["run_id"], listed["status"]) == ("churn", case.document["status"])


@pytest.mark.parametrize(
    ("version", "phase", "known"),
    [
        (3, "NameTaken", (None, Refusal.NAME_TAKEN)),
        (3, "QuotaTooSmall", (None, Refusal.QUOTA_TOO_SMALL)),
        (3, "Stopped", ("Stopped", None)),
        (3, None, (None, None)),
        (2, "NameTaken", (None, Refusal.NAME_TAKEN)),
    ],
)
def test_a_canary_whose_refusal_was_stored_as_its_phase_is_read_with_both_apart(
    stack: Stack, version: int, phase: str | None, known: tuple[str | None, Refusal | None]
) -> None:
    case = Case(f"schema-{version}", "on_demand_beside_a_canary")
    case.put_back(stack)
    document = case.document
    document["canaries"][0] |= {"status": "Ended", "phase": phase}
    stack.client("dynamodb").put_item(TableName=TABLE, Item=case.item | {"document": {"S": json.dumps(document)}})
    canary = stack.run().canary
    assert canary is not None
    assert (canary.phase, canary.refusal) == known


@stored(*ENDS, turn=0)
def test_a_stored_run_is_carried_on_to_its_end_by_the_tick(
    stack: Stack, capsys: pytest.CaptureFixture[str], case: Case
) -> None:
    case.put_back(stack)
    owed = [measure["name"] for measure in case.document["outbox"]["measures"]]
    metrics(capsys)
    run = to_its_end(stack)
    status, attempts = ENDS[case.state]
    assert run.status is status
    check(stack, run, attempts)
    put = metrics(capsys)
    assert all(put[name] >= 1 for name in [*owed, f"Runs{status}"])


@stored(*LIVE, turn=2)
def test_a_stored_run_is_carried_on_by_the_events_of_its_job(stack: Stack, case: Case) -> None:
    case.put_back(stack)
    name = stack.run().current.job_name
    for kind, seconds in (("training-started", 60), ("completed", 8000)):
        stack.clock.passes(seconds)
        event = body_of(f"observe/{kind}")
        moment = str(round(stack.clock().timestamp() * 1000))
        event["detail"] |= {"TrainingJobName": name, "LastModifiedTime": moment}
        assert stack.invoke("observe", messages(json.dumps(event))) == {"batchItemFailures": []}
    assert stack.run().status is RunStatus.COMPLETED
    check(stack, stack.run(), ENDS[case.state][1])


@stored(*(state for state in ENDS if state != "owing_news_of_its_end"), turn=1)
def test_a_stored_run_that_is_open_can_be_stopped(stack: Stack, case: Case) -> None:
    case.put_back(stack)
    assert stack.call("stop-run")[0] == 202
    run = stack.run() if stack.run().has_ended else to_its_end(stack)
    assert run.status is RunStatus.STOPPED
    created = [attempt for attempt in run.attempts if attempt.outcome is not Outcome.NEVER_CREATED]
    check(stack, run, len(run.attempts), created)


@stored(*RESUMABLE, turn=1)
def test_a_stored_run_that_has_ended_badly_can_be_resumed(stack: Stack, case: Case) -> None:
    case.put_back(stack)
    stack.aws.simulator.play(default={"train_seconds": 600})
    status, shown = stack.call("resume-run", {"budgets": {"expired_waits": 1}})
    assert (status, shown["status"]) == (202, "InProgress")
    run = to_its_end(stack)
    assert run.status is RunStatus.COMPLETED
    check(stack, run, 1 if case.state == "never_created" else 2)


@stored(turn=2)
def test_the_same_spec_is_still_the_same_run_and_another_one_is_not(stack: Stack, case: Case) -> None:
    case.put_back(stack)
    status, shown = stack.call("create-run", case.spec)
    assert (status, shown["run_id"]) == (202, "churn")
    run = stack.run()
    assert (run.submission_id, run.fingerprint) == (case.document["submission_id"], case.document["fingerprint"])
    assert len(run.attempts) == len(case.document["attempts"])
    other = case.spec
    other["training_job"]["HyperParameters"]["num_round"] = "401"
    assert stack.call("create-run", other)[1]["code"] == "NameConflict"


@dataclass(frozen=True)
class Newer:
    """A run that a release of tomorrow has stored, with what today's does not know of."""

    case: Case

    def put(self, stack: Stack) -> dict[str, Any]:
        """Store it, and give its item."""
        self.case.put_back(stack)
        text = json.dumps(self.case.document | {"tomorrow": {"matters": True}})
        item = self.case.item | {"schema_version": {"N": str(SCHEMA_VERSION + 1)}, "document": {"S": text}}
        stack.client("dynamodb").put_item(TableName=TABLE, Item=item)
        return item


@pytest.fixture
def newer(stack: Stack) -> dict[str, Any]:
    """The item of a run that trains, which a release of tomorrow has stored."""
    return Newer(Case(NEWEST, "training")).put(stack)


MESSAGE = (
    f"The run churn was stored by a newer release: its schema version is {SCHEMA_VERSION + 1}, and this release knows "
    f"{SCHEMA_VERSION} at most. The run is left unchanged. If a deployment is in progress, try again when it has "
    "finished; otherwise deploy the newer release again."
)


@pytest.mark.parametrize("name", ["training-started", "completed", "run-due", "room-freed"])
def test_an_observation_of_a_run_that_a_newer_release_has_stored_goes_back_to_its_queue(
    stack: Stack, newer: dict[str, Any], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    stack.clock.passes(8000)
    event = document(f"observe/{name}")
    failed = {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert stack.invoke("observe", event) == failed
    assert item_of(stack) == newer
    [line] = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line.get("level") == "ERROR"]
    assert line["exception_name"] == "NewerSchemaError"
    assert line["exception"].endswith(MESSAGE)
    assert line["run_id"] == "churn"


def test_so_does_its_spec_and_the_api_says_what_to_do(stack: Stack, newer: dict[str, Any]) -> None:
    spec = Case(NEWEST, "training").spec
    assert len(stack.invoke("submit", stack.upload(json.dumps(spec)))["batchItemFailures"]) == 1
    refused = (503, {"code": "NewerSchema", "message": MESSAGE, "details": []})
    for call in ("get-run", "stop-run", "resume-run", "create-run"):
        body = {"create-run": spec, "resume-run": {}}.get(call)
        assert stack.call(call, body) == refused
    assert [run["run_id"] for run in stack.call("list-runs", query={})[1]["runs"]] == ["churn"]
    assert item_of(stack) == newer
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_nothing_is_lost_once_the_newer_release_is_there(stack: Stack, newer: dict[str, Any]) -> None:
    stack.clock.passes(2000)
    event = document("observe/completed")
    assert stack.invoke("observe", event)["batchItemFailures"]
    stack.client("dynamodb").put_item(TableName=TABLE, Item=newer | {"schema_version": {"N": str(SCHEMA_VERSION)}})
    assert stack.invoke("observe", event) == {"batchItemFailures": []}
    assert stack.run().status is RunStatus.COMPLETED


def test_its_attempt_keeps_its_slot_and_other_runs_wait(stack: Stack, newer: dict[str, Any]) -> None:
    stack.limit_attempts("ml.m5.xlarge=1")
    key = {"id": {"S": "slots#ml.m5.xlarge"}}
    holders = {"holders": {"SS": ["churn-relay-01"]}, "version": {"N": "1"}}
    stack.client("dynamodb").put_item(TableName=TABLE, Item=key | holders)
    other = Case(NEWEST, "training").spec | {"name": "other"}
    other["training_job"]["CheckpointConfig"]["S3Uri"] = f"s3://{CHECKPOINTS}/checkpoints/other/"
    status, shown = stack.call("create-run", other)
    assert (status, shown["status"]) == (202, "Pending")
    assert "limit: 1" in shown["reason"]
    assert stack.slots("ml.m5.xlarge") == {"churn-relay-01"}
    assert item_of(stack) == newer


def test_what_is_no_run_is_not_taken_for_one_although_it_has_a_schema_version(stack: Stack) -> None:
    for key in ("prices#us-east-1", "checkpoints#s3://churn/"):
        stack.client("dynamodb").put_item(TableName=TABLE, Item={"id": {"S": key}, "schema_version": {"N": "9"}})
        assert stack.find(key) is None
