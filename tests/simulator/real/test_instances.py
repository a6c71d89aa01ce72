"""Jobs with several instances run a process on each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from simulator.real.cluster import Share, cluster_of
from simulator.real.namespace import find_namespace
from tests.simulator.processes import QUICK, Running, channel, keys, shell, shipped, unpacked, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

# Packs what an instance finds under its own name.
TELLS = """
    cd "$SAGEMAKER_BASE_DIR"
    mkdir "model/$SM_CURRENT_HOST"
    cp -r input/config/resourceconfig.json input/data "model/$SM_CURRENT_HOST"
    echo "$SM_CURRENT_HOST" > model/same
    echo "$SM_CURRENT_HOST of $SM_HOSTS"
"""
# Writes a checkpoint of its own and waits for SIGTERM; when it finds those of both, it ends.
RESUMES = """
    cd "$SM_CHECKPOINT_DIR"
    if [ "$(ls | wc -l)" = 2 ]; then echo resumed; exit 0; fi
    echo began
    touch "$SM_CURRENT_HOST"
    trap 'echo interrupted; exit 143' TERM
    sleep 600 & wait
"""
# The second instance fails as soon as the first is ready.
FAILS = """
    if [ "$SM_CURRENT_HOST" = algo-1 ]; then
        trap 'echo ended; exit 0' TERM
        touch "$MEETING/ready"
        sleep 600 & wait
    fi
    until [ -e "$MEETING/ready" ]; do sleep 0.05; done
    echo "no such column" > "$SAGEMAKER_BASE_DIR/output/failure"
    exit 3
"""
# The first instance ends at once, the second only when it is told to.
LINGERS = """
    if [ "$SM_CURRENT_HOST" = algo-2 ]; then
        until [ -e "$MEETING/end" ]; do sleep 0.05; done
    fi
    echo done
"""


def instances(count: int) -> dict[str, Any]:
    return {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}


def test_each_instance_finds_its_name_and_its_share_of_the_data(
    running: Running, images: Path, sagemaker: SageMakerClient, s3: S3Client, aws: str
) -> None:
    for part in ("a", "b"):
        s3.put_object(Bucket="bucket", Key=f"shards/{part}", Body=part.encode())
    running.rules({"name": "many-tell", "phases": QUICK})
    channels = [
        channel("all", "s3://bucket/shards/", "FullyReplicated"),
        channel("some", "s3://bucket/shards/", "ShardedByS3Key"),
    ]
    sagemaker.create_training_job(
        **shell(images, "many-tell", TELLS, ResourceConfig=instances(3), InputDataConfig=channels)
    )

    job = running.ended("many-tell")

    assert job["TrainingJobStatus"] == "Completed", job
    model = unpacked(s3, job["ModelArtifacts"]["S3ModelArtifacts"])
    hosts = ["algo-1", "algo-2", "algo-3"]
    for host in hosts:
        assert json.loads(model[f"{host}/resourceconfig.json"]) == {
            "current_host": host,
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": hosts,
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": hosts}
            ],
            "network_interface_name": "lo",
        }
    found = {name.partition("/data/")[::2]: text for name, text in model.items() if "/data/" in name}
    replicated = {(host, f"all/{part}"): part for host in hosts for part in ("a", "b")}
    # There are fewer objects than instances: the last instance gets none.
    assert found == {**replicated, ("algo-1", "some/a"): "a", ("algo-2", "some/b"): "b"}
    assert model["same"] == "algo-1\n"
    streams = wait_for(lambda: len(logged := shipped(aws, "many-tell/")) == 3 and logged)
    assert streams
    printed = {stream.rpartition("-")[0]: lines for stream, lines in streams.items()}
    assert printed == {f"many-tell/{host}": [f"{host} of {json.dumps(hosts)}"] for host in hosts}


def test_an_interruption_ends_all_instances_and_all_continue(
    running: Running, images: Path, sagemaker: SageMakerClient, s3: S3Client
) -> None:
    interruption = {"after_checkpoints": 2, "capacity_returns_after": 0.1}
    running.rules({"name": "many-again", "phases": QUICK, "capacity": {"interruptions": [interruption]}})
    checkpoints = {"S3Uri": "s3://bucket/many/checkpoints/"}
    sagemaker.create_training_job(
        **shell(images, "many-again", RESUMES, ResourceConfig=instances(2), CheckpointConfig=checkpoints)
    )

    job = running.ended("many-again")

    assert job["TrainingJobStatus"] == "Completed", job
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]].count("Interrupted") == 1
    for host in ("algo-1", "algo-2"):
        assert running.lines("many-again", host) == ["began", "interrupted", "resumed"]
    assert sorted(keys(s3, "many/checkpoints/")) == ["algo-1", "algo-2"]


def test_the_first_instance_that_fails_fails_the_job_and_ends_the_others(
    running: Running, images: Path, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    running.rules({"name": "many-fail", "phases": QUICK})
    meeting = {"MEETING": str(tmp_path)}
    sagemaker.create_training_job(**shell(images, "many-fail", FAILS, ResourceConfig=instances(3), Environment=meeting))

    job = running.ended("many-fail")

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no such column, exit code: 3"
    assert running.lines("many-fail", "algo-1") == ["ended"]  # before the job has failed: nothing writes any more


def test_a_job_is_completed_once_all_instances_have_ended(
    running: Running, images: Path, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    running.rules({"name": "many-linger", "phases": QUICK})
    meeting = {"MEETING": str(tmp_path)}
    sagemaker.create_training_job(
        **shell(images, "many-linger", LINGERS, ResourceConfig=instances(2), Environment=meeting)
    )
    wait_for(lambda: running.lines("many-linger", "algo-1") == ["done"])
    status = sagemaker.describe_training_job(TrainingJobName="many-linger")["SecondaryStatus"]
    (tmp_path / "end").touch()

    assert status == "Training"
    assert running.ended("many-linger")["TrainingJobStatus"] == "Completed"
    assert running.lines("many-linger", "algo-2") == ["done"]


@pytest.mark.skipif(find_namespace() is None, reason="this machine makes no mount namespaces")
def test_instances_find_each_other_by_name(running: Running, images: Path, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "many-names", "phases": QUICK})
    sagemaker.create_training_job(
        **shell(images, "many-names", "getent hosts algo-1 algo-2", ResourceConfig=instances(2))
    )
    running.ended("many-names")

    first, second = (running.lines("many-names", host) for host in ("algo-1", "algo-2"))
    assert first == second
    assert [line.split()[1] for line in first] == ["algo-1", "algo-2"]
    addresses = {line.split()[0] for line in first}
    assert len(addresses) == 2
    assert all(address.startswith("127.") for address in addresses)


def test_groups_of_instances_have_their_own_types_and_channels() -> None:
    groups = [
        {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.xlarge", "InstanceCount": 1},
        {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
    ]
    cluster = cluster_of({"ResourceConfig": {"InstanceGroups": groups}})
    for_cpu = channel("train", "s3://bucket/x/", "ShardedByS3Key")
    for_cpu["DataSource"]["S3DataSource"]["InstanceGroupNames"] = ["cpu"]

    assert cluster.hosts == ["algo-1", "algo-2", "algo-3"]
    assert [cluster.share(instance, for_cpu) for instance in cluster.instances] == [None, Share(0, 2), Share(1, 2)]
    described = cluster.resource_config(cluster.instances[2])
    assert (described["current_group_name"], described["current_instance_type"]) == ("cpu", "ml.c5.xlarge")
    assert [group["hosts"] for group in described["instance_groups"]] == [["algo-1"], ["algo-2", "algo-3"]]


def test_each_job_has_addresses_of_its_own() -> None:
    cluster = cluster_of({"ResourceConfig": instances(2)})

    assert cluster.host_names("one") == cluster.host_names("one")
    assert not set(cluster.host_names("one").split()[::2]) & set(cluster.host_names("two").split()[::2])
