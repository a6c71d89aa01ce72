"""Images ``local/*`` run as real processes, with S3 and CloudWatch Logs."""

from __future__ import annotations

import json
import signal
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from embedded.patience import give_time
from simulator.real.container import failure_reason, tree_for
from tests.simulator.processes import QUICK, Running, channel, gone, keys, local, shipped, simulator, unpacked, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


COUNTS = """
    # Counts to the hyperparameter `until` with a checkpoint at each step, and goes on from the newest. When it
    # begins at 0 it stays at step 5 until it is terminated: an interruption never comes too late for it.
    import json, os, pathlib, signal, sys, threading
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    checkpoints = pathlib.Path(os.environ["SM_CHECKPOINT_DIR"])
    steps = sorted(int(path.suffix[1:]) for path in checkpoints.glob("step.*"))
    step = begun = steps[-1] if steps else 0
    print("from", begun)
    until = json.loads(os.environ["SM_HPS"])["until"]
    while step < until and not stopped.wait(0.05):
        step += 1
        (checkpoints / f"step.{step}").write_text(str(step))
        (checkpoints / f"step.{step - 2}").unlink(missing_ok=True)
        if step == 5 and begun == 0:
            stopped.wait()
    print("to", step)
    if stopped.is_set():
        sys.exit(143)
    (pathlib.Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text(str(step))
"""
TELLS = """
    # Says what it finds, in the model.
    import json, os, pathlib
    base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
    found = {
        "environment": dict(os.environ),
        "hyperparameters": json.loads((base / "input/config/hyperparameters.json").read_text()),
        "inputdataconfig": json.loads((base / "input/config/inputdataconfig.json").read_text()),
        "resourceconfig": json.loads((base / "input/config/resourceconfig.json").read_text()),
        "train": {
            str(path.relative_to(base / "input/data/train")): path.read_text()
            for path in (base / "input/data/train").rglob("*") if path.is_file()
        },
    }
    (base / "model/found.json").write_text(json.dumps(found))
    (base / "output/data/report.txt").write_text("done")
"""
FAILS = """
    import os, pathlib, sys
    (pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "output/failure").write_text("no such column")
    sys.exit(3)
"""
STUBBORN = """
    # Ignores SIGTERM, as does its child; says its own and its child's process id.
    import os, pathlib, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    (pathlib.Path(os.environ["SM_MODEL_DIR"]) / "half").write_text("half a model")
    print("pids", os.getpid(), child.pid)
    time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def _images(images: Path) -> None:
    for name, script in {"counts": COUNTS, "tells": TELLS, "fails": FAILS, "stubborn": STUBBORN}.items():
        folder = images / name
        folder.mkdir()
        (folder / "train.py").write_text(textwrap.dedent(script))


def test_an_interrupted_process_continues_from_its_checkpoint(
    running: Running, sagemaker: SageMakerClient, s3: S3Client, aws: str
) -> None:
    interruptions = [{"after_checkpoints": 2, "capacity_returns_after": 0.1}]
    running.rules({"name": "real-again", "phases": QUICK, "capacity": {"interruptions": interruptions}})
    sagemaker.create_training_job(
        **local(
            "real-again",
            "counts",
            HyperParameters={"until": "12"},
            CheckpointConfig={"S3Uri": "s3://bucket/again/checkpoints/"},
        )
    )

    job = running.ended("real-again")

    assert job["TrainingJobStatus"] == "Completed", job
    assert unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"model.txt": "12"}
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]].count("Interrupted") == 1
    first, stopped, second, ended = running.lines("real-again")
    assert (first, ended) == ("from 0", "to 12")
    assert second == stopped.replace("to", "from")
    assert int(stopped.split()[1]) >= 2
    assert sorted(keys(s3, "again/checkpoints/")) == ["step.11", "step.12"]  # what is deleted is deleted in S3

    def all_lines() -> list[str]:
        streams = shipped(aws, "real-again/algo-1-").values()
        return [line for lines in streams for line in lines] if sum(map(len, streams)) == 4 else []

    assert sorted(wait_for(all_lines)) == sorted([first, stopped, second, ended])


def test_a_job_whose_wait_expired_leaves_checkpoints_for_the_next_job(
    running: Running, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    interruptions = [{"after_checkpoints": 2, "capacity_returns_after": None}]
    running.rules({"name": "real-relay-01", "phases": QUICK, "capacity": {"interruptions": interruptions}})
    given = {
        "HyperParameters": {"until": "10"},
        "CheckpointConfig": {"S3Uri": "s3://bucket/relay/", "LocalPath": "/opt/ml/kept"},
    }
    # The process has to come to its second checkpoint in this time.
    seconds = round(give_time(1))
    soon = {"MaxRuntimeInSeconds": seconds, "MaxWaitTimeInSeconds": seconds}
    sagemaker.create_training_job(**local("real-relay-01", "counts", StoppingCondition=soon, **given))
    first = running.ended("real-relay-01")
    sagemaker.create_training_job(**local("real-relay-02", "counts", **given))
    second = running.ended("real-relay-02")

    assert first["SecondaryStatus"] == "MaxWaitTimeExceeded"
    assert "ModelArtifacts" not in first
    assert second["TrainingJobStatus"] == "Completed", second
    assert running.lines("real-relay-02")[0] == running.lines("real-relay-01")[-1].replace("to", "from")


def test_a_process_finds_the_files_and_variables_of_a_container(
    running: Running, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    s3.put_object(Bucket="bucket", Key="tells/train/a.csv", Body=b"1")
    s3.put_object(Bucket="bucket", Key="tells/train/deep/b.csv", Body=b"2")
    running.rules({"name": "real-tells", "phases": QUICK})
    sagemaker.create_training_job(
        **local(
            "real-tells",
            "tells:latest",
            HyperParameters={"eta": "0.5", "objective": "binary:logistic"},
            Environment={"MINE": "yes"},
            InputDataConfig=[channel("train", "s3://bucket/tells/train", ContentType="text/csv")],
        )
    )

    job = running.ended("real-tells")

    assert job["TrainingJobStatus"] == "Completed", job
    found = json.loads(unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"])["found.json"])
    assert found["train"] == {"a.csv": "1", "deep/b.csv": "2"}
    assert found["hyperparameters"] == {"eta": "0.5", "objective": "binary:logistic"}
    assert found["inputdataconfig"]["train"]["ContentType"] == "text/csv"
    assert found["resourceconfig"]["current_host"] == "algo-1"
    variables = found["environment"]
    assert json.loads(variables["SM_HPS"]) == {"eta": 0.5, "objective": "binary:logistic"}
    assert variables["SM_CHANNEL_TRAIN"].endswith("/input/data/train")
    assert (variables["TRAINING_JOB_NAME"], variables["MINE"]) == ("real-tells", "yes")
    report = unpacked(s3, "s3://bucket/output/real-tells/output/output.tar.gz")
    assert report == {"report.txt": "done"}


def test_the_failure_reason_contains_what_the_process_wrote(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "real-fails", "phases": QUICK})
    sagemaker.create_training_job(**local("real-fails", "fails"))

    job = running.ended("real-fails")

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no such column, exit code: 3"


@pytest.mark.parametrize("image", ["missing", "..", "a/b"])
def test_a_missing_image_fails_the_job(running: Running, image: str) -> None:
    name = f"real-no-image-{len(image)}"
    running.rules({"name": name, "phases": QUICK})
    running.sagemaker.create_training_job(**local(name, image))

    job = running.ended(name)

    assert job["FailureReason"] == f"ClientError: Cannot find the training image: local/{image}. Image not found."


def test_missing_input_data_fails_the_job(running: Running, sagemaker: SageMakerClient, s3: S3Client) -> None:
    running.rules({"name": "real-no-data", "phases": QUICK})
    sagemaker.create_training_job(
        **local("real-no-data", "counts", InputDataConfig=[channel("train", "s3://bucket/nothing/")])
    )

    reason = running.ended("real-no-data")["FailureReason"]

    assert reason == "ClientError: Data download failed: no S3 objects found under s3://bucket/nothing/"


def test_a_model_that_cannot_be_uploaded_fails_the_job_with_a_client_error(
    running: Running, sagemaker: SageMakerClient
) -> None:
    running.rules({"name": "real-nowhere", "phases": QUICK})
    output = {"S3OutputPath": "s3://no-such-bucket/output"}
    sagemaker.create_training_job(
        **local("real-nowhere", "counts", HyperParameters={"until": "1"}, OutputDataConfig=output)
    )

    job = running.ended("real-nowhere")

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert "no-such-bucket" in job["FailureReason"]


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period_and_its_model_is_kept(
    running: Running, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    running.rules({"name": "real-stubborn", "phases": QUICK})
    sagemaker.create_training_job(**local("real-stubborn", "stubborn"))
    pids = wait_for(lambda: running.lines("real-stubborn"))[0].split()[1:]
    sagemaker.stop_training_job(TrainingJobName="real-stubborn")

    job = running.ended("real-stubborn")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"half": "half a model"}
    steps = {step["Status"]: step for step in job["SecondaryStatusTransitions"]}
    waited = steps["Stopping"]["EndTime"] - steps["Stopping"]["StartTime"]
    assert waited.total_seconds() >= 1  # the grace
    wait_for(lambda: all(gone(int(pid)) for pid in pids))


def test_a_planned_failure_ends_the_process(running: Running, sagemaker: SageMakerClient) -> None:
    failure = {"reason": "InternalServerError: We encountered an internal error.", "after_seconds": 0.5}
    running.rules({"name": "real-planned", "phases": QUICK, "fail": failure})
    sagemaker.create_training_job(**local("real-planned", "stubborn"))

    job = running.ended("real-planned")

    assert job["FailureReason"] == failure["reason"]
    printed = running.lines("real-planned")
    for pid in printed[0].split()[1:] if printed else []:
        wait_for(lambda pid=pid: gone(int(pid)))  # type: ignore[misc]


def test_a_job_without_a_process_can_be_stopped(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "real-waits", "phases": QUICK, "capacity": {"after": None}})
    sagemaker.create_training_job(**local("real-waits", "counts"))
    sagemaker.stop_training_job(TrainingJobName="real-waits")

    assert running.ended("real-waits")["SecondaryStatus"] == "Stopped"


def test_an_entry_point_replaces_the_script_of_the_image(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "real-entry", "phases": QUICK})
    job = local("real-entry", "counts")
    job["AlgorithmSpecification"] |= {
        "ContainerEntrypoint": ["/bin/sh", "-c"],
        "ContainerArguments": ["trap 'echo told; exit 0' TERM; echo asleep; sleep 600 & wait"],
    }
    sagemaker.create_training_job(**job)
    wait_for(lambda: running.lines("real-entry") == ["asleep"])
    sagemaker.stop_training_job(TrainingJobName="real-entry")

    assert running.ended("real-entry")["SecondaryStatus"] == "Stopped"
    assert running.lines("real-entry") == ["asleep", "told"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"InputDataConfig": [channel("a", "s3://b/c", InputMode="Pipe")]}, "File mode only"),
        ({"InputDataConfig": [channel("a", "s3://b/c", CompressionType="Gzip")]}, "uncompressed"),
        (
            {
                "InputDataConfig": [
                    {
                        "ChannelName": "a",
                        "DataSource": {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": "s3://b/c"}},
                    }
                ]
            },
            "S3DataType S3Prefix only",
        ),
    ],
)
def test_what_a_real_job_cannot_have_is_refused(sagemaker: SageMakerClient, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        sagemaker.create_training_job(**local("real-refused", "counts", **changes))


def test_the_processes_end_when_the_simulator_ends(tmp_path: Path, images: Path, aws: str) -> None:
    with simulator(tmp_path, "--images", str(images), "--grace", "0.1", aws=aws) as other:
        other.rules({"name": "*", "phases": QUICK})
        other.sagemaker.create_training_job(**local("real-orphan", "stubborn"))
        pids = wait_for(lambda: other.lines("real-orphan"))[0].split()[1:]
        other.process.send_signal(signal.SIGTERM)

        assert other.process.wait(timeout=give_time(20)) == 0
    wait_for(lambda: all(gone(int(pid)) for pid in pids))  # the last are reaped by the system


def test_a_long_failure_message_is_cut_before_the_exit_code(tmp_path: Path) -> None:
    tree = tree_for({}, tmp_path)
    tree.failure.parent.mkdir(parents=True)
    tree.failure.write_text("x" * 5000)

    reason = failure_reason(tree, -9)

    assert len(reason) == 1024
    assert reason.endswith(", exit code: 137")
