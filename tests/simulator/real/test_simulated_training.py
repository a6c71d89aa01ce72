"""What jobs without a process leave in S3 and in the logs: checkpoints, which they find again, and a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.simulator.processes import QUICK, Running, keys, request, shipped, unpacked, wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


def test_a_simulated_job_continues_from_simulated_checkpoints(
    running: Running, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    checkpoints = {"every_seconds": 0.1}
    rule = {"phases": QUICK, "train_seconds": 0.95, "checkpoints": checkpoints}
    interruption = {"after_training_seconds": 0.65, "capacity_returns_after": None}
    running.rules({**rule, "name": "real-sim-01", "capacity": {"interruptions": [interruption]}})
    running.rules({**rule, "name": "real-sim-02"})
    given = {"CheckpointConfig": {"S3Uri": "s3://bucket/sim/"}}
    sagemaker.create_training_job(**request("real-sim-01", **given))
    running.described("real-sim-01", when=lambda job: job["SecondaryStatus"] == "Interrupted")
    written = {f"xgboost-checkpoint.{number}" for number in range(1, 7)}
    wait_for(lambda: set(keys(s3, "sim/")) == written)
    sagemaker.stop_training_job(TrainingJobName="real-sim-01")
    sagemaker.create_training_job(**request("real-sim-02", **given))

    job = running.ended("real-sim-02")

    assert job["ModelArtifacts"]["S3ModelArtifacts"].endswith("/real-sim-02/output/model.tar.gz")
    steps = {step["Status"]: step for step in job["SecondaryStatusTransitions"]}
    trained = steps["Training"]["EndTime"] - steps["Training"]["StartTime"]
    assert 0.34 < trained.total_seconds() < 0.36  # what six of the ten checkpoints had left to do
    wait_for(lambda: len(keys(s3, "sim/")) == 9)


def test_a_simulated_job_says_everywhere_that_nothing_is_trained(
    running: Running, sagemaker: SageMakerClient, s3: S3Client, aws: str
) -> None:
    running.rules({"phases": QUICK, "train_seconds": 0.1, "name": "sim-says"})
    two = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    sagemaker.create_training_job(**request("sim-says", ResourceConfig=two))

    job = running.ended("sim-says")

    said = "simulated, nothing is trained"
    messages = {step["Status"]: step["StatusMessage"] for step in job["SecondaryStatusTransitions"]}
    assert messages["Training"] == f"Training in progress ({said})"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://bucket/output/sim-says/output/model.tar.gz"
    model = unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"])
    assert json.loads(model["simulated.json"]) == {"training_job": "sim-says", "model": said}
    streams = wait_for(lambda: len(found := shipped(aws, "sim-says/")) == 2 and found)
    assert streams
    began = round(job["SecondaryStatusTransitions"][2]["StartTime"].timestamp() * 1000)
    assert streams == {f"sim-says/{host}-{began}": [f"sim-says on {host}: {said}"] for host in ("algo-1", "algo-2")}


def test_a_simulated_job_fails_if_its_model_cannot_be_uploaded(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"phases": QUICK, "train_seconds": 0.1, "name": "sim-nowhere"})
    output = {"S3OutputPath": "s3://no-such-bucket/output"}
    sagemaker.create_training_job(**request("sim-nowhere", OutputDataConfig=output))

    job = running.ended("sim-nowhere")

    place = "s3://no-such-bucket/output/sim-nowhere/output/model.tar.gz"
    assert job["FailureReason"].startswith(f"ClientError: could not upload the model to {place}: ")
    assert "ModelArtifacts" not in job
