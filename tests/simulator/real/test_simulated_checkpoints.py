"""Jobs that run no process write checkpoints to S3, and find them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.processes import QUICK, Running, keys, request, wait_for

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
