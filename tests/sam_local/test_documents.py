"""Every function, in a container, with every document of ``events/`` that is meant for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.prices import Price
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from tests.e2e.relay import eventually
from tests.sam_local.churn import EVENTS, LONG, PRICES, SPECS, detail, document, place
from tests.sam_local.containers import LONGEST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.sam_local.churn import Churn
    from tests.sam_local.containers import SamLocal

pytestmark = [pytest.mark.docker, pytest.mark.timeout(LONGEST_SECONDS + 60)]

TAKEN: dict[str, Any] = {"batchItemFailures": []}
INTERRUPTED = LONG | {"capacity": {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}}


def fails_as(name: str) -> dict[str, Any]:
    """Make a job fail with the reason that a document gives."""
    return {
        "fail": {"reason": detail(f"observe/{name}")["FailureReason"], "phase": "Pending"},
        "capacity": {"after": 9},
    }


ABOUT_TEMPLATES = ("template-uploaded", "template-deleted", "template-due", "data-arrived")


def stopped_by_somebody(churn: Churn) -> None:
    churn.stack.client("sagemaker").stop_training_job(TrainingJobName="churn-relay-01")
    eventually("the job being stopped", lambda: churn.job()["TrainingJobStatus"] == "Stopped" or None)


def due(churn: Churn) -> None:
    eventually("the run being due", lambda: churn.due() == ["churn"] or None)


def answer_of(sam_local: SamLocal, name: str) -> tuple[int, Any]:
    """Call the API in a container with a document, and give the status code and the answer."""
    returned = sam_local.invoke("ApiFunction", place(f"api/{name}"))
    assert returned["multiValueHeaders"]["Content-Type"] == ["application/json"]
    return returned["statusCode"], json.loads(returned["body"])


def uploaded(churn: Churn, folder: Path) -> Path:
    """Upload the spec that `submit` is told of, and give its document with the version that S3 has chosen."""
    version = churn.upload(document("api/create-run")["body"].encode())
    told = document("submit/spec-uploaded")
    event = json.loads(told["Records"][0]["body"])
    assert event["detail"]["bucket"]["name"] == SPECS
    event["detail"]["object"]["version-id"] = version
    told["Records"][0]["body"] = json.dumps(event)
    path = folder / "spec-uploaded.json"
    path.write_text(json.dumps(told))
    return path


def test_submit_turns_the_uploaded_spec_into_a_run_with_a_training_job(
    sam_local: SamLocal, churn: Churn, tmp_path: Path
) -> None:
    assert sam_local.invoke("Submit", uploaded(churn, tmp_path)) == TAKEN
    run = churn.run()
    assert (run.status, run.reason) == (RunStatus.IN_PROGRESS, "Created churn-relay-01 for the submitted spec.")
    assert churn.jobs() == ["churn-relay-01"]
    assert sorted(churn.keys()) == ["runs/churn.json", "status/churn.json"]
    assert churn.status()["status"] == "InProgress"


@pytest.mark.parametrize("name", ABOUT_TEMPLATES)
def test_submit_takes_what_is_about_templates(sam_local: SamLocal, churn: Churn, name: str) -> None:
    assert churn.keys() == []
    assert sam_local.invoke("Submit", place(f"submit/{name}")) == TAKEN
    assert churn.keys() == []


def test_api_creates_a_run(sam_local: SamLocal, churn: Churn) -> None:
    assert churn.find() is None
    status_code, answer = answer_of(sam_local, "create-run")
    assert (status_code, answer["run_id"], answer["status"]) == (202, "churn", "InProgress")
    assert churn.run().status is RunStatus.IN_PROGRESS
    assert churn.jobs() == ["churn-relay-01"]
    assert answer == churn.status() | {"created": True}


def test_api_shows_a_run(sam_local: SamLocal, churn: Churn) -> None:
    churn.submit()
    before = churn.run()
    assert answer_of(sam_local, "get-run") == (200, churn.status())
    assert churn.run() == before


def test_api_lists_the_runs_of_a_status(sam_local: SamLocal, churn: Churn) -> None:
    churn.submit()
    before = churn.run()
    status_code, answer = answer_of(sam_local, "list-runs")
    assert (status_code, answer["next_token"]) == (200, None)
    assert [(run["run_id"], run["status"]) for run in answer["runs"]] == [("churn", "InProgress")]
    assert churn.run() == before


def test_api_stops_a_run_and_its_training_job(sam_local: SamLocal, churn: Churn) -> None:
    churn.submit()
    status_code, answer = answer_of(sam_local, "stop-run")
    assert (status_code, answer["status"]) == (202, "Stopping")
    assert (churn.run().status, churn.run().stop_requested) == (RunStatus.STOPPING, True)
    assert churn.job()["TrainingJobStatus"] in {"Stopping", "Stopped"}
    assert churn.status() == answer


def test_api_resumes_a_run_that_has_failed_with_another_training_job(sam_local: SamLocal, churn: Churn) -> None:
    churn.submit(rule=fails_as("algorithm-error"))
    assert churn.deployed("Observe", document("observe/algorithm-error")) == TAKEN
    assert churn.run().status is RunStatus.FAILED
    status_code, answer = answer_of(sam_local, "resume-run")
    assert (status_code, answer["status"], len(answer["attempts"])) == (202, "InProgress", 2)
    assert (churn.run().status, len(churn.run().attempts)) == (RunStatus.IN_PROGRESS, 2)
    assert churn.jobs() == ["churn-relay-01", "churn-relay-02"]


def test_tick_queues_the_run_that_is_due(sam_local: SamLocal, churn: Churn) -> None:
    churn.submit()
    due(churn)
    before = churn.run()
    assert sam_local.invoke("Tick", place("tick/every-minute")) == {"queued": 1}
    # The tick delays the message by seconds if the run has become due only just now.
    looks = eventually("a look being queued", lambda: churn.queued() or None)
    assert looks == [{"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": "churn"}}]
    assert churn.run() == before


def test_prices_keeps_the_prices_of_the_file(sam_local: SamLocal, churn: Churn) -> None:
    assert churn.prices() is None
    content = {"prices": {"ml.m5.xlarge": {"on_demand_usd": 0.23, "spot_usd": 0.08}}}
    churn.upload(json.dumps(content).encode(), "prices.json")
    assert sam_local.invoke("Prices", place("prices/every-week")) == {"source": PRICES, "instance_types": 1}
    kept = churn.prices()
    assert kept is not None
    assert kept.by_instance_type == {"ml.m5.xlarge": Price(0.23, 0.08)}


def test_widget_shows_the_run_and_stops_it_only_if_runs_have_buttons(sam_local: SamLocal, churn: Churn) -> None:
    churn.submit()
    assert sam_local.invoke("Widget", place("widget/describe")).startswith("## Spot Relay")
    assert ">churn</button>" in sam_local.invoke("Widget", place("widget/all-runs"))
    assert "churn-relay-01" in sam_local.invoke("Widget", place("widget/one-run"))
    before = churn.run()
    assert "WidgetActions is false" in sam_local.invoke("Widget", place("widget/stop-run"))
    assert churn.run() == before


@dataclass(frozen=True)
class Case:
    """What the job is by the time that its document is sent, and what the document makes of the run.

    ``news`` are only recorded: the status document shows them with the next change that writes one.
    """

    seconds_ago: float
    status: RunStatus
    reason: str  # how it begins
    outcome: Outcome | None = None
    attempts: int = 1
    rule: dict[str, Any] = field(default_factory=lambda: LONG)
    before: Callable[[Churn], None] | None = None
    news: bool = False


# For `observe`.
CASES = {
    "training-started": Case(60, RunStatus.IN_PROGRESS, "churn-relay-01 is Training", news=True),
    "interrupted": Case(
        900,
        RunStatus.IN_PROGRESS,
        "churn-relay-01 was interrupted. SageMaker resumes it",
        rule=INTERRUPTED,
        news=True,
    ),
    "max-wait-expired": Case(
        7205,
        RunStatus.IN_PROGRESS,
        "Created churn-relay-02 because the attempt before it reached MaxWaitTimeInSeconds.",
        Outcome.MAX_WAIT_TIME_EXCEEDED,
        attempts=2,
        rule=INTERRUPTED,
    ),
    "max-runtime-exceeded": Case(
        3700,
        RunStatus.FAILED,
        "churn-relay-01 reached MaxRuntimeInSeconds before it finished. Raise it, or set policy.",
        Outcome.MAX_RUNTIME_EXCEEDED,
    ),
    "capacity-error": Case(
        100,
        RunStatus.PENDING,
        "churn-relay-01 failed because SageMaker had no capacity",
        Outcome.CAPACITY_ERROR,
        rule=fails_as("capacity-error"),
    ),
    "algorithm-error": Case(
        100,
        RunStatus.FAILED,
        "churn-relay-01 failed because the training code or its configuration has an error: AlgorithmError: ",
        Outcome.USER_ERROR,
        rule=fails_as("algorithm-error"),
    ),
    "service-error": Case(
        100,
        RunStatus.PENDING,
        "churn-relay-01 failed because SageMaker had an internal error",
        Outcome.SERVICE_ERROR,
        rule=fails_as("service-error"),
    ),
    "stopped-by-user": Case(
        60,
        RunStatus.STOPPED,
        "churn-relay-01 was stopped outside Spot Relay",
        Outcome.STOPPED,
        before=stopped_by_somebody,
    ),
    "completed": Case(
        60, RunStatus.COMPLETED, "churn-relay-01 completed the training", Outcome.COMPLETED, rule={"train_seconds": 9}
    ),
    "unknown-status": Case(60, RunStatus.IN_PROGRESS, "churn-relay-01 is Rebalancing", news=True),
    "foreign-job": Case(60, RunStatus.IN_PROGRESS, "Created churn-relay-01 for the submitted spec."),
    "canary-training": Case(60, RunStatus.IN_PROGRESS, "Created churn-relay-01 for the submitted spec."),
    "room-freed": Case(60, RunStatus.IN_PROGRESS, "Created churn-relay-01 for the submitted spec."),
    "predecessor-ended": Case(60, RunStatus.IN_PROGRESS, "Created churn-relay-01 for the submitted spec."),
    "endpoint-in-service": Case(60, RunStatus.IN_PROGRESS, "Created churn-relay-01 for the submitted spec."),
    "run-due": Case(60, RunStatus.IN_PROGRESS, "churn-relay-01 is Training.", before=due),
}


@pytest.mark.parametrize("name", CASES)
def test_observe_folds_a_document_into_its_run(sam_local: SamLocal, churn: Churn, name: str) -> None:
    case = CASES[name]
    churn.submit(seconds_ago=case.seconds_ago, rule=case.rule)
    if case.before is not None:
        case.before(churn)
    before = churn.run()
    assert sam_local.invoke("Observe", place(f"observe/{name}")) == TAKEN
    run, status = churn.run(), churn.status()
    assert (run.status, len(run.attempts), run.attempts[0].outcome) == (case.status, case.attempts, case.outcome)
    assert run.reason.startswith(case.reason)
    assert run.outbox == Outbox(status=run.has_ended)
    assert churn.jobs() == [attempt.job_name for attempt in run.attempts]
    told = "Created churn-relay-01 for the submitted spec." if case.news else run.reason
    assert (status["status"], status["reason"]) == (run.status, told)
    unchanged = {"foreign-job", "canary-training", "room-freed", "predecessor-ended", "endpoint-in-service"}
    assert (run == before) == (name in unchanged)
    if case.attempts > 1:
        assert status["attempts"][1]["resumes_from"]["key"] == "checkpoints/churn/xgboost-checkpoint.7"


def test_no_document_is_left_out() -> None:
    sent = {
        "submit": {"spec-uploaded", *ABOUT_TEMPLATES},
        "api": {"create-run", "get-run", "list-runs", "stop-run", "resume-run"},
        "observe": set(CASES),
        "tick": {"every-minute"},
        "prices": {"every-week"},
        "widget": {"describe", "all-runs", "one-run", "stop-run"},
    }
    folders = [folder for folder in EVENTS.iterdir() if folder.is_dir()]
    assert {folder.name: {path.stem for path in folder.glob("*.json")} for folder in folders} == sent
