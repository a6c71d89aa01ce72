"""Real processes find their folders where SageMaker has them, and change nothing else on the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from simulator import SageMaker
from simulator.real import instance_run
from simulator.real.container import tree_for
from simulator.real.namespace import CONTAINER_BASE, Namespace, find_namespace, makes_namespaces
from tests.simulator.processes import ENDED, QUICK, Running, channel, client, shell, unpacked, wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

in_namespaces = pytest.mark.skipif(find_namespace() is None, reason="this machine makes no mount namespaces")
# Waits, at a place that all processes see, until the other job's process is there, too.
MEETS = """
    touch "$MEETING/$TRAINING_JOB_NAME"
    until [ "$(ls "$MEETING" | wc -l)" -ge 2 ]; do sleep 0.05; done
    echo "$TRAINING_JOB_NAME" > /opt/ml/model/name
    touch "$MEETING/$TRAINING_JOB_NAME.done"
    until [ "$(ls "$MEETING" | wc -l)" -ge 4 ]; do sleep 0.05; done
    cp /opt/ml/model/name /opt/ml/model/later
    pwd
"""
# As long as ModelTrainer's: a driver that comes as a channel, and is made executable.
DRIVEN = ["-c", "chmod +x /opt/ml/input/data/sm_drivers/sm_train.sh && /opt/ml/input/data/sm_drivers/sm_train.sh"]
DRIVER = """
#!/bin/bash
set -e
cd /opt/ml/input/data/code
echo "export SM_MODEL_DIR=/opt/ml/model" > /opt/ml/input/sm_training.env
source /opt/ml/input/sm_training.env
sh train.sh
"""
CODE = """
cp /opt/ml/input/config/resourceconfig.json "$SM_MODEL_DIR"
echo "$SAGEMAKER_BASE_DIR $SM_CHECKPOINT_DIR $SM_CHANNEL_CODE" > "$SM_MODEL_DIR/places"
echo 1 > /opt/ml/checkpoints/step.1
"""


@in_namespaces
def test_two_jobs_at_once_have_an_opt_ml_each_and_the_machine_keeps_its_own(
    running: Running, images: Path, sagemaker: SageMakerClient, s3: S3Client, tmp_path: Path
) -> None:
    before = sorted(Path("/opt").iterdir())
    names = ["opt-one", "opt-two"]
    running.rules({"name": "opt-*", "phases": QUICK})
    for name in names:
        sagemaker.create_training_job(**shell(images, name, MEETS, Environment={"MEETING": str(tmp_path)}))

    for name in names:
        job = running.ended(name)
        assert job["TrainingJobStatus"] == "Completed", (job, running.lines(name))
        model = unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"])
        assert model == {"name": f"{name}\n", "later": f"{name}\n"}
        assert running.lines(name) == ["/opt/ml"]
    assert sorted(Path("/opt").iterdir()) == before


@in_namespaces
def test_code_that_comes_as_a_channel_runs_as_model_trainer_starts_it(
    running: Running, images: Path, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    s3.put_object(Bucket="bucket", Key="v3/sm_drivers/sm_train.sh", Body=DRIVER.encode())
    s3.put_object(Bucket="bucket", Key="v3/code/train.sh", Body=CODE.encode())
    running.rules({"name": "opt-driven", "phases": QUICK})
    channels = [channel(name, f"s3://bucket/v3/{name}/") for name in ("code", "sm_drivers")]
    job = shell(
        images, "opt-driven", "", InputDataConfig=channels, CheckpointConfig={"S3Uri": "s3://bucket/v3/checkpoints/"}
    )
    job["AlgorithmSpecification"] |= {"ContainerEntrypoint": ["/bin/bash"], "ContainerArguments": DRIVEN}
    sagemaker.create_training_job(**job)

    ended = running.ended("opt-driven")

    assert ended["TrainingJobStatus"] == "Completed", (ended, running.lines("opt-driven"))
    model = unpacked(s3, ended["ModelArtifacts"]["S3ModelArtifacts"])
    assert model["places"] == "/opt/ml /opt/ml/checkpoints /opt/ml/input/data/code\n"
    assert '"current_host": "algo-1"' in model["resourceconfig.json"]
    assert s3.get_object(Bucket="bucket", Key="v3/checkpoints/step.1")["Body"].read() == b"1\n"


@in_namespaces
def test_a_command_that_is_not_there_fails_the_job(running: Running, images: Path, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "opt-missing", "phases": QUICK})
    job = shell(images, "opt-missing", "")
    job["AlgorithmSpecification"] |= {"ContainerEntrypoint": ["/no/such/command"]}
    sagemaker.create_training_job(**job)

    assert running.ended("opt-missing")["FailureReason"] == "AlgorithmError: exit code: 127"
    assert "/no/such/command" in running.lines("opt-missing")[0]


def test_without_namespaces_the_variables_name_the_real_folders(
    images: Path, s3: S3Client, aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setattr(instance_run, "find_namespace", lambda: None)
    script = """cd "$SAGEMAKER_BASE_DIR" && pwd > "$SM_MODEL_DIR/place" """
    with SageMaker({"default": {"phases": QUICK}}, images=images, workdir=tmp_path) as sagemaker:
        running = client("sagemaker", sagemaker.url)
        running.create_training_job(**shell(images, "opt-plain", script))

        def end() -> Any:
            job = running.describe_training_job(TrainingJobName="opt-plain")
            return job if job["TrainingJobStatus"] in ENDED else None

        job = wait_for(end)

    assert job["TrainingJobStatus"] == "Completed", job
    assert unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"]) == {"place": f"{tmp_path}/opt-plain/1/algo-1/ml\n"}


def test_a_way_that_makes_no_namespaces_is_recognized(tmp_path: Path) -> None:
    for unshare in ("/bin/false", "/bin/true", str(tmp_path / "missing")):
        assert not makes_namespaces(Namespace((unshare,)))


@pytest.mark.parametrize(
    ("local_path", "folder"),
    [
        (None, "checkpoints"),
        ("/opt/ml/checkpoints", "checkpoints"),
        ("/opt/ml/kept/here/", "kept/here"),
        ("/opt/ml", "checkpoints"),
        ("/opt/ml/model", "checkpoints"),
        ("/opt/ml/../../etc", "checkpoints"),
        ("/srv/elsewhere", "elsewhere"),
    ],
)
def test_the_checkpoint_folder_is_where_local_path_says_below_opt_ml(local_path: str | None, folder: str) -> None:
    config = {"S3Uri": "s3://bucket/x/"} | ({"LocalPath": local_path} if local_path else {})
    assert tree_for({"CheckpointConfig": config}, CONTAINER_BASE).checkpoints == CONTAINER_BASE / folder
