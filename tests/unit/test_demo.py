"""What the demo reads, draws and judges, from recorded documents."""

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
from demo.audience import Lines, Nobody, Terminal
from demo.comparison import Comparison
from demo.figures import Metric, emf_metrics
from demo.outcome import Outcome, Places
from demo.play import DemoError, Spec, follow, settled_view
from demo.training_log import Stretch, checkpoint_round, read_log
from demo.watching import LOG_GROUP, Attempt, Clients, Step, View, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

BEGAN = datetime(2025, 6, 3, 9, 14, tzinfo=UTC)
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
PLACES = Places("s3://specs/status/churn.json", LOG_GROUP, ("/aws/lambda/observe",), "s3://data/checkpoints/", "s3://m")


def _missing(code: str, message: str = "missing") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Get")


class FakeS3:
    """S3 with these objects: bodies by key."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        assert Bucket == "specs"
        if Key not in self.objects:
            raise _missing("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803 (boto3's names)
        assert Bucket == "data"
        return {"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}


class FakeSageMaker:
    """SageMaker with these training jobs: secondary statuses by name."""

    def __init__(self, jobs: dict[str, list[str]]) -> None:
        self.jobs = jobs

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803 (boto3's name)
        if TrainingJobName not in self.jobs:
            raise _missing("ValidationException", "Requested resource not found.")
        statuses = self.jobs[TrainingJobName]
        steps = [
            {"Status": status, "StartTime": BEGAN + timedelta(seconds=second), "StatusMessage": f"now {status}"}
            for second, status in enumerate(statuses)
        ]
        return {"SecondaryStatus": statuses[-1], "SecondaryStatusTransitions": steps}


class FakeLogs:
    """CloudWatch Logs with these streams in the training jobs' group; all of them, whatever prefix is asked for."""

    def __init__(self, streams: dict[str, list[str]]) -> None:
        self.streams = streams

    def get_paginator(self, operation: str) -> FakeLogs:
        assert operation == "filter_log_events"
        return self

    def paginate(self, *, logGroupName: str, logStreamNamePrefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        if not self.streams:
            raise _missing("ResourceNotFoundException")
        assert (logGroupName, logStreamNamePrefix) == (LOG_GROUP, "churn-relay-")
        for stream, lines in self.streams.items():
            yield {"events": [{"logStreamName": stream, "message": line} for line in lines]}


def _watcher(
    objects: dict[str, bytes], jobs: dict[str, list[str]] | None = None, logs: dict[str, list[str]] | None = None
) -> Watcher:
    clients = Clients(
        s3=cast("S3Client", FakeS3(objects)),
        sagemaker=cast("SageMakerClient", FakeSageMaker(jobs or {})),
        logs=cast("CloudWatchLogsClient", FakeLogs(logs or {})),
    )
    return Watcher(clients, "churn", "specs", "runs/churn.yaml", "s3://data/churn/checkpoints/")


def _whole_run() -> View:
    objects = {
        "status/churn.json": json.dumps(RUN).encode(),
        "churn/checkpoints/xgboost-checkpoint.95": b"",
        "churn/checkpoints/xgboost-checkpoint.100": b"",
    }
    jobs = {
        "churn-relay-01": ["Starting", "Training", "Interrupted", "MaxWaitTimeExceeded"],
        "churn-relay-02": ["Starting", "Training", "Completed"],
    }
    logs = {"churn-relay-01/algo-1-1": FIRST_LOG, "churn-relay-02/algo-1-2": SECOND_LOG, "other/algo-1-3": ["[7] x"]}
    return _watcher(objects, jobs, logs).look()


def _drawn(renderable: Any) -> str:
    console = Console(width=160, file=io.StringIO(), force_terminal=False)
    console.print(renderable)
    return cast("io.StringIO", console.file).getvalue()


def test_a_log_tells_the_rounds_of_each_process_of_an_attempt() -> None:
    log = read_log(FIRST_LOG)
    assert log.stretches == (Stretch(1, 22), Stretch(23, 38))
    assert (log.resumed_from, log.reached, len(log.rounds)) == (0, 38, 38)
    assert log.metrics == "train-logloss:0.4 validation-logloss:0.5"


def test_a_round_that_was_lost_and_trained_again_counts_once() -> None:
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
def test_a_checkpoints_round_is_the_end_of_its_name(key: str, expected: int | None) -> None:
    assert checkpoint_round(key) == expected


def test_a_look_joins_status_document_jobs_checkpoints_and_logs() -> None:
    view = _whole_run()
    assert (view.status, view.ended, view.kept, view.reached) == ("Completed", True, 100, 100)
    assert [(a.job_name, a.phase, a.resumed_from, a.trained) for a in view.attempts] == [
        ("churn-relay-01", "MaxWaitTimeExceeded", 0, 38),
        ("churn-relay-02", "Completed", 38, 62),
    ]
    assert [step.status for step in view.steps][-1] == "MaxWaitTimeExceeded"


def test_a_look_before_anything_is_there_shows_a_pending_run() -> None:
    view = _watcher({}).look()
    assert (view.status, view.ended, view.reached, view.attempts) == ("Pending", False, 0, ())


def test_a_look_at_a_run_whose_job_is_not_created_yet_shows_it_as_planned() -> None:
    planned = {**RUN, "status": "Pending", "attempts": [RUN["attempts"][1]]}
    (attempt,) = _watcher({"status/churn.json": json.dumps(planned).encode()}).look().attempts
    assert (attempt.phase, attempt.resumed_from, attempt.trained) == ("Planned", 38, 0)


def test_a_refused_spec_ends_the_demo_with_its_problems() -> None:
    watcher = _watcher({"errors/runs/churn.yaml.json": b'{"problems": [{"path": "name"}]}'})
    with pytest.raises(DemoError, match=r'refused:\n.*\n.*"problems"'):
        follow(watcher.look, Nobody(), limit=5)


def test_a_run_that_does_not_end_in_time_is_an_error_that_says_where_it_stands() -> None:
    waiting = View({**RUN, "status": "InProgress", "reason": "waiting for capacity"})
    with pytest.raises(DemoError, match=r"not end within 0 seconds; it is InProgress: waiting for capacity"):
        follow(lambda: waiting, Nobody(), limit=0)
    with pytest.raises(DemoError, match="its spec was never taken in"):
        follow(View, Nobody(), limit=0)


def test_the_last_rounds_of_a_completed_run_are_waited_for() -> None:
    late = iter([_whole_run(), _whole_run()])
    early = View(RUN, ())
    looks: list[View] = []

    def look() -> View:
        view = early if not looks else next(late)
        looks.append(view)
        return view

    assert settled_view(look, early, rounds=100).reached == 100
    assert len(looks) == 2


def test_the_json_object_has_the_agreed_keys_and_nothing_else() -> None:
    outcome = Outcome(_whole_run(), Comparison(5000, 0, 0.0), {}, PLACES, 71.26)
    assert outcome.good
    assert outcome.document() == {
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


def test_the_live_picture_shows_run_attempts_rounds_and_steps() -> None:
    picture = _drawn(screen.live(_whole_run(), 100, BEGAN, BEGAN + timedelta(seconds=40)))
    for shown in ("Run churn", "Completed", " 40.0 s", "100 of 100", "100 are safe", "churn-relay-02", "round 38"):
        assert shown in picture
    assert "38 (1-22, 23-38)" in picture
    assert "now Interrupted" in picture


def test_the_live_picture_can_be_drawn_before_anything_is_there() -> None:
    assert "0 of 100" in _drawn(screen.live(View(), 100, BEGAN, BEGAN))


def test_the_result_shows_the_bill_the_metrics_and_where_everything_lies() -> None:
    metrics = {"WaitsExpired": Metric("WaitsExpired", (1.0,)), "Interruptions": Metric("Interruptions", (1.0, 1.0))}
    picture = _drawn(screen.result(Outcome(_whole_run(), Comparison(5000, 0, 0.0), metrics, PLACES, 71.3)))
    assert "5000 predictions, the same to the last bit" in picture
    assert "26 s of training, 9 s of them billable: 65.4 % saved" in picture
    assert re.search(r"Interruptions +1, 1", picture)
    assert "s3://specs/status/churn.json" in picture
    assert "unknown" in picture  # one attempt's billable seconds


@pytest.mark.parametrize(
    ("found", "said"),
    [(None, "no model to compare"), (Comparison(5000, 3, 0.25), "differs .* 3 of 5000 predictions, by at most 0.25")],
)
def test_a_result_without_the_same_model_is_not_good(found: Comparison | None, said: str) -> None:
    outcome = Outcome(_whole_run(), found, {}, PLACES, 71.3)
    assert not outcome.good
    assert not outcome.document()["model_identical"]
    assert re.search(said, _drawn(screen.result(outcome)))


def test_an_audience_of_lines_is_told_each_step_once() -> None:
    console = Console(width=160, file=io.StringIO())
    with Lines(console, BEGAN) as lines:
        lines.note("Uploading")
        lines.show(_whole_run())
        lines.show(_whole_run())
    told = cast("io.StringIO", console.file).getvalue()
    assert told.count("Interrupted") == 2  # the status and its message
    assert "Uploading" in told


def test_a_terminal_shows_notes_and_the_last_picture() -> None:
    console = Console(width=160, file=io.StringIO(), force_terminal=True)
    with Terminal(console, 100, BEGAN) as terminal:
        terminal.note("Uploading")
        terminal.show(_whole_run())
    told = cast("io.StringIO", console.file).getvalue()
    assert "Uploading" in told
    assert "churn-relay-02" in told


def test_metrics_are_read_from_emf_lines_of_our_namespace_only() -> None:
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
    metrics = emf_metrics(lines)
    assert metrics == {
        "Interruptions": Metric("Interruptions", (1.0, 2.0)),
        "WaitsExpired": Metric("WaitsExpired", (1.0,)),
    }
    assert metrics["Interruptions"].total == 3


def test_the_comparison_sees_a_model_that_differs_by_one_round() -> None:
    matrices = comparison.matrices({"train/a.csv": data.csv(200, seed=1), "validation/a.csv": data.csv(50, seed=2)})
    params = {"objective": "binary:logistic", "max_depth": "2", "num_round": "6", "seconds_per_round": "9"}
    whole = comparison.train_uninterrupted(params, matrices)
    short = comparison.train_uninterrupted({**params, "num_round": "5"}, matrices)
    assert comparison.compare(whole, comparison.train_uninterrupted(params, matrices), matrices) == Comparison(
        250, 0, 0
    )
    differing = comparison.compare(short, whole, matrices)
    assert not differing.identical
    assert differing.largest_difference > 0


def test_the_model_is_taken_out_of_its_archive() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("./xgboost-model")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"model"))
    assert comparison.model_in(archive.getvalue()) == b"model"


def test_the_uploaded_spec_says_what_the_demo_needs() -> None:
    spec = Spec.read()
    assert (spec.name, spec.rounds) == ("churn", 100)
    assert spec.channel("validation")[1].endswith("/validation/")
    assert spec.checkpoints.endswith("/")


def test_views_and_steps_are_in_the_order_of_time() -> None:
    later = Step("b", "Starting", BEGAN + timedelta(seconds=9), "")
    sooner = Step("a", "Training", BEGAN, "")
    attempts = [Attempt({"job_name": step.job_name}, step.status, (step,), read_log([])) for step in (later, sooner)]
    assert View(RUN, tuple(attempts)).steps == [sooner, later]
