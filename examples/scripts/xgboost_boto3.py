"""Train XGBoost on one instance with boto3, as the workshop's notebook does.

New are the lines that mention Spot Relay, and a CheckpointConfig: without it each restart would begin at zero.
The first argument is the job's name, if there is one.
"""

from __future__ import annotations

import sys
from typing import Any

import boto3

from spot_relay_client import SpotRelay, install

# AWS publishes XGBoost from one account per region: the others are in the SageMaker documentation.
REGISTRIES = {"us-east-1": "683313688378", "us-west-2": "246618743249", "eu-west-1": "141502667606"}

stack = SpotRelay().stack  # the role and the bucket of the stack, in place of those of the notebook
session = install(boto3.Session())  # carries out managed spot training jobs as runs of Spot Relay
sagemaker = session.client("sagemaker")
name = sys.argv[1] if len(sys.argv) > 1 else "xgboost-mnist"
data = f"s3://{stack.bucket}/xgboost-mnist"


def describe_channel(channel: str) -> Any:
    """Return a channel of libsvm files, all of them on each instance."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{data}/{channel}", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": channel, "ContentType": "libsvm", "DataSource": {"S3DataSource": source}}


sagemaker.create_training_job(
    TrainingJobName=name,
    AlgorithmSpecification={
        "TrainingImage": (
            f"{REGISTRIES[stack.region]}.dkr.ecr.{stack.region}.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"
        ),
        "TrainingInputMode": "File",
    },
    RoleArn=stack.role,
    HyperParameters={
        "max_depth": "5",
        "eta": "0.2",
        "gamma": "4",
        "min_child_weight": "6",
        "silent": "0",
        "objective": "multi:softmax",
        "num_class": "10",
        "num_round": "10",
    },
    InputDataConfig=[describe_channel("train"), describe_channel("validation")],
    OutputDataConfig={"S3OutputPath": f"s3://{stack.bucket}/{name}/output"},
    ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m4.10xlarge", "VolumeSizeInGB": 5},
    EnableManagedSpotTraining=True,
    StoppingCondition={"MaxRuntimeInSeconds": 86400, "MaxWaitTimeInSeconds": 86400},
    CheckpointConfig={"S3Uri": f"s3://{stack.bucket}/checkpoints/{name}/"},
)
waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 43200})
job = sagemaker.describe_training_job(TrainingJobName=name)
sys.stdout.write(f"{name} is {job['TrainingJobStatus']}: {job['ModelArtifacts']['S3ModelArtifacts']}\n")
