"""What the demo reads, draws and compares, tested with recorded documents."""

from __future__ import annotations

import io
import json
import re
import tarfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from demo import comparison, data, screen
from demo.audience import PlainText, Silent, Terminal
from demo.comparison import Comparison
from demo.demo_run import DemoError, Spec, follow, submit, wait_for_last_round
from demo.function_metrics import Metric, parse_metrics
from demo.outcome import Outcome, Places
from demo.training_log import Stretch, parse_checkpoint_round, read_log
from demo.watcher import LOG_GROUP, Attempt, Clients, Step, View, Watcher
from spot_relay_client.errors import InvalidSpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from spot_relay_client.api import Api

STARTED_AT = datetime(2025, 6, 3, 9, 14, tzinfo=UTC)
FIRST_LOG = [
    "Training from the beginning",
    *[f"[{number}] train-logloss:0.5 validation-logloss:0.6" for number in range(1, 23)],
    "Stopped after round 22 of 100",
    "Resuming from xgboost-checkpoint.22",
    *[f"[{number}] train-logloss:0.4 validation-logloss:0.5" for number in range(23, 39)],
]
SECOND_LOG = [
    "Resuming from xgboost-checkpoint.38",
    *[f"[{number}] train-logloss:0.3 validation-logloss:0.4" for number in range(39, 101)],
    "Trained 62 of 100 rounds here; the model is complete",
]
RUN: dict[str, Any] = {
    "run_id": "churn",
    "status": "Completed",
    "reason": "training completed",
    "attempts": [
        {
            "job_name": "churn-relay-01",
            "outcome": "MaxWaitTimeExceeded",
            "resumes_from": None,
            "training_seconds": 11,
            "billable_seconds": 4,
            "waited_seconds": 9,
        },
        {
            "job_name": "churn-relay-02",
            "outcome": "Completed",
            "resumes_from": {"key": "churn/checkpoints/xgboost-checkpoint.38", "last_modified": "2025-06-03T09:14:20Z"},
            "training_seconds": 15,
            "billable_seconds": None,
            "waited_seconds": 1,
        },
    ],
    "interruptions": 2,
    "training_seconds": 26,
    "billable_seconds": 9,
    "savings_percent": 65.4,
}
PENDING = RUN | {"status": "Pending", "attempts": []}
PLACES = Places("s3://specs/status/churn.json", LOG_GROUP, ("/aws/lambda/observe",), "s3://data/checkpoints/", "s3://m")


def _client_error(code: str, message: str = "missing") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Get")


class FakeApi:
    """The API with one run."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.run = run

    def show(self, run: str) -> dict[str, Any]:
        assert run == self.run["run_id"]
        return self.run

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
        raise InvalidSpecError(
            400, "InvalidSpec", "The spec has problems.", [{"path": "name", "message": spec["name"]}]
        )


class FakeS3:
    """S3 with given objects."""

    def __init__(self, objects: list[str]) -> None:
        self.objects = objects

    def list_objects_v2(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        assert Bucket == "data"
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}


class FakeSageMaker:
    """SageMaker with given training jobs: secondary statuses by name."""

    def __init__(self, jobs: dict[str, list[str]]) -> None:
        self.jobs = jobs

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 (boto3's name)
        if TrainingJobName not in self.jobs:
            raise _client_error("ValidationException", "Requested resource not found.")
        statuses = self.jobs[TrainingJobName]
        steps = [
            {"Status": status, "StartTime": STARTED_AT + timedelta(seconds=second), "StatusMessage": f"now {status}"}
            for second, status in enumerate(statuses)
        ]
        return {"SecondaryStatus": statuses[-1], "SecondaryStatusTransitions": steps}


class FakeLogs:
    """CloudWatch Logs with given streams in the group of training jobs; like MiniStack, it ignores the prefix."""

    def __init__(self, streams: dict[str, list[str]]) -> None:
        self.streams = streams

    def get_paginator(self, operation: str) -> FakeLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, logStreamNamePrefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        if not self.streams:
            raise _client_error("ResourceNotFoundException")
        assert (logGroupName, logStreamNamePrefix) == (LOG_GROUP, "churn-relay-")
        for stream, lines in self.streams.items():
            yield {"events": [{"logStreamName": stream, "message": line} for line in lines]}


def _create_watcher(
    run: dict[str, Any],
    objects: Sequence[str] = (),
    jobs: dict[str, list[str]] | None = None,
    logs: dict[str, list[str]] | None = None,
) -> Watcher:
    clients = Clients(
        api=cast("Api", FakeApi(run)),
        s3=cast("S3Client", FakeS3(list(objects))),
        sagemaker=cast("SageMakerClient", FakeSageMaker(jobs or {})),
        logs=cast("CloudWatchLogsClient", FakeLogs(logs or {})),
    )
    return Watcher(clients, "churn", "s3://data/churn/checkpoints/")


def _observe_completed_run() -> View:
    objects = ["churn/checkpoints/xgboost-checkpoint.95", "churn/checkpoints/xgboost-checkpoint.100"]
    jobs = {
        "churn-relay-01": ["Starting", "Training", "Interrupted", "MaxWaitTimeExceeded"],
        "churn-relay-02": ["Starting", "Training", "Completed"],
    }
    logs = {"churn-relay-01/algo-1-1": FIRST_LOG, "churn-relay-02/algo-1-2": SECOND_LOG, "other/algo-1-3": ["[7] x"]}
    return _create_watcher(RUN, objects, jobs, logs).look()


def _draw(renderable: Any) -> str:
    console = Console(width=160, file=io.StringIO(), force_terminal=False)
    console.print(renderable)
    return cast("io.StringIO", console.file).getvalue()


def test_a_log_contains_the_rounds_of_each_process_of_an_attempt() -> None:
    log = read_log(FIRST_LOG)
    assert log.stretches == (Stretch(1, 22), Stretch(23, 38))
    assert (log.resumed_from, log.reached, len(log.rounds)) == (0, 38, 38)
    assert log.metrics == "train-logloss:0.4 validation-logloss:0.5"


def test_a_round_that_was_lost_and_repeated_counts_once() -> None:
    log = read_log(
        ["[1] a", "[2] a", "[3] a", "[4] a", "Resuming from xgboost-checkpoint.2", "[3] a", "[4] a", "[5] a"]
    )
    assert log.stretches == (Stretch(1, 4), Stretch(3, 5))
    assert len(log.rounds) == 5


def test_an_attempt_that_trained_nothing_has_no_rounds() -> None:
    log = read_log(["Resuming from xgboost-checkpoint.9", "something else"])
    assert (log.resumed_from, log.reached, log.rounds) == (None, 0, frozenset())


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a/xgboost-checkpoint.40", 40), ("xgboost-checkpoint.x", None), ("xgboost-model", None), ("a/b.40", None)],
)
def test_the_round_of_a_checkpoint_is_the_end_of_its_key(key: str, expected: int | None) -> None:
    assert parse_checkpoint_round(key) == expected


def test_a_view_combines_status_document_jobs_checkpoints_and_logs() -> None:
    view = _observe_completed_run()
    assert (view.status, view.ended, view.checkpointed, view.reached) == ("Completed", True, 100, 100)
    assert [(a.job_name, a.phase, a.resumed_from, a.trained) for a in view.attempts] == [
        ("churn-relay-01", "MaxWaitTimeExceeded", 0, 38),
        ("churn-relay-02", "Completed", 38, 62),
    ]
    assert [step.status for step in view.steps][-1] == "MaxWaitTimeExceeded"


def test_before_its_first_attempt_a_run_is_pending() -> None:
    view = _create_watcher(PENDING).look()
    assert (view.status, view.ended, view.reached, view.attempts) == ("Pending", False, 0, ())


def test_an_attempt_whose_job_does_not_exist_yet_is_planned() -> None:
    (attempt,) = _create_watcher(PENDING | {"attempts": [RUN["attempts"][1]]}).look().attempts
    assert (attempt.phase, attempt.resumed_from, attempt.trained) == ("Planned", 38, 0)


def test_a_refused_spec_ends_the_demo_with_its_problems() -> None:
    with pytest.raises(DemoError, match=r"not accepted: The spec has problems\.\n  name: churn"):
        submit(cast("Api", FakeApi(RUN)), Spec({"name": "churn"}))


def test_the_error_for_a_run_that_does_not_end_in_time_contains_its_state() -> None:
    waiting = View({**RUN, "status": "InProgress", "reason": "waiting for capacity"})
    with pytest.raises(DemoError, match=r"did not end within 0 seconds\. It is InProgress: waiting for capacity"):
        follow(lambda: waiting, Silent(), limit=0)


def test_the_demo_waits_for_the_last_rounds_of_a_completed_run() -> None:
    late = iter([_observe_completed_run(), _observe_completed_run()])
    early = View(RUN, ())
    looks: list[View] = []

    def look() -> View:
        view = early if not looks else next(late)
        looks.append(view)
        return view

    assert wait_for_last_round(look, early, rounds=100).reached == 100
    assert len(looks) == 2


def test_the_json_object_has_exactly_the_documented_keys() -> None:
    outcome = Outcome(_observe_completed_run(), Comparison(5000, 0, 0.0), {}, PLACES, 71.26)
    assert outcome.succeeded
    assert outcome.to_json() == {
        "status": "Completed",
        "attempts": [
            {
                "job_name": "churn-relay-01",
                "outcome": "MaxWaitTimeExceeded",
                "resumed_from_round": 0,
                "trained_rounds": 38,
                "training_seconds": 11,
                "billable_seconds": 4,
            },
            {
                "job_name": "churn-relay-02",
                "outcome": "Completed",
                "resumed_from_round": 38,
                "trained_rounds": 62,
                "training_seconds": 15,
                "billable_seconds": None,
            },
        ],
        "interruptions": 2,
        "savings_percent": 65.4,
        "model_identical": True,
        "seconds": 71.3,
    }


def test_the_picture_of_a_run_shows_its_attempts_rounds_and_steps() -> None:
    picture = _draw(screen.draw_run(_observe_completed_run(), 100, STARTED_AT, STARTED_AT + timedelta(seconds=40)))
    for expected in ("Run churn", "Completed", " 40.0 s", "100 of 100", "100 are safe", "churn-relay-02", "round 38"):
        assert expected in picture
    assert "38 (1-22, 23-38)" in picture
    assert "now Interrupted" in picture


def test_a_picture_can_be_drawn_before_the_first_attempt() -> None:
    assert "0 of 100" in _draw(screen.draw_run(View(PENDING), 100, STARTED_AT, STARTED_AT))


def test_the_result_shows_costs_metrics_and_locations() -> None:
    metrics = {"WaitsExpired": Metric("WaitsExpired", (1.0,)), "Interruptions": Metric("Interruptions", (1.0, 1.0))}
    picture = _draw(
        screen.draw_result(Outcome(_observe_completed_run(), Comparison(5000, 0, 0.0), metrics, PLACES, 71.3))
    )
    assert "5000 predictions are equal to the last bit" in picture
    assert "26 s of training, 9 s of them billable: 65.4 % saved" in picture
    assert re.search(r"Interruptions +1, 1", picture)
    assert "s3://specs/status/churn.json" in picture
    assert "unknown" in picture  # one attempt's billable seconds


@pytest.mark.parametrize(
    ("found", "said"),
    [(None, "no model to compare"), (Comparison(5000, 3, 0.25), "differs .* 3 of 5000 predictions, by at most 0.25")],
)
def test_without_an_identical_model_the_demo_has_failed(found: Comparison | None, said: str) -> None:
    outcome = Outcome(_observe_completed_run(), found, {}, PLACES, 71.3)
    assert not outcome.succeeded
    assert not outcome.to_json()["model_identical"]
    assert re.search(said, _draw(screen.draw_result(outcome)))


def test_plain_text_shows_each_step_once() -> None:
    console = Console(width=160, file=io.StringIO())
    with PlainText(console, STARTED_AT) as lines:
        lines.note("Uploading")
        lines.show(_observe_completed_run())
        lines.show(_observe_completed_run())
    output = cast("io.StringIO", console.file).getvalue()
    assert output.count("Interrupted") == 2  # the status and its message
    assert "Uploading" in output


def test_a_terminal_shows_notes_and_the_latest_picture() -> None:
    console = Console(width=160, file=io.StringIO(), force_terminal=True)
    with Terminal(console, 100, STARTED_AT) as terminal:
        terminal.note("Uploading")
        terminal.show(_observe_completed_run())
    output = cast("io.StringIO", console.file).getvalue()
    assert "Uploading" in output
    assert "churn-relay-02" in output


def test_metrics_are_read_only_from_emf_lines_of_our_namespace() -> None:
    def emf(namespace: str, **values: object) -> str:
        metrics = [{"Name": name, "Unit": "Count"} for name in values]
        return json.dumps({"_aws": {"CloudWatchMetrics": [{"Namespace": namespace, "Metrics": metrics}]}, **values})

    lines = [
        "START RequestId: 1",
        '{"level":"INFO"}',
        '{"_aws" broken',
        emf("SpotRelay", Interruptions=[1.0], WaitsExpired=[1.0]),
        emf("SpotRelay", Interruptions=2.0),
        emf("Other", Interruptions=[9.0]),
    ]
    metrics = parse_metrics(lines)
    assert metrics == {
        "Interruptions": Metric("Interruptions", (1.0, 2.0)),
        "WaitsExpired": Metric("WaitsExpired", (1.0,)),
    }
    assert metrics["Interruptions"].total == 3


def test_a_model_that_lacks_one_round_is_not_identical() -> None:
    matrices = comparison.load_matrices(
        {"train/a.csv": data.write_csv(200, seed=1), "validation/a.csv": data.write_csv(50, seed=2)}
    )
    params = {"objective": "binary:logistic", "max_depth": "2", "num_round": "6", "seconds_per_round": "9"}
    whole = comparison.train_uninterrupted(params, matrices)
    short = comparison.train_uninterrupted({**params, "num_round": "5"}, matrices)
    assert comparison.compare(whole, comparison.train_uninterrupted(params, matrices), matrices) == Comparison(
        250, 0, 0
    )
    differing = comparison.compare(short, whole, matrices)
    assert not differing.identical
    assert differing.largest_difference > 0


def test_the_model_is_extracted_from_its_archive() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("./xgboost-model")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"model"))
    assert comparison.extract_model(archive.getvalue()) == b"model"


def test_the_submitted_spec_contains_what_the_demo_needs() -> None:
    spec = Spec.read()
    assert (spec.name, spec.rounds) == ("churn", 100)
    assert spec.locate_channel("validation")[1].endswith("/validation/")
    assert spec.checkpoints.endswith("/")


def test_steps_are_sorted_by_time() -> None:
    later = Step("b", "Starting", STARTED_AT + timedelta(seconds=9), "")
    sooner = Step("a", "Training", STARTED_AT, "")
    attempts = [Attempt({"job_name": step.job_name}, step.status, (step,), read_log([])) for step in (later, sooner)]
    assert View(RUN, tuple(attempts)).steps == [sooner, later]
